// What the simulated nodes are to the devices around them: the MACs and addresses that are answered for.
import { FAMILY_6 } from "../control/address-family.ts";
import type { DatapathTables } from "../control/tables.ts";
import { wireWord } from "../engine/image/arena.ts";
import { linkLocalOf, macOf } from "./mac.ts";

/** An IPv4 address as a wire word, or an IPv6 address in host order. */
export type LinkAddress = number | bigint;

/** Plain data: it crosses threads. */
export interface Surroundings {
  /** MACs of the simulated nodes: frames to others are not for us. */
  readonly macs: ReadonlySet<number>;
  /** By address of a pod here: the node's side of its pair, which answers the pod's ARP requests. */
  readonly podPeers: ReadonlyMap<LinkAddress, number>;
  /** By address of a node here: the MAC of the device that has it. */
  readonly own: ReadonlyMap<LinkAddress, number>;
  /** By IPv6 address of a node's cilium_host, the pods' router: the node's side of a pod's pair. */
  readonly routers: ReadonlyMap<bigint, number>;
  /** By MAC of such a device: an address of the family to ask from. */
  readonly askFrom: ReadonlyMap<number, number>;
  readonly askFrom6: ReadonlyMap<number, bigint>;
}

export function surroundings(tables: DatapathTables, here: ReadonlySet<number>): Surroundings {
  const macs = new Set<number>(), podPeers = new Map<LinkAddress, number>(), own = new Map<LinkAddress, number>(), routers = new Map<bigint, number>();
  const askFrom = new Map<number, number>(), askFrom6 = new Map<number, bigint>();
  const setFirst = <Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void => {
    if (!map.has(key)) map.set(key, value);
  };
  for (const [index, node] of tables.nodes.entries()) {
    if (!here.has(index)) continue;
    for (const device of node.devices) {
      const mac = macOf(device.mac);
      macs.add(mac);
      for (const { address } of device.addresses) {
        setFirst(own, wireWord(address), mac);
        setFirst(askFrom, mac, wireWord(address));
      }
      if (!tables.config.ipv6) continue;
      for (const { address } of device.addresses6) setFirst(own, address, mac);
      // Reaches every neighbour of the link, whatever networks it knows of (RFC 4861 section 7.2.2 leaves the choice).
      const linkLocal = device.addresses6.find(({ address }) => FAMILY_6.isLinkLocal(address))?.address ?? linkLocalOf(mac);
      setFirst(own, linkLocal, mac);
      setFirst(askFrom6, mac, linkLocal);
    }
    for (const endpoint of node.endpoints) {
      if (endpoint.host) continue;
      const mac = macOf(endpoint.nodeMac);
      podPeers.set(wireWord(endpoint.address), mac);
      macs.add(mac);
      askFrom.set(mac, wireWord(node.address));
    }
    for (const endpoint of node.endpoints6) {
      if (endpoint.host) continue;
      const mac = macOf(endpoint.nodeMac);
      podPeers.set(endpoint.address, mac);
      macs.add(mac);
      const hasRouter = node.routerAddress6 !== FAMILY_6.none;
      if (hasRouter) setFirst(routers, node.routerAddress6, mac);
      askFrom6.set(mac, hasRouter ? node.routerAddress6 : linkLocalOf(mac));
    }
  }
  return { macs, podPeers, own, routers, askFrom, askFrom6 };
}
