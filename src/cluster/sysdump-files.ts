// Which files of a `cilium sysdump` are of use, by the names that cilium-cli gives them (cilium-cli/sysdump/constants.go) and
// that cilium-bugtool gives to the output of commands (bugtool/cmd/root.go, writeCmdToFile).
import type { Finding } from "./finding.ts";

/** One file below a folder or in an archive. */
export interface TreeFile {
  /** As messages name it. */
  readonly path: string;
  /** Below the root, with / between folders. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly read: () => Promise<Buffer>;
}

/** What an object of a file is where the file does not say: lists of typed clients come without kind. */
export interface AssumedKind {
  readonly kind: string;
  readonly apiVersion: string;
}

/** Files that are read, by the part of the name before the time. Of those that this build has no use for it lists the kinds. */
const OBJECT_FILES: Readonly<Record<string, AssumedKind>> = {
  "ciliumegressgatewaypolicies": { kind: "CiliumEgressGatewayPolicyList", apiVersion: "cilium.io/v2" },
  "ciliumnodes": { kind: "CiliumNodeList", apiVersion: "cilium.io/v2" },
  "ciliumendpoints": { kind: "CiliumEndpointList", apiVersion: "cilium.io/v2" },
  "ciliumidentities": { kind: "CiliumIdentityList", apiVersion: "cilium.io/v2" },
  "ciliumnetworkpolicies": { kind: "CiliumNetworkPolicyList", apiVersion: "cilium.io/v2" },
  "ciliumclusterwidenetworkpolicies": { kind: "CiliumClusterwideNetworkPolicyList", apiVersion: "cilium.io/v2" },
  "ciliumcidrgroups": { kind: "CiliumCIDRGroupList", apiVersion: "cilium.io/v2" },
  "ciliumendpointslices": { kind: "CiliumEndpointSliceList", apiVersion: "cilium.io/v2alpha1" },
  "cilium-configmap": { kind: "ConfigMap", apiVersion: "v1" },
  "k8s-nodes": { kind: "NodeList", apiVersion: "v1" },
  "k8s-pods": { kind: "PodList", apiVersion: "v1" },
  "k8s-namespaces": { kind: "NamespaceList", apiVersion: "v1" },
  "k8s-services": { kind: "ServiceList", apiVersion: "v1" },
  "k8s-endpointslices": { kind: "EndpointSliceList", apiVersion: "discovery.k8s.io/v1" },
  "k8s-networkpolicies": { kind: "NetworkPolicyList", apiVersion: "networking.k8s.io/v1" },
};

/** Without these the model has to guess, and what it then does. */
const WANTED: Readonly<Record<string, string>> = {
  "ciliumegressgatewaypolicies": "there is no egress policy",
  "ciliumnodes": "nodes are taken from k8s-nodes",
  "ciliumendpoints": "endpoints are taken from k8s-pods",
  "ciliumidentities": "identities have the labels that their endpoints name",
  "cilium-configmap": "the installation is assumed",
};

export const MANIFEST = /\.(ya?ml|json)$/i;
const TIMED = /-[0-9]{8}-[0-9]{6}\b/;
const OBJECT_NAME = /^([a-z0-9-]+)-[0-9]{8}-[0-9]{6}\.ya?ml$/;
const BUGTOOL_FOLDER = /^cilium-bugtool-(.+)-[0-9]{8}-[0-9]{6}$/;

/** The command outputs that tell a node's devices, routes and rules. */
const NETWORK_OUTPUT = /^(ip-a|ip--[46]-r|ip--d-rule|ip--[46]-route-show-table-[0-9]+)\.md$/;

export interface SysdumpObjects {
  readonly file: TreeFile;
  /** Null for a manifest that somebody put beside the sysdump's own files. */
  readonly assumed: AssumedKind | null;
}

export interface BugtoolNetwork {
  /** The agent's pod, which k8s-pods puts on a node. */
  readonly agentPod: string;
  /** By the name of the output, such as ip-a. */
  readonly outputs: ReadonlyMap<string, TreeFile>;
}

export interface Sysdump {
  readonly path: string;
  readonly objects: readonly SysdumpObjects[];
  readonly networks: readonly BugtoolNetwork[];
  readonly findings: readonly Finding[];
}

/** Whether a folder with these files is the root of a sysdump. */
export function isSysdump(names: readonly string[]): boolean {
  return names.some((name) => objectsIn(name) in WANTED);
}

/** Sorts the files of a sysdump; `name` of each is below its root. */
export function sysdumpOf(path: string, files: readonly TreeFile[]): Sysdump {
  const objects: SysdumpObjects[] = [];
  const bugtools = new Map<string, Map<string, TreeFile>>();
  const unused = new Map<string, number>();
  for (const file of files) {
    const segments = file.name.split("/");
    const last = segments.at(-1) ?? "";
    const assumed = segments.length === 1 ? OBJECT_FILES[objectsIn(last)] : undefined;
    const [, agentPod] = BUGTOOL_FOLDER.exec(segments[0] ?? "") ?? [];
    if (assumed !== undefined || (segments.length === 1 && MANIFEST.test(last) && !TIMED.test(last))) {
      objects.push({ file, assumed: assumed ?? null });
    } else if (agentPod !== undefined && NETWORK_OUTPUT.test(last)) {
      const outputs = bugtools.get(agentPod) ?? new Map<string, TreeFile>();
      bugtools.set(agentPod, outputs.set(last.replace(/\.md$/, ""), file));
    } else {
      const what = unusedName(segments);
      unused.set(what, (unused.get(what) ?? 0) + 1);
    }
  }
  const networks = [...bugtools].map(([agentPod, outputs]): BugtoolNetwork => ({ agentPod, outputs }));
  return { path, objects, networks, findings: [...lacking(path, objects), ...withoutNetworks(path, networks), ...leftOver(path, unused)] };
}

function objectsIn(name: string): string {
  const [, what] = OBJECT_NAME.exec(name) ?? [];
  return what !== undefined && Object.hasOwn(OBJECT_FILES, what) ? what : "";
}

/** Times and pod names make way, so that files of one sort count together. */
function unusedName(segments: readonly string[]): string {
  const last = (segments.at(-1) ?? "").replace(/[^\x20-\x7e]/g, "?");
  if (BUGTOOL_FOLDER.test(segments[0] ?? "")) return `cilium-bugtool: ${last}`;
  if (segments.length > 1) return `${(segments[0] ?? "").replace(/[^\x20-\x7e]/g, "?").replace(/-[0-9]{8}-[0-9]{6}.*$/, "")}/…`;
  const [, sort] = /^(logs|hubble-flows|hubble-observe|metrics|gops|cniconf)-/.exec(last) ?? [];
  return sort ?? last.replace(/-[0-9]{8}-[0-9]{6}.*$/, "");
}

function lacking(path: string, objects: readonly SysdumpObjects[]): readonly Finding[] {
  const found = new Set(objects.map(({ file }) => objectsIn(file.name)));
  return Object.entries(WANTED)
    .filter(([what]) => !found.has(what))
    .map(([what, instead]) => ({
      rule: "sysdump-lacks",
      severity: "warning",
      object: `Sysdump ${path}`,
      at: null,
      message: `the sysdump holds no ${what}`,
      effect: `nothing in Cilium depends on it; in this run ${instead}`,
      fix: "take it again with cilium sysdump and the rights to read the objects, or name a file that holds them beside it",
    }));
}

function withoutNetworks(path: string, networks: readonly BugtoolNetwork[]): readonly Finding[] {
  if (networks.length > 0) return [];
  return [
    {
      rule: "sysdump-lacks",
      severity: "warning",
      object: `Sysdump ${path}`,
      at: null,
      message: "the sysdump holds no cilium-bugtool output",
      effect: "nothing in Cilium depends on it; in this run the nodes' devices, addresses and routes are assumed",
      fix: "take it without --quick, or add NodeNetwork objects for the gateways",
    },
  ];
}

const MOST_NAMED = 12;

function leftOver(path: string, unused: ReadonlyMap<string, number>): readonly Finding[] {
  if (unused.size === 0) return [];
  const names = [...unused.keys()].sort();
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more sorts of files` : "";
  return [
    {
      rule: "sysdump-not-read",
      severity: "info",
      object: `Sysdump ${path}`,
      at: null,
      message: `the sysdump also holds ${names.slice(0, MOST_NAMED).join(", ")}${more}`,
      effect: "the model has no place for them: they are not read",
      fix: "nothing to do",
    },
  ];
}
