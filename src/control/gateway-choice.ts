// Which node a gateway item means (pkg/egressgateway/policy.go, regenerateGatewayConfig): the first by name that
// matches and has an IPv4 address. Health is never asked for.
import type { Finding } from "../cluster/finding.ts";
import type { GatewayItem } from "../cluster/model.ts";
import { formatSelector, selectorMatches, type Selector } from "../cluster/selector.ts";
import { type AcceptedPolicy, policyFinding } from "./accepted-policies.ts";
import type { ClusterNode } from "./cluster-nodes.ts";

export interface ChosenGateway {
  readonly item: GatewayItem;
  readonly node: ClusterNode;
}

/** The gateways of a policy in order of their address, which is the order endpoints are spread over; empty: none. */
export function chooseGateways(accepted: AcceptedPolicy, nodes: readonly ClusterNode[], findings: Finding[]): readonly ChosenGateway[] {
  const { policy } = accepted;
  const chosen: ChosenGateway[] = [];
  const unmatched: GatewayItem[] = [];
  for (const item of accepted.gateways) {
    const matching = nodes.filter((node) => selectorMatches(item.nodeSelector, node.labels));
    const [node] = matching;
    if (node === undefined) {
      unmatched.push(item);
      continue;
    }
    chosen.push({ item, node });
    if (matching.length > 1) {
      findings.push(
        policyFinding(policy, [...item.path, "nodeSelector"], {
          rule: "single-gateway",
          severity: "info",
          message: `${policy.name}: ${matching.length} nodes match, only ${node.name} is used`,
          effect: "Cilium takes the first node by name: no spreading, no failover when it is not ready",
          fix: "list several egressGateways to spread pods over nodes",
        }),
      );
    }
  }
  for (const item of unmatched) findings.push(noGatewayNode(accepted, item, chosen.length === 0));
  return chosen.sort((a, b) => a.node.address - b.node.address);
}

/** `nothingLeft`: no other item of the policy has a gateway. */
export function noGatewayNode({ policy }: AcceptedPolicy, item: GatewayItem, nothingLeft: boolean): Finding {
  return policyFinding(policy, [...item.path, "nodeSelector"], {
    rule: "no-gateway-node",
    severity: nothingLeft ? "error" : "warning",
    message: `${policy.name}: ${noNode(item.nodeSelector)}`,
    effect: nothingLeft ? "the policy's traffic is dropped at its own node: 194 No egress gateway found" : "the item is left out; its pods use the other gateways",
    fix: "label a node, or correct the nodeSelector",
  });
}

function noNode(selector: Selector): string {
  if (selector.length === 0) return "the cluster has no node";
  const plain = selector.every((requirement) => requirement.operator === "In" && requirement.values.size === 1);
  return plain ? `no node has labels ${formatSelector(selector)}` : `no node matches ${formatSelector(selector)}`;
}
