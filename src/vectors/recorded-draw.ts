// A port, an echo identifier or a backend that the real program drew at random: the recorded outcome is given to the kernel as its
// draw, after a check that the real program could have drawn it.
import { PROTO_ICMP } from "../kernel/wire/ipv4.ts";
import { PROTO_ICMP6 } from "../kernel/wire/ipv6.ts";
import { natKey } from "./comparison.ts";
import { TUPLE_SERVICE } from "../kernel/layout-services.ts";
import type { LabServices } from "./lab-services.ts";
import type { ConntrackEntry, NatEntry, RecordedStep } from "./recording.ts";

const ECHO_PROTOCOLS: readonly number[] = [PROTO_ICMP, PROTO_ICMP6];

export interface RecordedDraw {
  readonly value: number;
  /** In the allowed range? */
  readonly inRange: boolean;
  /** Was the port free for this remote end before the step? */
  readonly free: boolean;
  /** Surely drawn? A connection that was known and kept its backend may not have been. */
  readonly certain: boolean;
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
  return { value: made.to_port, inRange, free: held === undefined, certain: true };
}

/** The slot from which the step drew its backend, told by the conntrack entry of the packet's connection to the service; null
 * where nothing was drawn. */
export function recordedChoice(step: RecordedStep, services: LabServices, entriesBefore: () => readonly ConntrackEntry[]): RecordedDraw | null {
  const packet = step.in;
  if (packet?.dst === undefined || packet.dport === undefined || packet.proto === undefined || !(step.nondeterministic ?? []).includes("backend")) return null;
  const entry = (step.ct_after ?? []).find((each) => isRequestEntry(each, packet));
  if (entry?.backend_id === undefined) return null;
  const slot = services.slots(packet.dst, packet.dport, packet.proto).indexOf(entry.backend_id);
  const before = entriesBefore().find((each) => isRequestEntry(each, packet));
  return { value: slot + 1, inRange: slot >= 0, free: true, certain: before?.backend_id !== entry.backend_id };
}

/** Is this the entry of a packet's connection to the service that it is addressed to? */
export function isRequestEntry(entry: ConntrackEntry, packet: NonNullable<RecordedStep["in"]>): boolean {
  return entry.flags === TUPLE_SERVICE && entry.nexthdr === packet.proto && entry.saddr === packet.src && entry.daddr === packet.dst &&
    entry.dport === packet.sport && entry.sport === packet.dport;
}
