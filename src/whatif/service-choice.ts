// The service that a probe is addressed to, and where it leads: told beside the hops, and for sockets done here, since then no
// hook sees the service.
import { formatSourceRef } from "../cluster/source.ts";
import type { CompiledControl } from "../control/compile.ts";
import type { ServiceBackendOf, ServiceEntryOf } from "../control/tables.ts";
import { addressBytes } from "../engine/address-book.ts";
import { wirePort } from "../engine/image/arena.ts";
import { drawWord } from "../engine/service-book.ts";
import { drawBackend } from "../kernel/datapath/backend-draw.ts";
import { formatAddress } from "../observe/ip-text.ts";
import type { Address } from "../observe/run-result.ts";
import type { PacketRequest } from "./packet-request.ts";

export interface ServiceChoice {
  /** namespace/name. */
  readonly name: string;
  /** file:line:column. */
  readonly at: string;
  readonly translation: "per-packet" | "socket";
  readonly address: string;
  readonly port: number;
  /** How many backends a new connection may get. */
  readonly choices: number;
  /** null: the service has none. */
  readonly backend: { readonly address: string; readonly port: number; readonly at: string | null } | null;
}

function isSix(address: Address): address is bigint { return typeof address === "bigint"; }

/** An IPv6 address in brackets (RFC 3986 section 3.2.2). */
function endText(address: string, port: number): string { return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`; }

export type ServiceControl = Pick<CompiledControl, "tables" | "backendPlaces">;

/** The entry for the request's destination, null where that is no service's. */
export function serviceEntry({ tables: { services } }: ServiceControl, request: PacketRequest): ServiceEntryOf<Address> | null {
  const { destination, destinationPort, protocol } = request;
  const entries: readonly ServiceEntryOf<Address>[] = isSix(destination) ? services.ipv6.entries : services.ipv4.entries;
  return entries.find((entry) => entry.address === destination && entry.port === destinationPort && entry.protocol === protocol) ?? null;
}

/** Id of the backend that connect() picks, 0 for none; the draw is the one that packets would get. */
export function drawAtSocket(entry: ServiceEntryOf<Address>, request: PacketRequest, seed: number): number {
  const word = (address: Address): number => drawWord(isSix(address), addressBytes(address), 0);
  const ports = wirePort(request.sourcePort) | (wirePort(request.destinationPort) << 16);
  const slot = drawBackend(seed, word(request.pod.address), word(entry.address), ports, entry.protocol, entry.affinitySeconds > 0, entry.slots.length);
  return entry.slots[slot] ?? 0;
}

/** The backends that an entry's ids are of. */
function backendsOf({ tables: { services } }: ServiceControl, entry: ServiceEntryOf<Address>): readonly ServiceBackendOf<Address>[] {
  return isSix(entry.address) ? services.ipv6.backends : services.ipv4.backends;
}

/** The entry's backend with an id, undefined for none. */
export function backendOf(control: ServiceControl, entry: ServiceEntryOf<Address>, id: number): ServiceBackendOf<Address> | undefined {
  return backendsOf(control, entry).find((each) => each.id === id);
}

/** Id of the backend with an address and port among those of the entry, 0 for none. */
export function backendAt(control: ServiceControl, entry: ServiceEntryOf<Address>, address: Address, port: number): number {
  return backendsOf(control, entry).find((backend) => backend.address === address && backend.port === port && entry.slots.includes(backend.id))?.id ?? 0;
}

export function serviceChoice(control: ServiceControl, entry: ServiceEntryOf<Address>, id: number): ServiceChoice {
  const { tables: { services }, backendPlaces } = control, object = services.objects[entry.service], backend = backendOf(control, entry, id);
  const place = isSix(entry.address) ? backendPlaces.ipv6(id) : backendPlaces.ipv4(id);
  return {
    name: object?.name ?? "?", at: object === undefined ? "?" : formatSourceRef(object.at), translation: services.translation,
    address: formatAddress(entry.address), port: entry.port, choices: entry.slots.length,
    backend: backend === undefined ? null : { address: formatAddress(backend.address), port: backend.port, at: place === null ? null : formatSourceRef(place) },
  };
}

/** What happened to the packet at the service, a fact a line. */
export function serviceFacts({ name, at, address, port, choices, backend }: ServiceChoice): string[] {
  const facts = [`service ${name}   ${at}`];
  if (backend === null) return [...facts, "it has no backend"];
  const drawn = choices === 1 ? "its only backend" : `drawn from ${choices} backends`;
  return [...facts, `${endText(address, port)} -> ${endText(backend.address, backend.port)}, ${drawn}${backend.at === null ? "" : `   ${backend.at}`}`];
}
