// Services in the report and in flows.jsonl: names for what the tables and the flows hold as numbers.
import { formatSourceRef } from "../cluster/source.ts";
import type { DatapathTables } from "../control/tables.ts";
import type { FlowLine } from "./flow-shape.ts";
import { formatAddress } from "./ip-text.ts";
import type { Report } from "./report-shape.ts";
import type { Address, FlowRecord, Tally } from "./run-result.ts";
import type { TableNames } from "./table-names.ts";

/** Pairs of service and backend in the report. */
const MOST_USES = 256;

/** What flows did with one backend of one service. */
export interface ServiceUse {
  readonly family: 4 | 6;
  /** Index into the entries of the family's services. */
  readonly entry: number;
  readonly backend: { readonly address: Address; readonly port: number } | null;
  flows: number;
  readonly forward: { packets: number; bytes: number };
  readonly reply: { packets: number; bytes: number };
}

/** Gathers the use of services from flow records. */
export class ServiceUses {
  readonly #uses = new Map<string, ServiceUse>();

  add(flow: Pick<FlowRecord, "service" | "destination" | "forward" | "reply">): void {
    const { service, forward, reply } = flow;
    if (service === null) return;
    const family = familyOf(flow), { index, backend } = service, key = `${family} ${index} ${backend === null ? "" : `${backend.address} ${backend.port}`}`;
    const use = this.#uses.get(key) ?? { family, entry: index, backend, flows: 0, forward: { packets: 0, bytes: 0 }, reply: { packets: 0, bytes: 0 } };
    use.flows += 1;
    addTo(use.forward, forward);
    addTo(use.reply, reply);
    this.#uses.set(key, use);
  }

  /** Busiest first. */
  list(): readonly ServiceUse[] {
    const port = ({ backend }: ServiceUse): number => backend?.port ?? 0;
    const address = ({ backend }: ServiceUse): Address => backend?.address ?? 0;
    return [...this.#uses.values()].sort((a, b) =>
      b.forward.packets - a.forward.packets || a.family - b.family || a.entry - b.entry || byAddress(address(a), address(b)) || port(a) - port(b));
  }
}

/** Addresses of one family, or 0 for none. */
function byAddress(a: Address, b: Address): number { return a < b ? -1 : a > b ? 1 : 0; }

function familyOf({ destination }: Pick<FlowRecord, "destination">): 4 | 6 { return typeof destination === "number" ? 4 : 6; }

function addTo(sum: { packets: number; bytes: number }, { packets, bytes }: Tally): void {
  sum.packets += packets;
  sum.bytes += bytes;
}

/** The service of a flow for flows.jsonl. Where sockets translate, a flow to a service's address has met none. */
export function flowService(flow: FlowRecord, names: TableNames): FlowLine["service"] {
  const name = flow.service === null ? names.serviceAt(flow.destination, flow.destinationPort, flow.protocol) : names.service(familyOf(flow), flow.service.index);
  if (name === null) return null;
  const backend = flow.service?.backend ?? null;
  return { name, backend: backend === null ? null : { address: formatAddress(backend.address), port: backend.port, pod: names.pod(backend.address) } };
}

/** The report's part on services. */
export function reportServices({ services }: DatapathTables, uses: readonly ServiceUse[], untranslated: number, names: TableNames): Report["services"] {
  return {
    translation: services.translation,
    withoutBackend: services.withoutBackend,
    objects: services.objects.length,
    frontends: services.ipv4.entries.length + services.ipv6.entries.length,
    backends: services.ipv4.backends.length + services.ipv6.backends.length,
    untranslatedFlows: untranslated,
    use: uses.slice(0, MOST_USES).map(({ family, entry, backend, flows, forward, reply }) => {
      const frontend = (family === 4 ? services.ipv4 : services.ipv6).entries[entry], object = frontend === undefined ? undefined : services.objects[frontend.service];
      return {
        service: object?.name ?? "?", at: object === undefined ? null : formatSourceRef(object.at),
        address: formatAddress(frontend?.address ?? 0), port: frontend?.port ?? 0,
        backend: backend === null ? null : { address: formatAddress(backend.address), port: backend.port, pod: names.pod(backend.address) },
        flows, forward: { ...forward }, reply: { ...reply },
      };
    }),
  };
}
