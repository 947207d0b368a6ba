// The real wires around the simulated nodes, as one worker uses them: frames that left go to the device of their side, with the
// MAC of the real neighbour; ARP is answered and asked.
import {
  B_EXIT, B_FRAME, B_LEN, B_SIZE, B_WROTE, EXIT_DEVICE, EXIT_POD, EXIT_TUNNEL, STREAM_OVERLAY,
} from "../kernel/pipeline/layout-batch.ts";
import { addressOf, wireWord } from "../engine/image/arena.ts";
import { answer, ARP_LENGTH, ask, isArp, senderMac, senderOf, wordAt } from "./arp.ts";
import { ETH_HEADER, OUTER_HEADERS } from "./entrance.ts";
import { ARP_ANSWERED, ARP_ASKED, type LiveCounters, LOST_UNRESOLVED } from "./live-counters.ts";
import type { Epoch, LiveTask, NextHop } from "./live-protocol.ts";
import { macAt, putMac } from "./mac.ts";
import type { Native } from "./native.ts";
import { Neighbours, UNKNOWN } from "./neighbours.ts";
import { loseFrame, Outlet } from "./outlet.ts";
import { type Port, SIDE_OUTSIDE, SIDE_PODS, SIDE_TUNNEL } from "./sides.ts";

const RECORD_HEADER = 16, IP_SRC = 12, IP_DST = 16;
/** Frames listed before they are written in any case. */
const LIST_ROOM = 512;

interface Side {
  readonly outlet: Outlet;
  readonly neighbours: Neighbours;
  /** Room for one question. */
  readonly question: number;
}

export class Wires {
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #counters: LiveCounters;
  readonly #task: LiveTask;
  /** By side; null where there is no device. */
  readonly #sides: readonly (Side | null)[];
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
    this.#sides = [SIDE_PODS, SIDE_OUTSIDE, SIDE_TUNNEL].map((side) => {
      const port = task.ports.find((each) => each.side === side && each.kind !== "udp"), room = task.waiting[side];
      if (port === undefined || room === undefined) return null;
      const neighbours = new Neighbours(bytes, { ...room, at: room.at + room.stride, count: room.count - 1 });
      return { outlet: outlet(port), neighbours, question: room.at };
    });
    this.#sockets = new Map(task.ports.filter(({ kind }) => kind === "udp").map((port) => [port.address, outlet(port)]));
  }

  enter(epoch: Epoch): void { this.#epoch = epoch; }

  get isWaiting(): boolean { return this.#sides.some((side) => side?.neighbours.isWaiting === true); }

  /** Learns from a frame of another worker's queue, which that worker answers. */
  hear(number: number, frame: number, length: number, now: number): void {
    const side = this.#sides[number], bytes = this.#bytes, { around } = this.#epoch;
    if (side === null || side === undefined || !isArp(bytes, frame, length)) return;
    const sender = senderOf(bytes, frame), mac = senderMac(bytes, frame);
    if (number === SIDE_PODS && around.podPeers.has(sender)) side.neighbours.introduce(sender, mac, now, around.podPeers.get(sender) ?? 0);
    side.neighbours.learn(sender, mac, now, (waiting, waitingLength) => this.#address(side, waiting, waitingLength, mac));
  }

  takeArp(port: Port, frame: number, length: number, now: number): void {
    const side = this.#sides[port.side], bytes = this.#bytes, { around } = this.#epoch;
    if (side === null || side === undefined || !isArp(bytes, frame, length)) return;
    this.hear(port.side, frame, length, now);
    if (answer(bytes, frame, port.side, around)) {
      this.#counters.add(ARP_ANSWERED, 1);
      side.outlet.put(frame, ARP_LENGTH);
    }
  }

  /** Puts each packet of the batch that left the simulated nodes onto its wire. */
  emit(first: number, count: number, overlayBlock: number, now: number): void {
    const words = this.#words;
    let overlay = overlayBlock;
    for (let d = first; d < first + count * B_SIZE; d += B_SIZE) {
      const exit = words[(d + B_EXIT) >> 2], frame = words[(d + B_FRAME) >> 2] as number, length = words[(d + B_LEN) >> 2] as number;
      const wrote = words[((d + B_WROTE) >> 2) + STREAM_OVERLAY] as number;
      if (exit === EXIT_POD) this.#send(SIDE_PODS, wordAt(this.#bytes, frame + ETH_HEADER + IP_DST), frame, length, now);
      else if (exit === EXIT_DEVICE) this.#send(SIDE_OUTSIDE, this.#nextHop(frame), frame, length, now);
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

  /** The kernel's MAC for a next hop that is none of the simulated nodes is 02:fe and its address. */
  #nextHop(frame: number): number {
    return this.#bytes[frame] === 0x02 && this.#bytes[frame + 1] === 0xfe ? wordAt(this.#bytes, frame + 2) : 0;
  }

  #send(number: number, neighbour: number, frame: number, length: number, now: number): void {
    const side = this.#sides[number];
    if (side === null || side === undefined) return loseFrame(this.#counters);
    if (neighbour === 0) return side.outlet.put(frame, length);
    const mac = side.neighbours.resolve(neighbour, now);
    if (mac === UNKNOWN) side.neighbours.wait(neighbour, frame, length, macAt(this.#bytes, frame + 6), now);
    else this.#address(side, frame, length, mac);
  }

  #address(side: Side, frame: number, length: number, mac: number): void {
    putMac(this.#bytes, frame, mac);
    side.outlet.put(frame, length);
  }

  /** An overlay record: the whole outer frame behind the record's header. */
  #tunnel(record: number, now: number): void {
    const frame = record + RECORD_HEADER, ip = frame + ETH_HEADER, length = this.#view32(record + 8);
    const source = wordAt(this.#bytes, ip + IP_SRC), destination = wordAt(this.#bytes, ip + IP_DST), { emission } = this.#task;
    if (emission === "tap") {
      const side = this.#sides[SIDE_TUNNEL] === null ? SIDE_OUTSIDE : SIDE_TUNNEL;
      this.#send(side, nextHopOf(this.#epoch.nextHops, source, destination), frame, length, now);
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
    for (const side of this.#sides) {
      if (side === null || !side.neighbours.isWaiting) continue;
      side.neighbours.ask(now, (address, askFrom) => {
        ask(this.#bytes, side.question, askFrom, this.#epoch.around.askFrom.get(askFrom) ?? 0, address);
        side.outlet.put(side.question, ARP_LENGTH);
        side.outlet.flush();
        this.#counters.add(ARP_ASKED, 1);
      });
      this.#counters.add(LOST_UNRESOLVED, side.neighbours.takeUnresolved());
    }
  }

  flush(): void {
    for (const side of this.#sides) side?.outlet.flush();
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
