// Where a live frame enters the cluster: decided by the device it came from, then by its addresses as in a replay.
import { ENTRY_HOST, ENTRY_NETDEV, ENTRY_OVERLAY, ENTRY_POD } from "../kernel/pipeline/layout-batch.ts";
import type { AddressBook } from "../engine/address-book.ts";
import { type IpFamily, IPV6 } from "../engine/ip-header.ts";
import type { Steering } from "../engine/steer.ts";
import type { IgnoredReason } from "../observe/run-result.ts";
import { ND_TARGET } from "../kernel/wire/icmp6.ts";
import { SIDE_PODS, SIDE_TUNNEL } from "./sides.ts";

export const ETH_HEADER = 14;
const IP_HEADER = 20, UDP_HEADER = 8, UDP = 17;
/** IPv4 and UDP, which a socket takes off. */
export const OUTER_HEADERS = IP_HEADER + UDP_HEADER;

export class Entrance {
  readonly #steering: Steering;
  /** By family. */
  readonly #books: Readonly<Record<IpFamily["version"], AddressBook>>;
  readonly #here: ReadonlySet<number>;
  readonly #tunnelPort: number;

  constructor(steering: Steering, books: Readonly<Record<IpFamily["version"], AddressBook>>, here: ReadonlySet<number>, tunnelPort: number) {
    this.#steering = steering;
    this.#books = books;
    this.#here = here;
    this.#tunnelPort = tunnelPort;
  }

  /** Steers the packet at bytes[ip] that came in on `side`. A pod's address counts at the pods' devices only, a node's at the
   * nodes', whatever the packet says. */
  steer(family: IpFamily, bytes: Uint8Array, ip: number, length: number, side: number): IgnoredReason | null {
    const steering = this.#steering;
    const reason = steering.steer(family, bytes, ip, length, length, false);
    if (reason !== null) return reason;
    if (side === SIDE_TUNNEL && steering.entry !== ENTRY_OVERLAY) return "too-short";
    if ((side === SIDE_PODS) !== (steering.entry === ENTRY_POD)) return "not-of-the-model";
    if (steering.entry === ENTRY_HOST) {
      // From a node that is elsewhere.
      const book = this.#books[family.version], to = book.find(bytes, ip + family.destination);
      if (to < 0) return "not-of-the-model";
      steering.entry = ENTRY_NETDEV;
      steering.node = book.nodeOf(to);
    }
    return this.#here.has(steering.node) ? null : "not-of-the-model";
  }

  /** Steers a neighbour solicitation from outside, sent to a group: whose address it asks for decides. */
  steerSolicitation(bytes: Uint8Array, ip: number): IgnoredReason | null {
    return this.#steering.enterFor(IPV6, bytes, ip, ip + IPV6.header + ND_TARGET) && this.#here.has(this.#steering.node) ? null : "not-of-the-model";
  }

  /** Puts the headers that a socket took off in front of the datagram at bytes[at], for steering and for the tunnel's source.
   * Returns where they begin. Addresses are wire words. */
  wrap(bytes: Uint8Array, at: number, length: number, from: number, to: number): number {
    const ip = at - OUTER_HEADERS, total = OUTER_HEADERS + length;
    // fill() is a call out of compiled code, and of 28 bytes 1.5 % of a live run.
    for (let k = ip; k < at; k++) bytes[k] = 0;
    bytes[ip] = 0x45;
    bytes[ip + 2] = total >>> 8;
    bytes[ip + 3] = total & 0xff;
    bytes[ip + 9] = UDP;
    for (let k = 0; k < 4; k++) {
      bytes[ip + 12 + k] = (from >>> (8 * k)) & 0xff;
      bytes[ip + 16 + k] = (to >>> (8 * k)) & 0xff;
    }
    bytes[ip + IP_HEADER + 2] = this.#tunnelPort >>> 8;
    bytes[ip + IP_HEADER + 3] = this.#tunnelPort & 0xff;
    return ip;
  }
}
