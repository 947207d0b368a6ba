// How Cilium is configured: the ConfigMap cilium-config, Helm values and ip-masq-agent's ConfigMap, all brought to the
// agent's own option names.
import * as z from "zod";
import { cidr } from "./field-schemas.ts";
import type { Finding } from "./finding.ts";
import type { MasqueradeAgentConfig, Setting, SettingsSource } from "./model.ts";
import { formatPath, type Origin, placeOf } from "./origin.ts";

/** Helm's path (install/kubernetes/cilium/values.yaml) and the option that its template writes into cilium-config. */
const HELM_OPTIONS: readonly (readonly [path: string, option: string])[] = [
  ["egressGateway.enabled", "enable-egress-gateway"],
  ["egressGateway.maxPolicyEntries", "egress-gateway-policy-map-max"],
  ["bpf.masquerade", "enable-bpf-masquerade"],
  ["bpf.hostLegacyRouting", "enable-host-legacy-routing"],
  ["bpf.ctTcpMax", "bpf-ct-global-tcp-max"],
  ["bpf.ctAnyMax", "bpf-ct-global-any-max"],
  ["bpf.natMax", "bpf-nat-global-max"],
  ["bpf.ctAccounting", "bpf-conntrack-accounting"],
  ["enableIPv4Masquerade", "enable-ipv4-masquerade"],
  ["ipv4NativeRoutingCIDR", "ipv4-native-routing-cidr"],
  ["ipMasqAgent.enabled", "enable-ip-masq-agent"],
  ["routingMode", "routing-mode"],
  ["tunnelProtocol", "tunnel-protocol"],
  ["tunnelPort", "tunnel-port"],
  ["underlayProtocol", "underlay-protocol"],
  ["kubeProxyReplacement", "kube-proxy-replacement"],
  ["socketLB.enabled", "bpf-lb-sock"],
  ["socketLB.hostNamespaceOnly", "bpf-lb-sock-hostns-only"],
  ["loadBalancer.algorithm", "bpf-lb-algorithm"],
  ["bpf.lbMapMax", "bpf-lb-map-max"],
  ["serviceNoBackendResponse", "service-no-backend-response"],
  ["enableNoServiceEndpointsRoutable", "enable-no-service-endpoints-routable"],
  ["sctp.enabled", "enable-sctp"],
  ["ipv4.enabled", "enable-ipv4"],
  ["ipv6.enabled", "enable-ipv6"],
  ["enableIPv6Masquerade", "enable-ipv6-masquerade"],
  ["ipv6NativeRoutingCIDR", "ipv6-native-routing-cidr"],
  ["fragmentTracking", "enable-ipv4-fragment-tracking"],
  ["nodePort.range", "node-port-range"],
  ["cluster.name", "cluster-name"],
  ["identityAllocationMode", "identity-allocation-mode"],
  ["ciliumEndpointSlice.enabled", "enable-cilium-endpoint-slice"],
  ["enableCiliumEndpointSlice", "enable-cilium-endpoint-slice"],
  ["labels", "labels"],
  ["policyEnforcementMode", "enable-policy"],
  ["bpf.policyMapMax", "bpf-policy-map-max"],
  ["policyAuditMode", "policy-audit-mode"],
];

/** Keys by which a document without kind is taken for Helm values although none of the options above is in it. */
const HELM_ROOTS = new Set([
  ...HELM_OPTIONS.map(([path]) => path.split(".")[0] ?? path),
  ...["policyEnforcementMode", "hubble", "k8sServiceHost", "k8sServicePort", "operator", "ipam", "ipv4", "bpf", "extraConfig", "encryption"],
]);

/** A mapping without kind whose top level has a key of Cilium's chart. */
export function looksLikeHelmValues(value: Readonly<Record<string, unknown>>): boolean {
  return !("kind" in value) && !("apiVersion" in value) && Object.keys(value).some((key) => HELM_ROOTS.has(key));
}

export class SettingsReader {
  readonly findings: Finding[] = [];
  readonly sources: SettingsSource[] = [];
  masqueradeAgent: MasqueradeAgentConfig | null = null;
  readonly #helm = new Map<string, Setting>();
  readonly #agent = new Map<string, Setting>();
  #agentText: { readonly text: string; readonly place: Origin; readonly key: string } | null = null;

  /** The agent reads the ConfigMap, so it wins over the values that it was made from. */
  settings(): ReadonlyMap<string, Setting> {
    return new Map([...this.#helm, ...this.#agent]);
  }

  readHelmValues(value: Readonly<Record<string, unknown>>, origin: Origin): void {
    this.sources.push({ kind: "helm-values", origin });
    for (const [path, option] of HELM_OPTIONS) {
      const segments = path.split(".");
      const found = valueUnder(value, segments);
      if (found === undefined || found === null || found === "") continue;
      this.#take(this.#helm, option, found, path, { ...origin, path: [...origin.path, ...segments] });
    }
    const extra = value["extraConfig"];
    if (isRecord(extra)) {
      for (const [option, found] of Object.entries(extra)) {
        this.#take(this.#helm, option, found, `extraConfig.${option}`, { ...origin, path: [...origin.path, "extraConfig", option] });
      }
    }
    const agent = valueUnder(value, ["ipMasqAgent", "config"]);
    if (isRecord(agent)) this.#takeMasqueradeAgent(agent, { ...origin, path: [...origin.path, "ipMasqAgent", "config"] });
  }

  /** A ConfigMap's values are strings by its schema; one with anything else is refused whole by the API server. */
  readCiliumConfig(manifest: Readonly<Record<string, unknown>>, origin: Origin): void {
    const entries = isRecord(manifest["data"]) ? Object.entries(manifest["data"]) : [];
    const [bad] = entries.filter(([, value]) => typeof value !== "string");
    if (bad !== undefined) {
      this.findings.push(notStrings(origin, entries.filter(([, value]) => typeof value !== "string").map(([key]) => key)));
      return;
    }
    this.sources.push({ kind: "cilium-config", origin });
    for (const [option, value] of entries) {
      this.#take(this.#agent, option, value, option, { ...origin, path: [...origin.path, "data", option] });
    }
  }

  readMasqueradeAgentConfig(manifest: Readonly<Record<string, unknown>>, origin: Origin): void {
    const data = isRecord(manifest["data"]) ? manifest["data"] : {};
    const [key, text] = Object.entries(data)[0] ?? ["config", ""];
    const place: Origin = { ...origin, path: [...origin.path, "data", key] };
    if (typeof text !== "string") {
      this.findings.push(agentFinding(place, `data.${key} is not a string`));
      return;
    }
    this.#agentText = { text, place, key };
  }

  /** Reads what was left for later: a ConfigMap's value can be any YAML, and the reader of that is worth loading only where one is. */
  async finish(): Promise<void> {
    if (this.#agentText === null) return;
    const { text, place, key } = this.#agentText;
    const { yamlValue } = await import("./yaml-document.ts");
    const { value, fault } = yamlValue(text);
    if (fault !== null) this.findings.push(agentFinding(place, `data.${key} is broken YAML: ${fault}`));
    else if (isRecord(value)) this.#takeMasqueradeAgent(value, place);
    else this.masqueradeAgent = { nonMasqueradeCidrs: null, masqLinkLocal: false, masqLinkLocalIpv6: false, origin: place };
  }

  #takeMasqueradeAgent(written: Readonly<Record<string, unknown>>, origin: Origin): void {
    const parsed = masqueradeAgentSchema.safeParse(written);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const path = formatPath((issue?.path ?? []).map((segment) => (typeof segment === "symbol" ? String(segment) : segment)));
      this.findings.push(agentFinding(origin, `${path}: ${issue?.message ?? "invalid"}`));
      return;
    }
    this.masqueradeAgent = {
      nonMasqueradeCidrs: parsed.data.nonMasqueradeCIDRs ?? null,
      masqLinkLocal: parsed.data.masqLinkLocal ?? false,
      masqLinkLocalIpv6: parsed.data.masqLinkLocalIPv6 ?? false,
      origin,
    };
  }

  #take(into: Map<string, Setting>, option: string, value: unknown, writtenAs: string, origin: Origin): void {
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") return;
    into.set(option, { value: String(value), writtenAs, origin });
  }
}

/** pkg/ipmasq: the file holds these keys and no others that matter. */
const masqueradeAgentSchema = z.object({
  nonMasqueradeCIDRs: z.array(cidr).nullish(),
  masqLinkLocal: z.boolean().nullish(),
  masqLinkLocalIPv6: z.boolean().nullish(),
});

function notStrings(origin: Origin, keys: readonly string[]): Finding {
  return {
    rule: "config-invalid",
    severity: "error",
    object: "ConfigMap cilium-config",
    at: placeOf(origin, "data", keys[0] ?? ""),
    message: `data.${keys.join(", data.")} ${keys.length === 1 ? "is" : "are"} not a string: every value of a ConfigMap must be one`,
    effect: "the API server refuses the object, so the agent never sees any of it; this run leaves it out too",
    fix: "write each value as one quoted string (a list of Hubble metrics: separated by spaces)",
  };
}

function agentFinding(origin: Origin, message: string): Finding {
  return {
    rule: "ip-masq-agent-invalid",
    severity: "error",
    object: "ConfigMap ip-masq-agent",
    at: placeOf(origin),
    message,
    effect: "the agent keeps the list it had before; this run uses the built-in list",
    fix: "correct the file: nonMasqueradeCIDRs is a list of CIDRs, masqLinkLocal and masqLinkLocalIPv6 are true or false",
  };
}

function valueUnder(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const segment of path) {
    if (!isRecord(at) || !Object.hasOwn(at, segment)) return undefined;
    at = at[segment];
  }
  return at;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
