// The service maps of one address family: addresses and ports to services, backends by id, reverse NAT by index. An address
// is a number for IPv4 and a bigint for IPv6, in host order.
import {
  BE_ADDRESS, BE_ID, BE_INDEX, BE_PORT, BE_SIZE, BE_STATE, BE_USED, RN_ADDRESS, RN_INDEX, RN_PORT, RN_SIZE, RN_USED, SEL_MAGLEV, SEL_RANDOM, SM_ADDRESSES,
  SM_BACKENDS, SM_REV_NAT, SM_SEED, SM_SIZE, SV_AFFINITY, SV_COUNT, SV_FLAGS, SV_INDEX, SV_KEY, SV_MAGLEV, SV_MATCHES, SV_REV_NAT, SV_SELECTION,
  SV_SIZE, SV_SLOTS, VA6_PORTS, VA6_SIZE, VA_PORTS, VA_SIZE,
} from "../../kernel/layout-services.ts";
import { putAddress6 } from "./address6.ts";
import { type Arena, wirePort, wireWord } from "./arena.ts";
import { writeStaticHash } from "./static-hash.ts";
import { writeStaticHash6 } from "./static-hash6.ts";

export interface BackendImage<Address> {
  /** Greater than 0. */
  readonly id: number;
  readonly address: Address;
  /** 0: the packet keeps its port. */
  readonly port: number;
  /** 0 active, 1 terminating, 2 quarantined, 3 in maintenance. */
  readonly state: number;
  readonly index: number;
}

export interface ServiceImage<Address> {
  readonly address: Address;
  readonly port: number;
  readonly protocol: number;
  /** flags in bits 0-7, flags2 in 8-15. */
  readonly flags: number;
  readonly revNat: number;
  readonly affinitySeconds: number;
  /** Ids of the slots from 1 on; they need not be known as backends. */
  readonly slots: readonly number[];
  /** The Maglev table's backend ids; null: slots are drawn; "none": Maglev without a table, which selects nothing. */
  readonly maglev: readonly number[] | "none" | null;
  /** Backends to which session affinity may lead. */
  readonly matches: readonly number[];
  readonly index: number;
}

export interface ReverseImage<Address> {
  readonly index: number;
  readonly address: Address;
  readonly port: number;
}

export interface ServiceMaps<Address> {
  readonly services: readonly ServiceImage<Address>[];
  readonly backends: readonly BackendImage<Address>[];
  readonly reverse: readonly ReverseImage<Address>[];
}

/** Bytes that are surely enough for the maps of a family: hashes at most half full, rounded up to a power of two. */
export function serviceMapsBytes(maps: ServiceMaps<number> | ServiceMaps<bigint>): number {
  const lists = maps.services.reduce((sum, service) => sum + 4 * (service.slots.length + service.matches.length + (Array.isArray(service.maglev) ? service.maglev.length : 0)), 0);
  return 256 + lists + maps.services.length * (4 * (SV_SIZE + VA6_SIZE) + 64) + 4 * (maps.backends.length * BE_SIZE + maps.reverse.length * RN_SIZE);
}

/** Writes the maps; returns the address of their SM_… structure. `seed`: of the backend draws. */
export function writeServices<Address extends number | bigint>(arena: Arena, maps: ServiceMaps<Address>, seed: number): number {
  const at = arena.take(SM_SIZE);
  arena.put32(at + SM_SEED, seed);
  arena.put32(at + SM_ADDRESSES, writeAddresses(arena, maps.services));
  arena.put32(at + SM_BACKENDS, writeStaticHash(arena, BE_SIZE, BE_STATE, maps.backends.map((backend) => ({
    key: backend.id,
    write: (record) => {
      arena.put32(record + BE_ID, backend.id);
      arena.put32(record + BE_STATE, BE_USED | backend.state);
      arena.put32(record + BE_PORT, wirePort(backend.port));
      arena.put32(record + BE_INDEX, backend.index);
      putAddress(arena, record + BE_ADDRESS, backend.address);
    },
  }))));
  arena.put32(at + SM_REV_NAT, writeStaticHash(arena, RN_SIZE, RN_USED, maps.reverse.map((reverse) => ({
    key: reverse.index,
    write: (record) => {
      arena.put32(record + RN_INDEX, reverse.index);
      arena.put32(record + RN_USED, 1);
      arena.put32(record + RN_PORT, wirePort(reverse.port));
      putAddress(arena, record + RN_ADDRESS, reverse.address);
    },
  }))));
  return at;
}

function putAddress(arena: Arena, at: number, address: number | bigint): void {
  if (typeof address === "bigint") putAddress6(arena, at, address);
  else arena.put32(at, wireWord(address));
}

function writeAddresses<Address extends number | bigint>(arena: Arena, services: readonly ServiceImage<Address>[]): number {
  const byAddress = new Map<Address, ServiceImage<Address>[]>();
  for (const service of services) {
    const group = byAddress.get(service.address);
    if (group === undefined) byAddress.set(service.address, [service]);
    else group.push(service);
  }
  const entries4: { key: number; write: (at: number) => void }[] = [], entries6: { key: bigint; write: (at: number) => void }[] = [];
  for (const [address, group] of byAddress) {
    const ports = writePorts(arena, group);
    if (typeof address === "bigint") entries6.push({ key: address, write: (at) => { arena.put32(at + VA6_PORTS, ports); } });
    else entries4.push({ key: wireWord(address), write: (at) => { arena.put32(at + VA_PORTS, ports); } });
  }
  return entries6.length > 0 ? writeStaticHash6(arena, VA6_SIZE, VA6_PORTS, entries6) : writeStaticHash(arena, VA_SIZE, VA_PORTS, entries4);
}

function writePorts(arena: Arena, services: readonly ServiceImage<number | bigint>[]): number {
  return writeStaticHash(arena, SV_SIZE, SV_SLOTS, services.map((service) => ({
    key: wirePort(service.port) | (service.protocol << 16),
    write: (at) => { writeService(arena, at, service); },
  })));
}

function writeService(arena: Arena, at: number, service: ServiceImage<number | bigint>): void {
  arena.put32(at + SV_KEY, wirePort(service.port) | (service.protocol << 16));
  arena.put32(at + SV_SLOTS, writeWords(arena, service.slots));
  arena.put32(at + SV_COUNT, service.slots.length);
  arena.put32(at + SV_REV_NAT, service.revNat);
  arena.put32(at + SV_FLAGS, service.flags);
  arena.put32(at + SV_AFFINITY, service.affinitySeconds);
  arena.put32(at + SV_SELECTION, service.maglev === null ? SEL_RANDOM : SEL_MAGLEV);
  arena.put32(at + SV_MAGLEV, service.maglev === null || service.maglev === "none" ? 0 : writeList(arena, service.maglev));
  arena.put32(at + SV_MATCHES, writeList(arena, service.matches));
  arena.put32(at + SV_INDEX, service.index);
}

function writeWords(arena: Arena, words: readonly number[]): number {
  const at = arena.take(4 * Math.max(1, words.length));
  for (const [k, word] of words.entries()) arena.put32(at + 4 * k, word);
  return at;
}

/** The number of words, then the words. */
function writeList(arena: Arena, words: readonly number[]): number { return writeWords(arena, [words.length, ...words]); }
