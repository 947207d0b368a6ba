// The service that a probe is addressed to, and where it leads: told beside the hops, and for sockets done here, since then no
// hook sees the service.
import { formatSourceRef } from "../cluster/source.ts";
import type { CompiledControl } from "../control/compile.ts";
import type { ServiceEntryOf } from "../control/tables.ts";
import { wirePort, wireWord } from "../engine/image/arena.ts";
import { drawBackend } from "../kernel/datapath/backend-draw.ts";
import { formatIpv4 } from "../observe/ip-text.ts";
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

export type ServiceControl = Pick<CompiledControl, "tables" | "backendPlaces">;

/** The entry for the request's destination, null where that is no service's. */
export function serviceEntry({ tables }: ServiceControl, request: PacketRequest): ServiceEntryOf<number> | null {
  const { destination, destinationPort, protocol } = request;
  return tables.services.ipv4.entries.find((entry) => entry.address === destination && entry.port === destinationPort && entry.protocol === protocol) ?? null;
}

/** Id of the backend that connect() picks, 0 for none; the draw is the one that packets would get. */
export function drawAtSocket(entry: ServiceEntryOf<number>, request: PacketRequest, seed: number): number {
  const client = request.pod.address, ports = wirePort(request.sourcePort) | (wirePort(request.destinationPort) << 16);
  if (typeof client === "bigint") return 0;
  const slot = drawBackend(seed, wireWord(client), wireWord(entry.address), ports, entry.protocol, entry.affinitySeconds > 0, entry.slots.length);
  return entry.slots[slot] ?? 0;
}

/** Id of the backend with an address and port among those of the entry, 0 for none. */
export function backendAt({ tables }: ServiceControl, entry: ServiceEntryOf<number>, address: Address, port: number): number {
  return tables.services.ipv4.backends.find((backend) => backend.address === address && backend.port === port && entry.slots.includes(backend.id))?.id ?? 0;
}

export function serviceChoice(control: ServiceControl, entry: ServiceEntryOf<number>, id: number): ServiceChoice {
  const { services } = control.tables, object = services.objects[entry.service], place = control.backendPlaces.ipv4(id);
  const backend = services.ipv4.backends.find((each) => each.id === id);
  return {
    name: object?.name ?? "?", at: object === undefined ? "?" : formatSourceRef(object.at), translation: services.translation,
    address: formatIpv4(entry.address), port: entry.port, choices: entry.slots.length,
    backend: backend === undefined ? null : { address: formatIpv4(backend.address), port: backend.port, at: place === null ? null : formatSourceRef(place) },
  };
}

/** What happened to the packet at the service, a fact a line. */
export function serviceFacts({ name, at, address, port, choices, backend }: ServiceChoice): string[] {
  const facts = [`service ${name}   ${at}`];
  if (backend === null) return [...facts, "it has no backend"];
  const drawn = choices === 1 ? "its only backend" : `drawn from ${choices} backends`;
  return [...facts, `${address}:${port} -> ${backend.address}:${backend.port}, ${drawn}${backend.at === null ? "" : `   ${backend.at}`}`];
}
