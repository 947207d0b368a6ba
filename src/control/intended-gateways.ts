// Semantics "intent": what authors of policies mean by a gateway's nodeSelector, and 1.19 does not do. Every node that matches and
// can serve is a gateway: pods are spread over them as over several egressGateways, and a node that is not ready has no part.
import type { Finding } from "../cluster/finding.ts";
import type { GatewayItem } from "../cluster/model.ts";
import { selectorMatches } from "../cluster/selector.ts";
import type { AcceptedPolicy } from "./accepted-policies.ts";
import type { ClusterNode } from "./cluster-nodes.ts";
import { type ChosenGateway, noGatewayNode } from "./gateway-choice.ts";

/** In order of address, as chooseGateways. */
export function intendedGateways(accepted: AcceptedPolicy, nodes: readonly ClusterNode[], findings: Finding[]): readonly ChosenGateway[] {
  const chosen: ChosenGateway[] = [];
  const unmatched: GatewayItem[] = [];
  for (const item of accepted.gateways) {
    const matching = nodes.filter((node) => selectorMatches(item.nodeSelector, node.labels));
    if (matching.length === 0) unmatched.push(item);
    for (const node of serving(item, matching)) chosen.push({ item, node });
  }
  for (const item of unmatched) findings.push(noGatewayNode(accepted, item, chosen.length === 0));
  return chosen.sort((a, b) => a.node.address - b.node.address);
}

/** One address cannot be in two places: of several nodes that have an egressIP the first by name serves, the next when that one is
 * not ready. Where no node is ready, or none is known to have what is asked for, the first one stands for all, as in 1.19. */
function serving(item: GatewayItem, matching: readonly ClusterNode[]): readonly ClusterNode[] {
  const able = matching.filter((node) => node.ready !== false && hasWhatIsAsked(item, node));
  if (able.length > 0) return item.egressIp === null ? able : able.slice(0, 1);
  const standIn = matching.find(({ ready }) => ready !== false) ?? matching[0];
  return standIn === undefined ? [] : [standIn];
}

/** A node without NodeNetwork is taken to have it. */
function hasWhatIsAsked({ egressIp, interfaceName }: GatewayItem, { network }: ClusterNode): boolean {
  if (network === null) return true;
  const devices = network.devices.filter(({ name }) => interfaceName === "" || name === interfaceName);
  if (egressIp === null) return interfaceName === "" || devices.length > 0;
  return devices.some(({ addresses }) => addresses.some((each) => each.family === 4 && each.address === egressIp));
}
