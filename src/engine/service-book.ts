// Which backend a packet to or from a service belongs to, for steering: the same draw as the kernel's, so that the shard that
// gets the request also gets the backend's answers. Addresses are bytes in wire order, read where they lie in a frame.
import { type DatapathTables, NO_SERVICES, type NodeTable, type ServiceMapsOf } from "../control/tables.ts";
import { drawBackend } from "../kernel/datapath/backend-draw.ts";
import { type AddressBook, AddressBook4, AddressBook6, addressBytes, type BookedAddress, hashAddress6, wordAt } from "./address-book.ts";
import { wirePort } from "./image/arena.ts";
import { translatesPackets } from "./image/cluster-services.ts";
import { type IpFamily, IPV6, readUpper, type Upper } from "./ip-header.ts";

interface Frontend {
  /** By slot. */
  readonly backends: readonly (Uint8Array | undefined)[];
  readonly affinity: boolean;
}

/** Frontends of an address by port (raw) and protocol, port low. */
type Frontends = Map<number, Frontend>;

/** What a family's book knows an address as. */
const SERVICE = 1, LOOPBACK = 2;
/** Datagrams whose first fragment is remembered, as many as a node's fragment map holds (bpf-fragments-map-max). */
const REMEMBERED_FRAGMENTS = 8192;

/** What steering needs of the tables. */
export interface SteeredServices extends Pick<DatapathTables, "services"> {
  readonly nodes: readonly Pick<NodeTable, "serviceLoopback4" | "serviceLoopback6">[];
}

export class ServiceBook {
  /** No service is translated here: nothing ever has to be looked up. */
  readonly isEmpty: boolean;
  readonly #services4: FamilyServices;
  readonly #services6: FamilyServices;
  readonly #seed: number;
  /** Ports word by addresses, identification and protocol, oldest first. */
  readonly #fragments = new Map<string, number>();

  constructor({ services, nodes }: SteeredServices, seed: number) {
    this.#seed = seed;
    this.isEmpty = !translatesPackets(services);
    const { ipv4, ipv6 } = this.isEmpty ? NO_SERVICES : services;
    this.#services4 = familyServices(ipv4, nodes.map((node) => node.serviceLoopback4), (addresses) => new AddressBook4(addresses));
    this.#services6 = familyServices(ipv6, nodes.map((node) => node.serviceLoopback6), (addresses) => new AddressBook6(addresses));
  }

  /** Is the address at bytes[at] the one that a pod sees which reaches itself by a service? */
  isLoopback(family: IpFamily, bytes: Uint8Array, at: number): boolean {
    const { book } = this.#of(family), handle = book.find(bytes, at);
    return handle >= 0 && book.kindOf(handle) === LOOPBACK;
  }

  /** Address of the backend that the packet at bytes[ip], of `length` captured bytes, is for (`toService`) or from; null for
   * packets that are translated by no service. */
  backendOf(family: IpFamily, bytes: Uint8Array, ip: number, length: number, toService: boolean): Uint8Array | null {
    const source = ip + family.source, destination = ip + family.destination;
    const client = toService ? source : destination, service = toService ? destination : source;
    const { book, frontends } = this.#of(family), handle = book.find(bytes, service);
    if (handle < 0 || book.kindOf(handle) !== SERVICE) return null;
    const upper = readUpper(family, bytes, ip, length), word = this.#portsOf(family, bytes, ip, length, upper);
    if (word === null) return null;
    const asked = toService ? word : (word << 16) | (word >>> 16), { protocol } = upper;
    const frontend = frontends[book.nodeOf(handle)]?.get((asked >>> 16) | (protocol << 16));
    if (frontend === undefined || frontend.backends.length === 0) return null;
    const six = family === IPV6, slot = drawBackend(
      this.#seed, drawWord(six, bytes, client), drawWord(six, bytes, service), asked, protocol, frontend.affinity, frontend.backends.length,
    );
    return frontend.backends[slot] ?? null;
  }

  #of(family: IpFamily): FamilyServices {
    return family === IPV6 ? this.#services6 : this.#services4;
  }

  /** The first four bytes of the upper layer as one word; of a later fragment, those of the first one. */
  #portsOf(family: IpFamily, bytes: Uint8Array, ip: number, length: number, { offset, isFragment, isLater, identification, fragmentProtocol }: Upper): number | null {
    const name = isFragment ? fragmentName(family, bytes, ip, identification, fragmentProtocol) : null;
    if (name !== null && isLater) return this.#fragments.get(name) ?? null;
    if (length < offset + 4) return null;
    const word = wordAt(bytes, ip + offset);
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

/** What the draw of a backend takes of the address at bytes[at]. */
export function drawWord(six: boolean, bytes: Uint8Array, at: number): number {
  return six ? hashAddress6(bytes, at) : wordAt(bytes, at);
}

/** Addresses, identification and protocol (RFC 791 section 3.2, RFC 8200 section 4.5). */
function fragmentName(family: IpFamily, bytes: Uint8Array, ip: number, identification: number, protocol: number): string {
  const { source, destination } = family, addresses = Buffer.from(bytes.buffer, bytes.byteOffset + ip + source, 2 * (destination - source));
  return `${addresses.toString("latin1")} ${identification} ${protocol}`;
}

/** The frontends of one family; the book says of a service's address where they are. */
interface FamilyServices {
  readonly book: AddressBook;
  readonly frontends: readonly Frontends[];
}

function familyServices<Address extends number | bigint>(
  { entries, backends }: ServiceMapsOf<Address>, loopbacks: readonly Address[], makeBook: (addresses: readonly BookedAddress<Address>[]) => AddressBook,
): FamilyServices {
  if (entries.length === 0) return { book: makeBook([]), frontends: [] };
  const places = new Map<Address, number>(), frontends: Frontends[] = [], addresses = new Map(backends.map(({ id, address }) => [id, addressBytes(address)]));
  for (const { address, port, protocol, slots, affinitySeconds } of entries) {
    const place = places.get(address) ?? frontends.push(new Map()) - 1;
    places.set(address, place);
    frontends[place]?.set(wirePort(port) | (protocol << 16), {
      backends: slots.map((id) => addresses.get(id)), affinity: affinitySeconds > 0,
    });
  }
  const known = [...new Set(loopbacks)].map((address): BookedAddress<Address> => ({ address, node: 0, kind: LOOPBACK }));
  return { book: makeBook([...known, ...[...places].map(([address, node]) => ({ address, node, kind: SERVICE }))]), frontends };
}
