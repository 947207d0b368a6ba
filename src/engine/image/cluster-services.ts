// The compiled services in the memory of a run: one image for all nodes, where pods' programs translate packet by packet.
import type { DatapathTables, ServiceMapsOf, ServiceTables } from "../../control/tables.ts";
import { N_FLAGS, NF_NO_BACKEND_REJECT, NF_NO_BACKEND_ROUTABLE } from "../../kernel/layout.ts";
import { N_LOOPBACK, N_SERVICES, N_SERVICES6, SVF_AFFINITY } from "../../kernel/layout-services.ts";
import { type Arena, wireWord } from "./arena.ts";
import { type ServiceMaps, serviceMapsBytes, writeServices } from "./service-image.ts";

const ACTIVE = 0, TERMINATING = 1;
/** pkg/loadbalancer: the affinity map is as large as the service map by default; spread over the shards with room for skew. */
const AFFINITY_PER_SHARD = 8192;

function mapsOf<Address>({ entries, backends }: ServiceMapsOf<Address>): ServiceMaps<Address> {
  return {
    services: entries.map(({ address, port, protocol, revNat, affinitySeconds, slots }, index) => ({
      address, port, protocol, revNat, affinitySeconds, slots, index, flags: affinitySeconds > 0 ? SVF_AFFINITY : 0, maglev: null,
      matches: affinitySeconds > 0 ? slots : [],
    })),
    backends: backends.map(({ id, address, port, terminating }) => ({ id, address, port, state: terminating ? TERMINATING : ACTIVE, index: id })),
    reverse: entries.map(({ revNat, address, port }) => ({ index: revNat, address, port })),
  };
}

/** Do pods' programs translate services, and are there any? */
export function translatesPackets({ translation, ipv4, ipv6 }: ServiceTables): boolean {
  return translation === "per-packet" && ipv4.entries.length + ipv6.entries.length > 0;
}

/** Bytes that are surely enough for the services of a cluster. */
export function clusterServicesBytes({ services }: DatapathTables): number {
  return translatesPackets(services) ? serviceMapsBytes(mapsOf(services.ipv4)) + serviceMapsBytes(mapsOf(services.ipv6)) : 0;
}

/** Clients that a shard remembers for session affinity; undefined where no service has it. */
export function affinityPerShard({ services }: DatapathTables): number | undefined {
  const asksForIt = [...services.ipv4.entries, ...services.ipv6.entries].some(({ affinitySeconds }) => affinitySeconds > 0);
  return translatesPackets(services) && asksForIt ? AFFINITY_PER_SHARD : undefined;
}

/** The maps of a family, 0 where it has no services. */
function writeFamily<Address extends number | bigint>(arena: Arena, services: ServiceMapsOf<Address>, seed: number): number {
  return services.entries.length === 0 ? 0 : writeServices(arena, mapsOf(services), seed);
}

/** Hangs the services into the nodes whose structures lie in the array at `nodes`. */
export function writeClusterServices(arena: Arena, tables: DatapathTables, nodes: number, seed: number): void {
  const { services } = tables;
  if (!translatesPackets(services)) return;
  const ipv4 = writeFamily(arena, services.ipv4, seed), ipv6 = writeFamily(arena, services.ipv6, seed);
  const flags = (services.withoutBackend === "reject" ? NF_NO_BACKEND_REJECT : 0) | (services.withoutBackend === "stack" ? 0 : NF_NO_BACKEND_ROUTABLE);
  for (const [index, table] of tables.nodes.entries()) {
    const node = arena.get32(nodes + 4 * index);
    arena.put32(node + N_FLAGS, arena.get32(node + N_FLAGS) | flags);
    arena.put32(node + N_LOOPBACK, wireWord(table.serviceLoopback4));
    arena.put32(node + N_SERVICES, ipv4);
    arena.put32(node + N_SERVICES6, ipv6);
  }
}
