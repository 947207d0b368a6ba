// Where a packet of the capture enters the cluster, and which shard it belongs to. Looks at addresses only, so that both
// directions of a flow, its fragments and all flows that could collide on a SNAT port meet in one shard; in the place of a
// service's address stands that of the backend which the kernel will draw (service-book.ts).
import type { IgnoredReason } from "../observe/run-result.ts";
import { ENTRY_HOST, ENTRY_NETDEV, ENTRY_OVERLAY, ENTRY_POD, ENTRY_REPLY } from "../kernel/pipeline/layout-batch.ts";
import type { AddressBook } from "./address-book.ts";
import { ADDRESS_FURTHER, ADDRESS_NODE, ADDRESS_POD } from "./image/cluster-image.ts";
import { hashWord } from "./image/static-hash.ts";
import type { ServiceBook } from "./service-book.ts";
import { SHARD_COUNT } from "./memory-plan.ts";

const IP_HEADER = 20, UDP_HEADER = 8, TUNNEL_HEADER = 8, ETH_HEADER = 14;
const ICMP = 1, TCP = 6, UDP = 17;

/** What steer() finds; one object serves for any number of calls. */
export class Steering {
  entry = 0;
  node = 0;
  shard = 0;
  /** ENTRY_OVERLAY: VNI, outer source, and where the inner frame begins, from the start of the outer IPv4 header. */
  vni = 0;
  remote = 0;
  innerOffset = 0;
  readonly #book: AddressBook;
  readonly #tunnelPort: number;
  readonly #services: ServiceBook | null;

  /** `services`: null where no service is translated packet by packet. */
  constructor(book: AddressBook, tunnelPort: number, services: ServiceBook | null = null) {
    this.#book = book;
    this.#tunnelPort = tunnelPort;
    this.#services = services === null || services.isEmpty ? null : services;
  }

  /** Steers the IPv4 packet at bytes[ip] of `length` captured and `wireLength` real bytes. `atPods`: the capture was taken
   * at the pods. Returns null, or why the packet enters nowhere. */
  steer(bytes: Uint8Array, ip: number, length: number, wireLength: number, atPods: boolean): IgnoredReason | null {
    this.innerOffset = 0;
    if (length < IP_HEADER) return "too-short";
    if ((at(bytes, ip) >> 4) !== 4) return "not-ip";
    if (length < wireLength && length < neededBytes(bytes, ip)) return "too-short";
    const source = word(bytes, ip + 12), destination = word(bytes, ip + 16);
    const from = this.#book.find(source), to = this.#book.find(destination);
    if (from < 0 && to < 0) return "not-of-the-model";
    const fromPod = from >= 0 && this.#book.kindOf(from) === ADDRESS_POD;
    const toPod = to >= 0 && this.#book.kindOf(to) === ADDRESS_POD;
    if (fromPod) {
      this.entry = ENTRY_POD;
      this.node = this.#book.nodeOf(from);
    } else if (atPods) {
      if (!toPod) return "not-of-the-model";
      this.entry = ENTRY_REPLY;
      this.node = this.#book.nodeOf(to);
    } else if (to >= 0 && this.#enterTunnel(bytes, ip, length)) {
      return this.#steerInner(bytes, ip, length, to);
    } else if (from >= 0) {
      // A node's further addresses are what SNAT gives: such a packet has been through the datapath already.
      if (this.#book.kindOf(from) !== ADDRESS_NODE) return "not-of-the-model";
      this.entry = ENTRY_HOST;
      this.node = this.#book.nodeOf(from);
    } else {
      this.entry = ENTRY_NETDEV;
      this.node = this.#book.nodeOf(to);
    }
    this.shard = this.#shardOf(bytes, ip, length, from, to, source, destination);
    return null;
  }

  /** Is it tunnel traffic (VXLAN, RFC 7348 section 5; Geneve without regard to options, RFC 8926 section 3.4)? */
  #enterTunnel(bytes: Uint8Array, ip: number, length: number): boolean {
    const header = (at(bytes, ip) & 0x0f) * 4;
    if (at(bytes, ip + 9) !== UDP || header < IP_HEADER || length < header + UDP_HEADER + TUNNEL_HEADER + ETH_HEADER + IP_HEADER) return false;
    if ((at(bytes, ip + 6) & 0x1f) !== 0 || at(bytes, ip + 7) !== 0) return false;
    if (at(bytes, ip + header + 2) * 256 + at(bytes, ip + header + 3) !== this.#tunnelPort) return false;
    const tunnel = ip + header + UDP_HEADER;
    this.vni = at(bytes, tunnel + 4) * 65_536 + at(bytes, tunnel + 5) * 256 + at(bytes, tunnel + 6);
    this.innerOffset = header + UDP_HEADER + TUNNEL_HEADER;
    return true;
  }

  #steerInner(bytes: Uint8Array, ip: number, length: number, to: number): IgnoredReason | null {
    const inner = ip + this.innerOffset + ETH_HEADER, left = length - this.innerOffset - ETH_HEADER;
    if (at(bytes, inner - 2) !== 0x08 || at(bytes, inner - 1) !== 0) return "not-ip";
    this.entry = ENTRY_OVERLAY;
    this.node = this.#book.nodeOf(to);
    this.remote = word(bytes, ip + 12);
    const source = word(bytes, inner + 12), destination = word(bytes, inner + 16);
    this.shard = this.#shardOf(bytes, inner, left, this.#book.find(source), this.#book.find(destination), source, destination);
    return null;
  }

  #shardOf(bytes: Uint8Array, ip: number, length: number, from: number, to: number, source: number, destination: number): number {
    const quoted = this.#quotedRemote(bytes, ip, length);
    if (quoted !== null) return hashWord(quoted) & (SHARD_COUNT - 1);
    if (this.#services !== null && (from < 0) !== (to < 0)) {
      const backend = this.#backend(this.#services, bytes, ip, length, source, destination, from >= 0);
      if (backend !== null) return this.#shardOfEnd(backend, this.#book.nodeOf(from >= 0 ? from : to));
    }
    if (this.#isOutside(from)) return hashWord(source) & (SHARD_COUNT - 1);
    if (this.#isOutside(to)) return hashWord(destination) & (SHARD_COUNT - 1);
    const a = this.#book.nodeOf(from), b = this.#book.nodeOf(to);
    return hashWord(Math.min(a, b) * 65_536 + Math.max(a, b)) & (SHARD_COUNT - 1);
  }

  /** The backend that a pod and a service have between them; the pod itself behind the service loopback. Null for other pairs. */
  #backend(services: ServiceBook, bytes: Uint8Array, ip: number, length: number, source: number, destination: number, toService: boolean): number | null {
    const client = toService ? source : destination, service = toService ? destination : source;
    return services.isLoopback(service) ? client : services.backendOf(bytes, ip, length, client, service, toService);
  }

  /** Shard of what a pod of `node` and the address have between them. */
  #shardOfEnd(address: number, node: number): number {
    const end = this.#book.find(address);
    if (this.#isOutside(end)) return hashWord(address) & (SHARD_COUNT - 1);
    const other = this.#book.nodeOf(end);
    return hashWord(Math.min(node, other) * 65_536 + Math.max(node, other)) & (SHARD_COUNT - 1);
  }

  /** None of the cluster's, or a node's further address, which every other node's ipcache takes for the world: pods of many
   * nodes reach it by one egress IP. */
  #isOutside(handle: number): boolean {
    return handle < 0 || this.#book.kindOf(handle) === ADDRESS_FURTHER;
  }

  /** The end outside the cluster of the flow that an ICMP error quotes; null for anything else. */
  #quotedRemote(bytes: Uint8Array, ip: number, length: number): number | null {
    if (at(bytes, ip + 9) !== ICMP) return null;
    const header = (at(bytes, ip) & 0x0f) * 4;
    if (length < header + 8 + IP_HEADER || (at(bytes, ip + 6) & 0x1f) !== 0 || at(bytes, ip + 7) !== 0) return null;
    const type = at(bytes, ip + header);
    if (type !== 3 && type !== 11 && type !== 12) return null;
    const source = word(bytes, ip + header + 8 + 12), destination = word(bytes, ip + header + 8 + 16);
    const from = this.#book.find(source), to = this.#book.find(destination);
    if (from < 0) return source;
    // A translated packet comes from an egress IP, itself a further address: the other end decides.
    if (this.#isOutside(to)) return destination;
    return this.#isOutside(from) ? source : null;
  }
}

/** Captured bytes below which a cut packet cannot be judged by its headers: up to the TCP checksum, an ICMP error's
 * quoted ports, eight bytes of anything else. */
function neededBytes(bytes: Uint8Array, ip: number): number {
  const header = (at(bytes, ip) & 0x0f) * 4, protocol = at(bytes, ip + 9);
  return header + (protocol === TCP ? 18 : protocol === ICMP ? 8 + IP_HEADER + 8 : 8);
}

function at(bytes: Uint8Array, offset: number): number {
  return bytes[offset] as number;
}

function word(bytes: Uint8Array, offset: number): number {
  return at(bytes, offset) | (at(bytes, offset + 1) << 8) | (at(bytes, offset + 2) << 16) | (at(bytes, offset + 3) << 24);
}
