// A port or echo identifier that the real program drew at random: the recorded outcome is given to the kernel as its
// draw, after a check that the real program could have drawn it.
import { natKey } from "./comparison.ts";
import type { NatEntry, RecordedStep } from "./recording.ts";

const PROTO_ICMP = 1;

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
  const candidates = (step.nat_after ?? []).filter((entry) => entry.dir === "EGRESS" && !entry.saddr.includes(":") && (said || entry.to_port !== entry.sport));
  if (candidates.length === 0) return null;
  const known = new Map(entriesBefore().map((entry) => [natKey(entry), entry]));
  const made = candidates.find((entry) => {
    const old = known.get(natKey(entry));
    return old === undefined || old.to_port !== entry.to_port || old.to_addr !== entry.to_addr;
  });
  if (made === undefined) return null;
  const reverse = `INGRESS ${made.nexthdr} ${made.daddr}:${made.dport}>${made.to_addr}:${made.to_port}`;
  const inRange = made.nexthdr === PROTO_ICMP || (made.to_port >= min && made.to_port <= max);
  return { value: made.to_port, inRange, free: !known.has(reverse) };
}
