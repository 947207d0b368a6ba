// The real wires around the simulated nodes, as one worker uses them: frames that left go to the device of their side, to the real
// neighbour that is next; what neighbours ask and answer comes by here.
import {
  B_EXIT, B_FRAME, B_LEN, B_NEXTHOP6, B_SIZE, B_WROTE, EXIT_DEVICE, EXIT_POD, EXIT_TUNNEL, STREAM_OVERLAY,
} from "../kernel/pipeline/layout-batch.ts";
import { wordAt } from "../engine/address-book.ts";
import { addressOf, wireWord } from "../engine/image/arena.ts";
import { IPV4, IPV6 } from "../engine/ip-header.ts";
import { ETH_HEADER, OUTER_HEADERS } from "./entrance.ts";
import { Link } from "./link.ts";
import type { LiveCounters } from "./live-counters.ts";
import type { Epoch, LiveTask, NextHop } from "./live-protocol.ts";
import type { Native } from "./native.ts";
import { type NeighbourAddress, neighbour4, neighbour6 } from "./neighbour-address.ts";
import { isIpv6 } from "./neighbour-discovery.ts";
import { loseFrame, Outlet } from "./outlet.ts";
import { type Port, SIDE_OUTSIDE, SIDE_PODS, SIDE_TUNNEL } from "./sides.ts";

const RECORD_HEADER = 16;
/** Frames listed before they are written in any case. */
const LIST_ROOM = 512;

export class Wires {
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #counters: LiveCounters;
  readonly #task: LiveTask;
  /** By side; null where there is no device. */
  readonly #links: readonly (Link | null)[];
  readonly #sockets: ReadonlyMap<number, Outlet>;
  #epoch: Epoch;
  #raw: number[] = [];

  constructor(task: LiveTask, native: Native, bytes: Uint8Array, words: Int32Array, counters: LiveCounters) {
    this.#bytes = bytes;
    this.#words = words;
    this.#counters = counters;
    this.#task = task;
    this.#epoch = task.epoch;
    const outlet = (port: Port): Outlet => new Outlet(port, native, bytes, counters, LIST_ROOM);
    this.#links = [SIDE_PODS, SIDE_OUTSIDE, SIDE_TUNNEL].map((side) => {
      const port = task.ports.find((each) => each.side === side && each.kind !== "udp"), room = task.waiting[side];
      return port === undefined || room === undefined ? null : new Link(outlet(port), bytes, counters, room);
    });
    this.#sockets = new Map(task.ports.filter(({ kind }) => kind === "udp").map((port) => [port.address, outlet(port)]));
  }

  enter(epoch: Epoch): void { this.#epoch = epoch; }

  get isWaiting(): boolean { return this.#links.some((link) => link?.isWaiting === true); }

  takeArp(port: Port, frame: number, length: number, now: number): void { this.#links[port.side]?.takeArp(frame, length, now, this.#epoch.around); }

  takeDiscovery(port: Port, frame: number, length: number, now: number): void { this.#links[port.side]?.takeDiscovery(frame, length, now, this.#epoch.around); }

  /** Learns from a frame of ARP or neighbour discovery that came in by a side, and that somebody else answers. */
  hear(side: number, frame: number, length: number, now: number): void {
    const link = this.#links[side], { around } = this.#epoch;
    if (isIpv6(this.#bytes, frame)) link?.hearDiscovery(frame, length, now, around);
    else link?.hearArp(frame, length, now, around);
  }

  /** Puts each packet of the batch that left the simulated nodes onto its wire. */
  emit(first: number, count: number, overlayBlock: number, now: number): void {
    const words = this.#words;
    let overlay = overlayBlock;
    for (let d = first; d < first + count * B_SIZE; d += B_SIZE) {
      const exit = words[(d + B_EXIT) >> 2], frame = words[(d + B_FRAME) >> 2] as number, length = words[(d + B_LEN) >> 2] as number;
      const wrote = words[((d + B_WROTE) >> 2) + STREAM_OVERLAY] as number;
      if (exit === EXIT_POD) this.#send(SIDE_PODS, this.#destination(frame), frame, length, now);
      else if (exit === EXIT_DEVICE) this.#send(SIDE_OUTSIDE, this.#nextHop(d, frame), frame, length, now);
      else if (exit === EXIT_TUNNEL && wrote > 0) this.#tunnel(this.#lastRecord(overlay, wrote), now);
      overlay += wrote;
    }
  }

  /** A packet may have crossed tunnels between simulated nodes before it left: its last record counts. */
  #lastRecord(block: number, wrote: number): number {
    let at = block;
    for (;;) {
      const next = at + RECORD_HEADER + this.#view32(at + 8);
      if (next >= block + wrote) return at;
      at = next;
    }
  }

  #destination(frame: number): NeighbourAddress {
    const bytes = this.#bytes, ip = frame + ETH_HEADER;
    return isIpv6(bytes, frame) ? neighbour6(bytes, ip + IPV6.destination) : neighbour4(wordAt(bytes, ip + IPV4.destination));
  }

  /** The neighbour that a frame leaves to; null for a simulated node, or who sent what is answered. In IPv4 the kernel's MAC for any
   * other is 02:fe and its address, in IPv6 the descriptor has the address. */
  #nextHop(descriptor: number, frame: number): NeighbourAddress | null {
    const bytes = this.#bytes;
    if (!isIpv6(bytes, frame)) return bytes[frame] === 0x02 && bytes[frame + 1] === 0xfe ? neighbour4(wordAt(bytes, frame + 2)) : null;
    const hop = neighbour6(bytes, descriptor + B_NEXTHOP6);
    return (hop.a | hop.b | hop.c | hop.d) === 0 ? null : hop;
  }

  #send(side: number, neighbour: NeighbourAddress | null, frame: number, length: number, now: number): void {
    const link = this.#links[side];
    if (link === null || link === undefined) loseFrame(this.#counters);
    else link.send(neighbour, frame, length, now);
  }

  /** An overlay record: the whole outer frame behind the record's header. */
  #tunnel(record: number, now: number): void {
    const frame = record + RECORD_HEADER, ip = frame + ETH_HEADER, length = this.#view32(record + 8);
    const source = wordAt(this.#bytes, ip + IPV4.source), destination = wordAt(this.#bytes, ip + IPV4.destination), { emission } = this.#task;
    if (emission === "tap") {
      const side = this.#links[SIDE_TUNNEL] === null ? SIDE_OUTSIDE : SIDE_TUNNEL;
      this.#send(side, neighbour4(nextHopOf(this.#epoch.nextHops, source, destination)), frame, length, now);
    } else if (emission === "raw") {
      this.#raw.push(ip, length - ETH_HEADER);
    } else {
      const socket = this.#sockets.get(source);
      if (socket === undefined) loseFrame(this.#counters);
      else socket.put(ip + OUTER_HEADERS, length - ETH_HEADER - OUTER_HEADERS, destination, this.#epoch.tunnelPort);
    }
  }

  /** Records lie at any byte. */
  #view32(at: number): number { return wordAt(this.#bytes, at); }

  /** Asks for the neighbours that frames wait for. */
  ask(now: number): void {
    for (const link of this.#links) link?.ask(now, this.#epoch.around);
  }

  flush(): void {
    for (const link of this.#links) link?.flush();
    for (const socket of this.#sockets.values()) socket.flush();
    if (this.#raw.length > 0) this.#sendRaw();
  }

  /** raw-socket works on the main thread only: the packets go there, each behind its length. */
  #sendRaw(): void {
    const size = this.#raw.reduce((sum, value, k) => sum + (k % 2 === 1 ? value + 4 : 0), 0), packets = new Uint8Array(size), view = new DataView(packets.buffer);
    let at = 0;
    for (let k = 0; k < this.#raw.length; k += 2) {
      const ip = this.#raw[k] as number, length = this.#raw[k + 1] as number;
      view.setUint32(at, length, true);
      packets.set(this.#bytes.subarray(ip, ip + length), at + 4);
      at += 4 + length;
    }
    this.#raw = [];
    this.#task.port.postMessage({ kind: "raw", packets }, [packets.buffer]);
  }
}

/** Where a tunnel packet of a node goes next; wire words. */
function nextHopOf(hops: readonly NextHop[], source: number, destination: number): number {
  const node = addressOf(source), to = addressOf(destination);
  const found = hops.find((hop) => hop.node === node && ((to & hop.mask) >>> 0) === hop.network);
  return found === undefined || found.via === 0 ? destination : wireWord(found.via);
}
