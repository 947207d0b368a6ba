// What the agent checks before it starts with egress gateways (pkg/egressgateway/manager.go, NewEgressGatewayManager).
import type { Finding } from "../cluster/finding.ts";
import type { Cluster } from "../cluster/model.ts";
import { placeOf } from "../cluster/origin.ts";
import type { SourceRef } from "../cluster/source.ts";
import { type AgentOptions, kubeProxyReplaced } from "./agent-options.ts";

interface Requirement {
  readonly option: string;
  readonly helm: string;
  readonly wanted: string;
  readonly holds: (options: AgentOptions) => boolean;
}

const REQUIREMENTS: readonly Requirement[] = [
  {
    option: "enable-ipv4-masquerade",
    helm: "enableIPv4Masquerade",
    wanted: "true",
    holds: (options) => options.flag("enable-ipv4-masquerade", true),
  },
  {
    option: "enable-bpf-masquerade",
    helm: "bpf.masquerade",
    wanted: "true",
    holds: (options) => options.flag("enable-bpf-masquerade", false),
  },
  {
    option: "identity-allocation-mode",
    helm: "identityAllocationMode",
    wanted: "crd",
    holds: (options) => options.text("identity-allocation-mode", "crd") === "crd",
  },
  {
    option: "enable-cilium-endpoint-slice",
    helm: "ciliumEndpointSlice.enabled",
    wanted: "false",
    holds: (options) => !options.flag("enable-cilium-endpoint-slice", false),
  },
  {
    option: "underlay-protocol",
    helm: "underlayProtocol",
    wanted: "ipv4",
    holds: (options) => options.text("underlay-protocol", "ipv4") === "ipv4",
  },
];

/** Findings for a configuration that was given. */
export function requirementFindings(cluster: Cluster, options: AgentOptions, egressGateway: boolean): readonly Finding[] {
  const source = cluster.settingsSources.at(-1);
  const helm = source?.kind === "helm-values";
  const object = helm ? "Helm values" : "ConfigMap cilium-config";
  const sourceAt = source === undefined ? null : placeOf(source.origin);
  const nameOf = (option: string, path: string): string => (helm ? path : option);
  if (!egressGateway) {
    const name = nameOf("enable-egress-gateway", "egressGateway.enabled");
    return [disabled(object, at(options, "enable-egress-gateway", sourceAt), name)];
  }
  const findings: Finding[] = [];
  for (const { option, helm: path, wanted, holds } of REQUIREMENTS) {
    if (holds(options)) continue;
    const setting = options.setting(option);
    const name = nameOf(option, path);
    findings.push({
      rule: "requirement-unmet",
      severity: "error",
      object,
      at: at(options, option, sourceAt),
      message: `egress gateway needs ${name} ${wanted}, but it is ${setting === undefined ? "not set" : JSON.stringify(setting.value)}`,
      effect: "the agent refuses to start with egress gateway on; this run goes on as if the requirement were met",
      fix: `set ${name} to ${wanted}`,
    });
  }
  if (!kubeProxyReplaced(options, false)) {
    const name = nameOf("kube-proxy-replacement", "kubeProxyReplacement");
    findings.push({
      rule: "no-kube-proxy-replacement",
      severity: "info",
      object,
      at: at(options, "kube-proxy-replacement", sourceAt),
      message: `Cilium's documentation asks for ${name} true with egress gateway`,
      effect: "the agent starts, and falls back to legacy host routing",
      fix: `set ${name} to true`,
    });
  }
  const masquerade6 = options.setting("enable-ipv6-masquerade");
  const wantsIpv6 = cluster.policies.some(({ destinationCidrs }) => destinationCidrs.some(({ family }) => family === 6));
  if (masquerade6 !== undefined && wantsIpv6 && !options.flag("enable-ipv6-masquerade", true)) {
    findings.push({
      rule: "ipv6-masquerade-off",
      severity: "warning",
      object,
      at: placeOf(masquerade6.origin),
      message: `policies name IPv6 destinations, but ${masquerade6.writtenAs} is ${JSON.stringify(masquerade6.value)}`,
      effect: "the agent says so in its log and starts; the programs are built without SNAT for IPv6",
      fix: `set ${masquerade6.writtenAs} to true`,
    });
  }
  const labels = options.setting("labels");
  if (labels !== undefined && labels.value.trim() !== "") {
    findings.push({
      rule: "label-filter-ignored",
      severity: "warning",
      object,
      at: placeOf(labels.origin),
      message: "the option labels changes which labels make up an identity; this build knows the default filter only",
      effect: "Cilium may select other pods than this run where policies go by labels that the option leaves out",
      fix: "give the cluster's CiliumEndpoints and CiliumIdentities, which hold the outcome",
    });
  }
  return findings;
}

function at(options: AgentOptions, option: string, otherwise: SourceRef | null): SourceRef | null {
  const setting = options.setting(option);
  return setting === undefined ? otherwise : placeOf(setting.origin);
}

function disabled(object: string, place: SourceRef | null, name: string): Finding {
  return {
    rule: "egress-gateway-disabled",
    severity: "error",
    object,
    at: place,
    message: `egress gateway is off: ${name} is not true`,
    effect: "no agent looks at the policies: all traffic leaves by its own node, with the node's address",
    fix: `set ${name} to true`,
  };
}
