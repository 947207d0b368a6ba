// What a rule asks for that this model does not know, or that 1.19 reads in another way than it is written.
import { formatAddress, formatPrefix } from "../../cluster/cidr.ts";
import type { Finding } from "../../cluster/finding.ts";
import type { EgressRule, NetworkPolicy } from "../../cluster/network-policy.ts";
import { formatPath } from "../../cluster/origin.ts";
import { networkPolicyFinding } from "./accepted-network-policies.ts";
import { cidrsOf, peerIdentities, type RuleContext } from "./rule-entries.ts";

/** `title` of the endpoint or node that has an address, undefined for none. */
export type OwnerOfAddress = (address: number | bigint) => string | undefined;

const NOT_KNOWN: ReadonlySet<string> = new Set(["kube-apiserver"]);

export function ruleFindings(policy: NetworkPolicy, rule: EgressRule, context: RuleContext, ownerOf: OwnerOfAddress): readonly Finding[] {
  const findings: Finding[] = [], at = formatPath(rule.path);
  const say = (said: Omit<Finding, "object" | "at">): number => findings.push(networkPolicyFinding(policy, rule.path, said));
  for (const field of rule.unknownPeers) {
    say({
      rule: "peers-not-modelled",
      severity: "warning",
      message: `${policy.name} names destinations by ${field} (${at}), which this build does not resolve`,
      effect: "Cilium lets pass (or denies) what they resolve to; this run makes no entry for them, so such traffic is denied unless another rule allows it",
      fix: "name the addresses by toCIDRSet in a copy of the policy for this run",
    });
  }
  const proxied = rule.toPorts.find(({ proxy }) => proxy !== null)?.proxy;
  if (proxied != null) {
    say({
      rule: "l7-not-modelled",
      severity: "warning",
      message: `${policy.name} hands connections to the proxy (${proxied.parser}, ${at}), which is not modelled`,
      effect: "the datapath gives such packets to the node's proxy, which connects anew; this run counts them as passed to the stack and knows no L7 verdict",
      fix: "leave the L7 rules out of a copy of the policy to see the way of the traffic that they allow",
    });
  }
  if (rule.authentication === "required" || rule.authentication === "test-always-fail") {
    say({
      rule: "authentication-not-modelled",
      severity: "warning",
      message: `${policy.name} asks for mutual authentication (${at}), which is not modelled`,
      effect: "until both ends have authenticated, Cilium drops such packets (189); in this run nobody ever has",
      fix: "leave authentication out of a copy of the policy for this run",
    });
  }
  if (rule.toPorts.some(({ ports }) => ports.some(({ name }) => name !== ""))) {
    say({
      rule: "named-port-unknown",
      severity: "warning",
      message: `${policy.name} names a port by its name (${at})`,
      effect: "Cilium looks the number up in the destination pods; this run makes no entry for it, so such traffic is denied unless another rule allows it",
      fix: "write the number",
    });
  }
  const fromZero = rule.toPorts.some(({ ports }) => ports.some(({ port, endPort }) => port === 0 && endPort > 0));
  if (fromZero || rule.icmps.some(({ type }) => type === 0)) {
    say({
      rule: "port-zero-means-all",
      severity: "warning",
      message: `${policy.name} ${fromZero ? "has a port range from 0" : "names ICMP type 0"} (${at})`,
      effect: `1.19 takes 0 for "no port": the entry covers every ${fromZero ? "port" : "type"} of the protocol`,
      fix: fromZero ? "begin the range at 1" : "name the other types that are meant to pass; type 0 cannot be named alone",
    });
  }
  for (const peer of rule.cidrs) {
    if (peer.groupName !== null && !context.groups.some(({ name }) => name === peer.groupName)) {
      say({
        rule: "cidr-group-unknown",
        severity: "warning",
        message: `${policy.name} refers to CiliumCIDRGroup ${peer.groupName} (${at}), which is not given`,
        effect: "without the group Cilium selects nothing by it",
        fix: "add the CiliumCIDRGroup",
      });
    }
    for (const prefix of cidrsOf(peer, context.groups)) {
      const owner = prefix.bits === (prefix.family === 4 ? 32 : 128) ? ownerOf(prefix.address) : undefined;
      if (owner === undefined) continue;
      say({
        rule: "cidr-in-cluster",
        severity: "warning",
        message: `${policy.name} names ${formatPrefix(prefix)} (${at}), which is ${owner}'s address`,
        effect: `CIDR rules never match pods and nodes: ${formatAddress(prefix.address)} keeps ${owner}'s identity`,
        fix: "select it by toEndpoints, or nodes by toEntities",
      });
    }
  }
  const entity = rule.entities.find((each) => NOT_KNOWN.has(each));
  if (entity !== undefined) {
    say({
      rule: "entity-unknown",
      severity: "info",
      message: `${policy.name} names the entity ${entity} (${at}), whose addresses no manifest tells`,
      effect: "Cilium knows them from the Kubernetes API; here they are a node's or of the world, and the rule does not find them",
      fix: "allow the API server's address by toCIDR, or remote-node, in a copy of the policy for this run",
    });
  }
  const modelled = rule.unknownPeers.length === 0 && rule.peerFields.length > 0;
  if (modelled && peerIdentities(policy, rule, context).length === 0) {
    say({
      rule: "peer-selects-nothing",
      severity: "info",
      message: `${policy.name} has a rule (${at}) whose destinations are nothing in this cluster`,
      effect: "it makes no entry until something matches it",
      fix: "compare its selectors with the labels of the pods that it is for; without a namespace label they mean the policy's own namespace",
    });
  }
  return findings;
}
