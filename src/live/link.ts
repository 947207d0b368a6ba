// A device that frames leave by, and its real neighbours: found by ARP and neighbour discovery, which are answered too.
import { getAddress6 } from "../engine/image/address6.ts";
import { answer, ARP_LENGTH, ask, isArp, senderMac, senderOf } from "./arp.ts";
import { ARP_ANSWERED, ARP_ASKED, DISCOVERY_ANSWERED, DISCOVERY_ASKED, type LiveCounters, LOST_UNRESOLVED } from "./live-counters.ts";
import { isGroup, macAt, putMac } from "./mac.ts";
import { type NeighbourAddress, neighbour4, neighbourOf, putNeighbour6 } from "./neighbour-address.ts";
import { advertise, answerOf, type Message, ND_LENGTH, readMessage, solicit } from "./neighbour-discovery.ts";
import { Neighbours, UNKNOWN, type WaitingRoom } from "./neighbours.ts";
import type { Outlet } from "./outlet.ts";
import { SIDE_PODS } from "./sides.ts";
import type { LinkAddress, Surroundings } from "./surroundings.ts";

export class Link {
  readonly outlet: Outlet;
  readonly #bytes: Uint8Array;
  readonly #counters: LiveCounters;
  readonly #neighbours: Neighbours;
  /** Room for one question. */
  readonly #question: number;

  constructor(outlet: Outlet, bytes: Uint8Array, counters: LiveCounters, room: WaitingRoom) {
    this.outlet = outlet;
    this.#bytes = bytes;
    this.#counters = counters;
    this.#neighbours = new Neighbours(bytes, { ...room, at: room.at + room.stride, count: room.count - 1 });
    this.#question = room.at;
  }

  get isWaiting(): boolean { return this.#neighbours.isWaiting; }

  get #isAtPods(): boolean { return this.outlet.port.side === SIDE_PODS; }

  /** Learns from a frame whose EtherType says ARP; false where it is none. */
  hearArp(frame: number, length: number, now: number, around: Surroundings): boolean {
    const bytes = this.#bytes;
    if (!isArp(bytes, frame, length)) return false;
    const sender = senderOf(bytes, frame);
    this.#learn(sender, neighbour4(sender), senderMac(bytes, frame), true, now, around);
    return true;
  }

  /** The same, and answers it where that is for something here. */
  takeArp(frame: number, length: number, now: number, around: Surroundings): void {
    if (!this.hearArp(frame, length, now, around) || !answer(this.#bytes, frame, this.#isAtPods, around)) return;
    this.#counters.add(ARP_ANSWERED, 1);
    this.outlet.put(frame, ARP_LENGTH);
  }

  /** Learns from a frame of neighbour discovery; null where it is none that may be believed. */
  hearDiscovery(frame: number, length: number, now: number, around: Surroundings): Message | null {
    const message = readMessage(this.#bytes, frame, length);
    if (message === null || message.mac < 0) return message;
    const told = message.isSolicitation ? message.source : message.target;
    this.#learn(told, neighbourOf(told), message.mac, message.overrides, now, around);
    return message;
  }

  /** The same, and answers a question for something here, in the frame's place. */
  takeDiscovery(frame: number, length: number, now: number, around: Surroundings): void {
    const bytes = this.#bytes, message = this.hearDiscovery(frame, length, now, around);
    const answered = message?.isSolicitation === true ? answerOf(message, macAt(bytes, frame), this.#isAtPods, around) : null;
    if (message === null || answered === null) return;
    advertise(bytes, frame, message, answered);
    this.#counters.add(DISCOVERY_ANSWERED, 1);
    this.outlet.put(frame, ND_LENGTH);
  }

  #learn(address: LinkAddress, neighbour: NeighbourAddress, mac: number, overrides: boolean, now: number, around: Surroundings): void {
    // RFC 1812 section 3.3.2: nobody has a group's MAC.
    if (isGroup(mac)) return;
    const peer = this.#isAtPods ? around.podPeers.get(address) : undefined;
    if (peer !== undefined) this.#neighbours.introduce(neighbour, mac, now, peer);
    this.#neighbours.learn(neighbour, mac, overrides, now, (waiting, length) => this.#address(waiting, length, mac));
  }

  /** Sends a frame to a neighbour, when its MAC is known; null: the frame bears the right one already. */
  send(neighbour: NeighbourAddress | null, frame: number, length: number, now: number): void {
    if (neighbour === null) return this.outlet.put(frame, length);
    const mac = this.#neighbours.resolve(neighbour, now);
    if (mac === UNKNOWN) this.#neighbours.wait(neighbour, frame, length, macAt(this.#bytes, frame + 6), now);
    else this.#address(frame, length, mac);
  }

  #address(frame: number, length: number, mac: number): void {
    putMac(this.#bytes, frame, mac);
    this.outlet.put(frame, length);
  }

  /** Writes all that was sent. */
  flush(): void {
    this.outlet.flush();
    this.#neighbours.written();
  }

  /** Asks for the neighbours that frames wait for. */
  ask(now: number, around: Surroundings): void {
    if (!this.isWaiting) return;
    this.#neighbours.ask(now, (address, askFrom) => {
      this.#putQuestion(address, askFrom, around);
      this.outlet.flush();
    });
    this.#counters.add(LOST_UNRESOLVED, this.#neighbours.takeUnresolved());
  }

  #putQuestion(address: NeighbourAddress, askFrom: number, around: Surroundings): void {
    const bytes = this.#bytes, at = this.#question;
    if (address.family === 4) {
      ask(bytes, at, askFrom, around.askFrom.get(askFrom) ?? 0, address.d);
      this.#counters.add(ARP_ASKED, 1);
      return this.outlet.put(at, ARP_LENGTH);
    }
    solicit(bytes, at, askFrom, around.askFrom6.get(askFrom) ?? 0n, targetOf(address));
    this.#counters.add(DISCOVERY_ASKED, 1);
    this.outlet.put(at, ND_LENGTH);
  }
}

function targetOf(address: NeighbourAddress): bigint {
  const bytes = new Uint8Array(16);
  putNeighbour6(bytes, 0, address);
  return getAddress6(new DataView(bytes.buffer), 0);
}
