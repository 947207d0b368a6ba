import type { DatapathTables } from "../control/tables.ts";
import { clusterAddresses, clusterAddresses6 } from "../engine/image/cluster-addresses.ts";
import type { ClusterImage } from "../engine/image/cluster-image.ts";
import type { Epoch, NextHop } from "./live-protocol.ts";
import { surroundings } from "./surroundings.ts";

/** What workers are told of a cluster whose image lies in their memory. */
export function makeEpoch(number: number, tables: DatapathTables, image: Pick<ClusterImage, "nodes" | "addresses" | "addresses6">, here: ReadonlySet<number>): Epoch {
  return {
    number, nodes: image.nodes, addresses: image.addresses, addresses6: image.addresses6, book: clusterAddresses(tables), book6: clusterAddresses6(tables),
    nodesHere: [...here], tunnelPort: tables.config.tunnelPort,
    around: surroundings(tables, here), nextHops: nextHops(tables, here),
    services: { services: tables.services, nodes: tables.nodes.map(({ serviceLoopback4, serviceLoopback6 }) => ({ serviceLoopback4, serviceLoopback6 })) },
  };
}

function nextHops(tables: DatapathTables, here: ReadonlySet<number>): NextHop[] {
  const hops = [...here].flatMap((node) => (tables.nodes[node]?.routes ?? []).filter(({ table }) => table === 0).map(({ to, via }) => {
    const mask = to.bits === 0 ? 0 : (0xffffffff << (32 - to.bits)) >>> 0;
    return { node: tables.nodes[node]?.address ?? 0, network: (to.address & mask) >>> 0, mask, via, bits: to.bits };
  }));
  return hops.sort((a, b) => b.bits - a.bits).map(({ node, network, mask, via }) => ({ node, network, mask, via }));
}
