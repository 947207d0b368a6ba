// What the simulated nodes are to the devices around them: the MACs and addresses that are answered for.
import type { DatapathTables } from "../control/tables.ts";
import { wireWord } from "../engine/image/arena.ts";
import { macOf } from "./mac.ts";

/** Plain data: it crosses threads. Addresses are wire words. */
export interface Surroundings {
  /** MACs of the simulated nodes: frames to others are not for us. */
  readonly macs: ReadonlySet<number>;
  /** By address of a pod here: the node's side of its pair, which answers the pod's ARP requests. */
  readonly podPeers: ReadonlyMap<number, number>;
  /** By address of a node here: the MAC of the device that has it. */
  readonly own: ReadonlyMap<number, number>;
  /** By MAC of such a device: an address to ask from. */
  readonly askFrom: ReadonlyMap<number, number>;
}

export function surroundings(tables: DatapathTables, here: ReadonlySet<number>): Surroundings {
  const macs = new Set<number>(), podPeers = new Map<number, number>(), own = new Map<number, number>(), askFrom = new Map<number, number>();
  for (const [index, node] of tables.nodes.entries()) {
    if (!here.has(index)) continue;
    for (const device of node.devices) {
      const mac = macOf(device.mac);
      macs.add(mac);
      for (const { address } of device.addresses) {
        if (!own.has(wireWord(address))) own.set(wireWord(address), mac);
        if (!askFrom.has(mac)) askFrom.set(mac, wireWord(address));
      }
    }
    for (const endpoint of node.endpoints) {
      if (endpoint.host) continue;
      podPeers.set(wireWord(endpoint.address), macOf(endpoint.nodeMac));
      macs.add(macOf(endpoint.nodeMac));
      askFrom.set(macOf(endpoint.nodeMac), wireWord(node.address));
    }
  }
  return { macs, podPeers, own, askFrom };
}
