// Where a packet of the capture enters the cluster, and which shard it belongs to. Looks at addresses only, so that both
// directions of a flow, its fragments and all flows that could collide on a SNAT port meet in one shard; in the place of a
// service's address stands that of the backend which the kernel will draw (service-book.ts).
import type { IgnoredReason } from "../observe/run-result.ts";
import { ENTRY_HOST, ENTRY_NETDEV, ENTRY_OVERLAY, ENTRY_POD, ENTRY_REPLY } from "../kernel/pipeline/layout-batch.ts";
import { type AddressBook, wordAt } from "./address-book.ts";
import { ADDRESS_FURTHER, ADDRESS_NODE, ADDRESS_POD } from "./image/cluster-addresses.ts";
import { hashWord } from "./image/static-hash.ts";
import { type IpFamily, IPV4, IPV6, neededBytes, quotedHeader } from "./ip-header.ts";
import type { ServiceBook } from "./service-book.ts";
import { SHARD_COUNT } from "./memory-plan.ts";

const UDP_HEADER = 8, TUNNEL_HEADER = 8, ETH_HEADER = 14, UDP = 17;
const SHARD_MASK = SHARD_COUNT - 1;

/** What steer() finds; one object serves for any number of calls. */
export class Steering {
  entry = 0;
  node = 0;
  shard = 0;
  /** ENTRY_OVERLAY: VNI, outer source, and where the inner frame begins, from the start of the outer IPv4 header. */
  vni = 0;
  remote = 0;
  innerOffset = 0;
  readonly #book4: AddressBook;
  readonly #book6: AddressBook;
  readonly #tunnelPort: number;
  readonly #services: ServiceBook | null;

  /** `book6` is empty where the installation has no IPv6; `services` is null where no service is translated packet by packet. */
  constructor(book4: AddressBook, book6: AddressBook, tunnelPort: number, services: ServiceBook | null = null) {
    this.#book4 = book4;
    this.#book6 = book6;
    this.#tunnelPort = tunnelPort;
    this.#services = services === null || services.isEmpty ? null : services;
  }

  /** Steers the packet of `family` at bytes[ip] of `length` captured and `wireLength` real bytes. `atPods`: the capture was
   * taken at the pods. Returns null, or why the packet enters nowhere. */
  steer(family: IpFamily, bytes: Uint8Array, ip: number, length: number, wireLength: number, atPods: boolean): IgnoredReason | null {
    this.innerOffset = 0;
    if (length < family.header) return "too-short";
    if (at(bytes, ip) >> 4 !== family.version) return "not-ip";
    if (length < wireLength && length < neededBytes(family, bytes, ip, length)) return "too-short";
    const book = this.#bookOf(family), from = book.find(bytes, ip + family.source), to = book.find(bytes, ip + family.destination);
    if (from < 0 && to < 0) return "not-of-the-model";
    const fromPod = from >= 0 && book.kindOf(from) === ADDRESS_POD;
    const toPod = to >= 0 && book.kindOf(to) === ADDRESS_POD;
    if (fromPod) {
      this.entry = ENTRY_POD;
      this.node = book.nodeOf(from);
    } else if (atPods) {
      if (!toPod) return "not-of-the-model";
      this.entry = ENTRY_REPLY;
      this.node = book.nodeOf(to);
    } else if (to >= 0 && family === IPV4 && this.#enterTunnel(bytes, ip, length)) {
      return this.#steerInner(bytes, ip, length, book.nodeOf(to));
    } else if (from >= 0) {
      // A node's further addresses are what SNAT gives: such a packet has been through the datapath already.
      if (book.kindOf(from) !== ADDRESS_NODE) return "not-of-the-model";
      this.entry = ENTRY_HOST;
      this.node = book.nodeOf(from);
    } else {
      this.entry = ENTRY_NETDEV;
      this.node = book.nodeOf(to);
    }
    this.shard = this.#shardOf(family, bytes, ip, length, from, to);
    return null;
  }

  /** Has the packet at bytes[ip], which is not addressed to anybody of the cluster, enter at the device of the node that has the
   * address at bytes[wanted]; false where none has. */
  enterFor(family: IpFamily, bytes: Uint8Array, ip: number, wanted: number): boolean {
    const book = this.#bookOf(family), found = book.find(bytes, wanted);
    if (found < 0) return false;
    this.entry = ENTRY_NETDEV;
    this.node = book.nodeOf(found);
    this.shard = book.hash(bytes, ip + family.source) & SHARD_MASK;
    return true;
  }

  #bookOf(family: IpFamily): AddressBook {
    return family === IPV6 ? this.#book6 : this.#book4;
  }

  /** Is it tunnel traffic (VXLAN, RFC 7348 section 5; Geneve without regard to options, RFC 8926 section 3.4)? */
  #enterTunnel(bytes: Uint8Array, ip: number, length: number): boolean {
    const header = (at(bytes, ip) & 0x0f) * 4;
    if (at(bytes, ip + 9) !== UDP || header < IPV4.header || length < header + UDP_HEADER + TUNNEL_HEADER + ETH_HEADER + IPV4.header) return false;
    if ((at(bytes, ip + 6) & 0x1f) !== 0 || at(bytes, ip + 7) !== 0) return false;
    if (at(bytes, ip + header + 2) * 256 + at(bytes, ip + header + 3) !== this.#tunnelPort) return false;
    const tunnel = ip + header + UDP_HEADER;
    this.vni = at(bytes, tunnel + 4) * 65_536 + at(bytes, tunnel + 5) * 256 + at(bytes, tunnel + 6);
    this.innerOffset = header + UDP_HEADER + TUNNEL_HEADER;
    return true;
  }

  #steerInner(bytes: Uint8Array, ip: number, length: number, node: number): IgnoredReason | null {
    const inner = ip + this.innerOffset + ETH_HEADER, left = length - this.innerOffset - ETH_HEADER;
    const type = at(bytes, inner - 2) * 256 + at(bytes, inner - 1), family = type === IPV6.etherType ? IPV6 : IPV4;
    if (type !== family.etherType) return "not-ip";
    if (left < family.header) return "too-short";
    this.entry = ENTRY_OVERLAY;
    this.node = node;
    this.remote = wordAt(bytes, ip + IPV4.source);
    const book = this.#bookOf(family);
    this.shard = this.#shardOf(family, bytes, inner, left, book.find(bytes, inner + family.source), book.find(bytes, inner + family.destination));
    return null;
  }

  #shardOf(family: IpFamily, bytes: Uint8Array, ip: number, length: number, from: number, to: number): number {
    const book = this.#bookOf(family), quoted = this.#quotedRemote(family, bytes, ip, length);
    if (quoted >= 0) return book.hash(bytes, quoted) & SHARD_MASK;
    if (this.#services !== null && (from < 0) !== (to < 0)) {
      const shard = this.#shardOfService(this.#services, family, bytes, ip, length, from >= 0, book.nodeOf(from >= 0 ? from : to));
      if (shard >= 0) return shard;
    }
    if (isOutside(book, from)) return book.hash(bytes, ip + family.source) & SHARD_MASK;
    if (isOutside(book, to)) return book.hash(bytes, ip + family.destination) & SHARD_MASK;
    return shardOfNodes(book.nodeOf(from), book.nodeOf(to));
  }

  /** Shard of what a pod of `node` and a service have between them: that of pod and backend, or of the pod and itself behind the
   * service loopback. -1 for other pairs. */
  #shardOfService(services: ServiceBook, family: IpFamily, bytes: Uint8Array, ip: number, length: number, toService: boolean, node: number): number {
    const source = ip + family.source, destination = ip + family.destination;
    if (services.isLoopback(family, bytes, toService ? destination : source)) return shardOfNodes(node, node);
    const backend = services.backendOf(family, bytes, ip, length, toService);
    if (backend === null) return -1;
    const book = this.#bookOf(family), end = book.find(backend, 0);
    return isOutside(book, end) ? book.hash(backend, 0) & SHARD_MASK : shardOfNodes(node, book.nodeOf(end));
  }

  /** Where the address of the end outside the cluster lies, of the flow that an ICMP error quotes; -1 for anything else. */
  #quotedRemote(family: IpFamily, bytes: Uint8Array, ip: number, length: number): number {
    const inner = quotedHeader(family, bytes, ip, length);
    if (inner < 0) return -1;
    const book = this.#bookOf(family), source = inner + family.source, destination = inner + family.destination;
    const from = book.find(bytes, source), to = book.find(bytes, destination);
    if (from < 0) return source;
    // A translated packet comes from an egress IP, itself a further address: the other end decides.
    if (isOutside(book, to)) return destination;
    return isOutside(book, from) ? source : -1;
  }
}

/** The shard of whatever two nodes have between them. */
function shardOfNodes(a: number, b: number): number {
  return hashWord(Math.min(a, b) * 65_536 + Math.max(a, b)) & SHARD_MASK;
}

/** None of the cluster's, or a node's further address, which every other node's ipcache takes for the world: pods of many
 * nodes reach it by one egress IP. */
function isOutside(book: AddressBook, handle: number): boolean {
  return handle < 0 || book.kindOf(handle) === ADDRESS_FURTHER;
}

function at(bytes: Uint8Array, offset: number): number {
  return bytes[offset] as number;
}
