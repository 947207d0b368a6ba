// A pod and the real world talking through replays: what was said so far is replayed from the beginning each time, the
// pod's packets as captured at the pod, the world's answers as captured at the node. Port draws depend on the tuple
// alone, so every replay continues the one before.
import { join } from "node:path";
import { expect } from "vitest";
import type { DatapathTables } from "../../src/control/tables.ts";
import { captureOfFrames, ethernet, internetChecksum } from "../e2e/packets.ts";
import { replay, type Scratch } from "../e2e/replayed.ts";
import { readFile } from "../io/read-records.ts";
import { destinationOf, headerOf, isFirst, isSixth, protocolOf, sourceOf } from "../properties/traffic.ts";

const ETH = 14, FIRST_SECOND = 1_700_000_000, MILLISECOND = 1_000_000, FRAGMENT = 44;

export interface Exchange {
  /** Frames that left the gateway since the last exchange. */
  readonly left: readonly Buffer[];
  /** Packets, without Ethernet header, that reached the pod since. */
  readonly reached: readonly Buffer[];
}

export class Conversation {
  readonly #scratch: Scratch;
  readonly #tables: DatapathTables;
  readonly #pod: string;
  readonly #egress: string;
  readonly #said = { pod: [] as { nsec: number; frame: Uint8Array }[], node: [] as { nsec: number; frame: Uint8Array }[] };
  #count = 0;
  #left = 0;
  #reached = 0;

  constructor(scratch: Scratch, tables: DatapathTables, pod: string, egressIp: string) {
    this.#scratch = scratch;
    this.#tables = tables;
    this.#pod = pod;
    this.#egress = egressIp;
  }

  podSends(...packets: readonly Uint8Array[]): void { for (const packet of packets) this.#say("pod", ethernet(packet)); }

  /** Frames as the world's kernel sent them. */
  worldSends(...frames: readonly Uint8Array[]): void { for (const frame of frames) this.#say("node", frame); }

  #say(who: "pod" | "node", frame: Uint8Array): void { this.#said[who].push({ nsec: ++this.#count * MILLISECOND, frame }); }

  async exchange(): Promise<Exchange> {
    const folder = this.#scratch.place();
    const captures = (["pod", "node"] as const).map((point) => ({
      point, path: this.#scratch.file(`said-at-${point}.pcap`, captureOfFrames(this.#said[point].map((each) => ({ sec: FIRST_SECOND, ...each })))),
    }));
    const { result } = await replay(this.#tables, captures, { outDir: folder, write: new Set(["pod", "external"]) });
    expect(result.drops).toEqual([]);
    expect(result.received.packets).toBe(this.#count);
    const left = (await framesOf(folder, "external.pcap")).filter((frame) => sourceOf(frame.subarray(ETH)) === this.#egress);
    const reached = (await framesOf(folder, "pod.pcap")).filter((frame) => destinationOf(frame.subarray(ETH)) === this.#pod);
    const exchanged = { left: left.slice(this.#left), reached: reached.slice(this.#reached).map((frame) => frame.subarray(ETH)) };
    this.#left = left.length;
    this.#reached = reached.length;
    return exchanged;
  }
}

async function framesOf(folder: string, name: string): Promise<Buffer[]> {
  return (await readFile(join(folder, name))).records.map(({ frame }) => Buffer.from(frame));
}

/** The same of an IPv6 packet, which has a checksum of its upper layer alone (RFC 8200 section 8.1). */
function checksumFaults6(packet: Buffer): readonly number[] {
  const at = headerOf(packet), segment = packet.subarray(at, 40 + packet.readUInt16BE(4)), length = Buffer.of(segment.length >>> 8, segment.length & 255);
  return isFirst(packet) && packet[6] !== FRAGMENT ? [0, internetChecksum(packet.subarray(8, 40), length, Buffer.of(0, protocolOf(packet)), segment)] : [0, 0];
}

/** Sums up what an IPv4 packet of header length 20 and its transport say of themselves; a sound one gives [0, 0]. A
 * fragment has a header checksum alone. */
export function checksumFaults(packet: Buffer): readonly number[] {
  if (isSixth(packet)) return checksumFaults6(packet);
  const header = internetChecksum(packet.subarray(0, 20)), protocol = packet[9] ?? 0;
  if ((packet.readUInt16BE(6) & 0x3fff) !== 0) return [header, 0];
  const segment = packet.subarray(20, packet.readUInt16BE(2));
  if (protocol === 1) return [header, internetChecksum(segment)];
  const length = Buffer.of(0, protocol, segment.length >>> 8, segment.length & 255);
  return [header, internetChecksum(packet.subarray(12, 20), length, segment)];
}
