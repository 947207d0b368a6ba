// Connection tracking as docs/fidelity.md tells it, with a Map: states by existence, lookups that ignore lifetimes, SYN,
// FIN and RST remembered, any RST closing both ways. Knows nothing of the kernel's tables.
import { ICMP, TCP } from "../e2e/packets.ts";

export const FLAG_FIN = 1, FLAG_SYN = 2, FLAG_RST = 4, FLAG_ACK = 16;
const REMEMBERED = FLAG_FIN | FLAG_SYN | FLAG_RST;
/** Seconds: the agent's defaults. */
const ESTABLISHED_S = 8000, OPENING_S = 60, CLOSING_S = 10, OTHER_S = 60;

/** A packet by the pod's end: an echo request has the identifier as its sender's port and 0 as the other. */
export interface ModelPacket {
  readonly fromPod: boolean;
  readonly protocol: number;
  readonly podPort: number;
  readonly remote: string;
  readonly remotePort: number;
  /** TCP flags, 0 for others. */
  readonly flags: number;
  /** An ICMP error: belongs to what passed between the two ends before, whatever the ports. */
  readonly isError: boolean;
}

export interface ModelEntry {
  /** Second on the clock. */
  expires: number;
  podClosed: boolean;
  remoteClosed: boolean;
  seenNonSyn: boolean;
  /** Flags seen from whoever the entry's direction calls the sender, and from the other. */
  podFlags: number;
  remoteFlags: number;
}

type Opener = "out" | "in";

export class ConntrackModel {
  readonly entries = new Map<string, ModelEntry>();

  see(packet: ModelPacket, now: number): "new" | "established" | "reply" | "related" {
    const [answers, continues]: readonly [Opener, Opener] = packet.fromPod ? ["in", "out"] : ["out", "in"];
    if (this.#look(this.entries.get(keyOf(packet, answers)), packet, now)) return packet.isError ? "related" : "reply";
    if (this.#look(this.entries.get(keyOf(packet, continues)), packet, now)) return "established";
    // Errors about the flow are expected between the same two ends.
    this.#open(keyOf({ ...packet, isError: true }, continues), packet, now);
    this.#open(keyOf(packet, continues), packet, now);
    return "new";
  }

  #open(key: string, packet: ModelPacket, now: number): void {
    const entry = { expires: 0, podClosed: false, remoteClosed: false, seenNonSyn: false, podFlags: 0, remoteFlags: 0 };
    this.entries.set(key, entry);
    // Whatever a TCP connection begins with here counts as its SYN.
    live(entry, { ...packet, flags: FLAG_SYN }, now);
  }

  /** True where the entry stands for the packet; a SYN that reopens a closing one counts as new. */
  #look(entry: ModelEntry | undefined, packet: ModelPacket, now: number): boolean {
    if (entry === undefined) return false;
    const { flags, fromPod } = packet;
    if (!(entry.podClosed && entry.remoteClosed)) live(entry, packet, now);
    if ((flags & FLAG_RST) !== 0) entry.podClosed = entry.remoteClosed = true;
    else if ((flags & FLAG_FIN) !== 0) entry[fromPod ? "podClosed" : "remoteClosed"] = true;
    if ((flags & (FLAG_RST | FLAG_FIN)) !== 0) {
      if (entry.podClosed && entry.remoteClosed) remember(entry, packet, now + CLOSING_S);
      return true;
    }
    if ((flags & FLAG_SYN) === 0 || (flags & FLAG_ACK) !== 0 || !(entry.podClosed || entry.remoteClosed)) return true;
    Object.assign(entry, { podClosed: false, remoteClosed: false, seenNonSyn: false, podFlags: 0, remoteFlags: 0 });
    live(entry, packet, now);
    return false;
  }
}

/** Prolongs an entry's life. A TCP connection is opening until a segment without SYN was seen. */
function live(entry: ModelEntry, packet: ModelPacket, now: number): void {
  const isTcp = packet.protocol === TCP;
  if (isTcp && (packet.flags & FLAG_SYN) === 0) entry.seenNonSyn = true;
  remember(entry, packet, now + (!isTcp ? OTHER_S : entry.seenNonSyn ? ESTABLISHED_S : OPENING_S));
}

function remember(entry: ModelEntry, { fromPod, flags, protocol }: ModelPacket, expires: number): void {
  entry.expires = expires;
  if (protocol === TCP) entry[fromPod ? "podFlags" : "remoteFlags"] |= flags & REMEMBERED;
}

/** Errors of any flow between two ends share an entry. */
export function keyOf({ protocol, podPort, remote, remotePort, isError }: Omit<ModelPacket, "fromPod" | "flags">, opener: Opener): string {
  return isError ? `${opener} errors ${ICMP} 0 ${remote} 0` : `${opener} flow ${protocol} ${podPort} ${remote} ${remotePort}`;
}
