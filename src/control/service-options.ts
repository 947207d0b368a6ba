// How a Cilium installation translates services (pkg/kpr, pkg/loadbalancer): by sockets or packet by packet.
import type { Finding } from "../cluster/finding.ts";
import { placeOf } from "../cluster/origin.ts";
import { type AgentOptions, kubeProxyReplaced } from "./agent-options.ts";
import type { ServiceTables } from "./tables.ts";

/** pkg/loadbalancer: DefaultLBMapMaxEntries. */
const SERVICE_MAP_ENTRIES = 65_536;
const LARGEST_SERVICE_MAP = 1 << 20;

export interface ServiceOptions extends Pick<ServiceTables, "translation" | "withoutBackend"> {
  /** Entries that each of the service maps may have (bpf-lb-map-max). */
  readonly mapMax: number;
}

/** `replaced`: whether kube-proxy is replaced where no option says. */
export function readServiceOptions(options: AgentOptions, replaced: boolean, sctp: boolean, findings: Finding[]): ServiceOptions {
  const routable = options.flag("enable-no-service-endpoints-routable", true);
  const response = options.oneOf("service-no-backend-response", ["reject", "drop"], "reject");
  const replacement = kubeProxyReplaced(options, replaced);
  const sockets = options.flag("bpf-lb-sock", replacement);
  if (replacement && !sockets) findings.push(socketsAnyway(options));
  const atSockets = (replacement || sockets) && !options.flag("bpf-lb-sock-hostns-only", false);
  noteAlgorithm(options, findings);
  return {
    // bpf_lxc.c, ENABLE_PER_PACKET_LB: SCTP has no sockets that Cilium could translate, and the program then does all protocols.
    translation: atSockets && !sctp ? "socket" : "per-packet",
    withoutBackend: routable ? response : "stack",
    mapMax: options.count("bpf-lb-map-max", SERVICE_MAP_ENTRIES, 1, LARGEST_SERVICE_MAP),
  };
}

/** pkg/kpr NewKPRConfig switches the socket level on with the replacement, whatever the option says. */
function socketsAnyway(options: AgentOptions): Finding {
  const setting = options.setting("bpf-lb-sock");
  return {
    rule: "socket-lb-overridden",
    severity: "warning",
    object: `Option ${setting?.writtenAs ?? "bpf-lb-sock"}`,
    at: setting === undefined ? null : placeOf(setting.origin),
    message: `${setting?.writtenAs ?? "bpf-lb-sock"} is false, but kube-proxy replacement is on`,
    effect: "the agent switches translation at the socket on with kube-proxy replacement, whatever this option says",
    fix: "for translation per packet in pods set socketLB.hostNamespaceOnly (bpf-lb-sock-hostns-only) to true",
  };
}

/** bpf_lxc.c sets LB_SELECTION to random before it includes lb.h: Maglev is for traffic from outside the cluster. */
function noteAlgorithm(options: AgentOptions, findings: Finding[]): void {
  const setting = options.setting("bpf-lb-algorithm");
  if (setting === undefined || options.oneOf("bpf-lb-algorithm", ["random", "maglev"], "random") === "random") return;
  findings.push({
    rule: "maglev-not-for-pods",
    severity: "info",
    object: `Option ${setting.writtenAs}`,
    at: placeOf(setting.origin),
    message: `${setting.writtenAs} is maglev`,
    effect: "it applies to traffic from outside; what pods send to services gets a random backend all the same",
    fix: "nothing to do",
  });
}
