// A port or echo identifier that the real program drew at random: the recorded outcome is given to the kernel as its
// draw, after a check that the real program could have drawn it.
import { PROTO_ICMP } from "../kernel/wire/ipv4.ts";
import { PROTO_ICMP6 } from "../kernel/wire/ipv6.ts";
import { natKey } from "./comparison.ts";
import type { NatEntry, RecordedStep } from "./recording.ts";

const ECHO_PROTOCOLS: readonly number[] = [PROTO_ICMP, PROTO_ICMP6];

export interface RecordedDraw {
  readonly value: number;
  /** In the allowed range? */
  readonly inRange: boolean;
  /** Was the port free for this remote end before the step? */
  readonly free: boolean;
}

/** The number that the step drew, found as the one mapping that it made or changed; null when it kept the packet's own.
 * A draw is known by a port that is not the packet's, or because the recording says so: also a packet that is dropped
 * afterwards leaves its mapping. */
export function recordedDraw(step: RecordedStep, entriesBefore: () => readonly NatEntry[], min: number, max: number): RecordedDraw | null {
  const said = (step.nondeterministic ?? []).some((field) => field.startsWith("snat_"));
  const candidates = (step.nat_after ?? []).filter((entry) => entry.dir === "EGRESS" && (said || entry.to_port !== entry.sport));
  if (candidates.length === 0) return null;
  const known = new Map(entriesBefore().map((entry) => [natKey(entry), entry]));
  const made = candidates.find((entry) => {
    const old = known.get(natKey(entry));
    return old === undefined || old.to_port !== entry.to_port || old.to_addr !== entry.to_addr;
  });
  if (made === undefined) return null;
  const reverse = `INGRESS ${made.nexthdr} ${made.daddr}:${made.dport}>${made.to_addr}:${made.to_port}`;
  const held = known.get(reverse);
  // The other half was there already: the mapping was restored, nothing was drawn.
  if (held !== undefined && held.to_addr === made.saddr && held.to_port === made.sport) return null;
  const inRange = ECHO_PROTOCOLS.includes(made.nexthdr) || (made.to_port >= min && made.to_port <= max);
  return { value: made.to_port, inRange, free: held === undefined };
}
