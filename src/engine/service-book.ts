// Which backend a packet to or from a service belongs to, for steering: the same draw as the kernel's, so that the shard that
// gets the request also gets the backend's answers.
import type { DatapathTables, NodeTable } from "../control/tables.ts";
import { drawBackend } from "../kernel/datapath/backend-draw.ts";
import { wirePort, wireWord } from "./image/arena.ts";
import { translatesPackets } from "./image/cluster-services.ts";

interface Frontend {
  /** Wire words. */
  readonly backends: Int32Array;
  readonly affinity: boolean;
}

const MORE_OR_OFFSET = 0x3fff, OFFSET = 0x1fff;
/** Datagrams whose first fragment is remembered, as many as a node's fragment map holds (bpf-fragments-map-max). */
const REMEMBERED_FRAGMENTS = 8192;

/** What steering needs of the tables. */
export interface SteeredServices extends Pick<DatapathTables, "services"> {
  readonly nodes: readonly Pick<NodeTable, "serviceLoopback4">[];
}

export class ServiceBook {
  /** No service is translated here: nothing ever has to be looked up. */
  readonly isEmpty: boolean;
  readonly #ports = new Map<number, Map<number, Frontend>>();
  readonly #loopbacks: ReadonlySet<number>;
  readonly #seed: number;
  /** Ports word by source, destination, identification and protocol, oldest first. */
  readonly #fragments = new Map<string, number>();

  constructor({ services, nodes }: SteeredServices, seed: number) {
    this.#seed = seed;
    this.isEmpty = !translatesPackets(services) || services.ipv4.entries.length === 0;
    this.#loopbacks = new Set(this.isEmpty ? [] : nodes.map(({ serviceLoopback4 }) => wireWord(serviceLoopback4)));
    if (this.isEmpty) return;
    const addresses = new Map(services.ipv4.backends.map(({ id, address }) => [id, wireWord(address)]));
    for (const { address, port, protocol, slots, affinitySeconds } of services.ipv4.entries) {
      const ports = this.#ports.get(wireWord(address)) ?? new Map<number, Frontend>();
      ports.set(wirePort(port) | (protocol << 16), { backends: Int32Array.from(slots, (id) => addresses.get(id) ?? 0), affinity: affinitySeconds > 0 });
      this.#ports.set(wireWord(address), ports);
    }
  }

  /** Is this the address that a pod sees which reaches itself by a service? */
  isLoopback(address: number): boolean {
    return this.#loopbacks.has(address);
  }

  /** Address of the backend that the IPv4 packet at bytes[ip], of `length` captured bytes, is for (`toService`) or from; null for
   * packets that are translated by no service. All addresses are wire words. */
  backendOf(bytes: Uint8Array, ip: number, length: number, client: number, service: number, toService: boolean): number | null {
    const ports = this.#ports.get(service);
    if (ports === undefined) return null;
    const word = this.#portsOf(bytes, ip, length);
    if (word === null) return null;
    const asked = toService ? word : (word << 16) | (word >>> 16), protocol = bytes[ip + 9] ?? 0;
    const frontend = ports.get((asked >>> 16) | (protocol << 16));
    if (frontend === undefined || frontend.backends.length === 0) return null;
    return frontend.backends[drawBackend(this.#seed, client, service, asked, protocol, frontend.affinity, frontend.backends.length)] ?? null;
  }

  /** The first four bytes of the upper layer as one word; of a later fragment, those of the first one. */
  #portsOf(bytes: Uint8Array, ip: number, length: number): number | null {
    const header = ((bytes[ip] ?? 0) & 0x0f) * 4, fragment = (bytes[ip + 6] ?? 0) * 256 + (bytes[ip + 7] ?? 0), at = ip + header;
    const name = (fragment & MORE_OR_OFFSET) === 0 ? null : fragmentName(bytes, ip);
    if (name !== null && (fragment & OFFSET) !== 0) return this.#fragments.get(name) ?? null;
    if (length < header + 4) return null;
    const word = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    if (name !== null) this.#remember(name, word);
    return word;
  }

  #remember(name: string, word: number): void {
    this.#fragments.delete(name);
    this.#fragments.set(name, word);
    if (this.#fragments.size <= REMEMBERED_FRAGMENTS) return;
    for (const oldest of this.#fragments.keys()) {
      this.#fragments.delete(oldest);
      break;
    }
  }
}

/** Addresses, identification and protocol (RFC 791 section 3.2). */
function fragmentName(bytes: Uint8Array, ip: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + ip + 12, 8).toString("latin1") + String.fromCharCode(bytes[ip + 4] ?? 0, bytes[ip + 5] ?? 0, bytes[ip + 9] ?? 0);
}
