// The manifests of a generated cluster, as `kubectl get … -o yaml` prints them, written piece by piece.
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { address6Text, addressText, planAddresses6, prefix6Text, prefixText, type AddressPlan, type AddressPlan6 } from "./address-plan.ts";
import type { GenerateSettings } from "./options.ts";

const NAMESPACE = "generated";
const POD_PREFIX_6 = 64, NODE_PREFIX_6 = 64;
/** The first identity that a cluster hands out to pods (pkg/identity/numericidentity.go). */
const FIRST_IDENTITY = 256;
const FIRST_ENDPOINT_ID = 10;
/** Jumbo frames underneath, so that the tunnel's 50 bytes fit over a 1500-byte packet. */
const DEVICE_MTU = 9000, DEVICE = "eth0";
/** Defaults of 1.19's agent for the maps that a large model may outgrow. */
const DEFAULT_MAP_SIZES = { policy: 16_384, tcp: 524_288, any: 262_144, nat: 524_288 } as const;
const PIECE_LEN = 1 << 18;

class TextFile {
  private readonly file: FileHandle;
  private pending = "";

  constructor(file: FileHandle) {
    this.file = file;
  }

  async add(text: string): Promise<void> {
    this.pending += text;
    if (this.pending.length >= PIECE_LEN) await this.flush();
  }

  async flush(): Promise<void> {
    await this.file.appendFile(this.pending);
    this.pending = "";
  }
}

async function writeText(path: string, pieces: Iterable<string>): Promise<void> {
  const file = await open(path, "w");
  try {
    const text = new TextFile(file);
    for (const piece of pieces) await text.add(piece);
    await text.flush();
  } finally {
    await file.close();
  }
}

/** Writes the model into `folder` and returns the names of its files. */
export async function writeCluster(folder: string, settings: GenerateSettings, plan: AddressPlan): Promise<readonly string[]> {
  const plan6 = settings.ipFamily === "4" ? null : planAddresses6(plan);
  const files = new Map<string, Iterable<string>>([
    ["cilium-config.yaml", [configMap(settings, plan)]],
    ["namespaces.yaml", [namespace()]],
    ["nodes.yaml", nodes(plan, plan6)],
    ["ciliumnodes.yaml", ciliumNodes(plan, plan6)],
    ["ciliumidentities.yaml", identities(settings)],
    ["ciliumendpoints.yaml", endpoints(settings, plan, plan6)],
    ["node-network.yaml", nodeNetworks(settings, plan, plan6)],
  ]);
  if (settings.policies > 0) files.set("policies.yaml", policies(settings, plan, plan6));
  for (const [name, pieces] of files) await writeText(join(folder, name), pieces);
  return [...files.keys()];
}

const LIST_HEAD = "apiVersion: v1\nkind: List\nitems:\n";

function configMap(settings: GenerateSettings, plan: AddressPlan): string {
  const limits: [string, number, number][] = [
    ["egress-gateway-policy-map-max", policyEntryCount(settings, plan), DEFAULT_MAP_SIZES.policy],
    ["bpf-ct-global-tcp-max", 2 * settings.flows, DEFAULT_MAP_SIZES.tcp],
    ["bpf-ct-global-any-max", 2 * settings.flows, DEFAULT_MAP_SIZES.any],
    ["bpf-nat-global-max", 2 * settings.flows, DEFAULT_MAP_SIZES.nat],
  ];
  const grown = limits.filter(([, wanted, size]) => wanted > size).map(([key, wanted]) => `  ${key}: "${powerOfTwoFrom(wanted)}"\n`);
  return `apiVersion: v1
kind: ConfigMap
metadata:
  name: cilium-config
  namespace: kube-system
data:
  enable-egress-gateway: "true"
  enable-ipv4-masquerade: "true"
  enable-bpf-masquerade: "true"
  kube-proxy-replacement: "true"
  routing-mode: tunnel
  tunnel-protocol: vxlan
${settings.ipFamily === "4" ? "" : '  enable-ipv6: "true"\n'}${grown.join("")}`;
}

function policyEntryCount(settings: GenerateSettings, plan: AddressPlan): number {
  const prefixes = Array.from({ length: settings.policies }, (_, policy) => plan.destinationPrefixes(policy).length);
  let entries = 0;
  for (let pod = 0; pod < settings.pods; pod++) entries += prefixes[plan.podGroup(pod)] ?? 0;
  return entries;
}

function powerOfTwoFrom(least: number): number {
  return 2 ** Math.ceil(Math.log2(least));
}

function namespace(): string {
  return `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${NAMESPACE}\n  labels:\n    kubernetes.io/metadata.name: ${NAMESPACE}\n`;
}

function nodeLabels(plan: AddressPlan, node: number): string {
  const name = plan.nodeName(node);
  const role = node >= plan.nodes - plan.gateways ? `      egress-gateway: ${name}\n` : "";
  return `    labels:\n      kubernetes.io/hostname: ${name}\n${role}`;
}

function* nodes(plan: AddressPlan, plan6: AddressPlan6 | null): Iterable<string> {
  yield LIST_HEAD;
  for (let node = 0; node < plan.nodes; node++) {
    const podCidr = prefixText(plan.podCidr(node));
    yield `- apiVersion: v1
  kind: Node
  metadata:
    name: ${plan.nodeName(node)}
${nodeLabels(plan, node)}  spec:
    podCIDR: ${podCidr}
    podCIDRs:
    - ${podCidr}
${plan6 === null ? "" : `    - ${podPrefix6(plan6, node)}\n`}  status:
    addresses:
    - address: ${addressText(plan.nodeAddress(node))}
      type: InternalIP
${plan6 === null ? "" : `    - address: ${address6Text(plan6.nodeAddress(node))}\n      type: InternalIP\n`}`;
  }
}

function podPrefix6(plan6: AddressPlan6, node: number): string {
  return prefix6Text({ address: plan6.podNetwork(node), bits: POD_PREFIX_6 });
}

/** The node's own, and cilium_host's: the first of the pod network. */
function internalAddresses6(plan6: AddressPlan6, node: number): string {
  const host = Uint8Array.from(plan6.podNetwork(node));
  host[host.length - 1] = 1;
  return `    - ip: ${address6Text(plan6.nodeAddress(node))}\n      type: InternalIP\n    - ip: ${address6Text(host)}\n      type: CiliumInternalIP\n`;
}

function* ciliumNodes(plan: AddressPlan, plan6: AddressPlan6 | null): Iterable<string> {
  yield LIST_HEAD;
  for (let node = 0; node < plan.nodes; node++) {
    yield `- apiVersion: cilium.io/v2
  kind: CiliumNode
  metadata:
    name: ${plan.nodeName(node)}
${nodeLabels(plan, node)}  spec:
    addresses:
    - ip: ${addressText(plan.nodeAddress(node))}
      type: InternalIP
    - ip: ${addressText(plan.podCidr(node).address + 1)}
      type: CiliumInternalIP
${plan6 === null ? "" : internalAddresses6(plan6, node)}    ipam:
      podCIDRs:
      - ${prefixText(plan.podCidr(node))}
${plan6 === null ? "" : `      - ${podPrefix6(plan6, node)}\n`}`;
  }
}

function identityLabels(group: number): readonly [string, string][] {
  return [
    ["k8s:group", `group-${group}`],
    [`k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name`, NAMESPACE],
    ["k8s:io.cilium.k8s.policy.cluster", "default"],
    ["k8s:io.cilium.k8s.policy.serviceaccount", "default"],
    ["k8s:io.kubernetes.pod.namespace", NAMESPACE],
  ];
}

function* identities(settings: GenerateSettings): Iterable<string> {
  yield LIST_HEAD;
  for (let group = 0; group <= settings.policies; group++) {
    const labels = identityLabels(group).map(([key, value]) => `    ${key}: ${value}\n`);
    yield `- apiVersion: cilium.io/v2
  kind: CiliumIdentity
  metadata:
    name: "${FIRST_IDENTITY + group}"
  security-labels:
${labels.join("")}`;
  }
}

function* endpoints(settings: GenerateSettings, plan: AddressPlan, plan6: AddressPlan6 | null): Iterable<string> {
  yield LIST_HEAD;
  for (let pod = 0; pod < settings.pods; pod++) {
    const group = plan.podGroup(pod);
    const labels = identityLabels(group).map(([key, value]) => `      - ${key}=${value}\n`);
    yield `- apiVersion: cilium.io/v2
  kind: CiliumEndpoint
  metadata:
    name: pod-${pod}
    namespace: ${NAMESPACE}
    uid: 00000000-0000-4000-8000-${pod.toString(16).padStart(12, "0")}
  status:
    id: ${FIRST_ENDPOINT_ID + (pod % 65_000)}
    identity:
      id: ${FIRST_IDENTITY + group}
      labels:
${labels.join("")}    networking:
      addressing:
      - ipv4: ${addressText(plan.podAddress(pod))}
${plan6 === null ? "" : `        ipv6: ${address6Text(plan6.podAddress(pod))}\n`}      node: ${addressText(plan.nodeAddress(plan.podNode(pod)))}
    state: ready
`;
  }
}

/** For IPv6 a policy of its own, since an egressIP gives IPv4 an address only. */
function* policies(settings: GenerateSettings, plan: AddressPlan, plan6: AddressPlan6 | null): Iterable<string> {
  yield LIST_HEAD;
  for (let policy = 0; policy < settings.policies; policy++) {
    if (settings.ipFamily !== "6")
      yield* policyObject(plan, policy, `policy-${policy}`, `egressIP: ${addressText(plan.egressAddress(policy))}`, plan.destinationPrefixes(policy).map(prefixText));
    if (plan6 !== null) yield* policyObject(plan, policy, `policy-${policy}-ipv6`, `interface: ${DEVICE}`, plan6.destinationPrefixes(policy).map(prefix6Text));
  }
}

function* policyObject(plan: AddressPlan, policy: number, name: string, egress: string, prefixes: readonly string[]): Iterable<string> {
  yield `- apiVersion: cilium.io/v2
  kind: CiliumEgressGatewayPolicy
  metadata:
    name: ${name}
  spec:
    selectors:
    - podSelector:
        matchLabels:
          group: group-${policy}
    egressGateway:
      nodeSelector:
        matchLabels:
          egress-gateway: ${plan.nodeName(plan.gatewayOfPolicy(policy))}
      ${egress}
    destinationCIDRs:
`;
  for (const prefix of prefixes) yield `    - ${prefix}\n`;
}

function* nodeNetworks(settings: GenerateSettings, plan: AddressPlan, plan6: AddressPlan6 | null): Iterable<string> {
  for (let node = 0; node < plan.nodes; node++) {
    const egress: string[] = [];
    for (let policy = 0; policy < settings.policies; policy++) {
      if (plan.gatewayOfPolicy(policy) === node) egress.push(`    - ${addressText(plan.egressAddress(policy))}/12\n`);
    }
    yield `---
apiVersion: egwsim.dev/v1
kind: NodeNetwork
metadata:
  name: ${plan.nodeName(node)}
spec:
  devices:
  - name: ${DEVICE}
    mac: ${nodeMac(plan.nodeAddress(node))}
    mtu: ${DEVICE_MTU}
    addresses:
    - ${addressText(plan.nodeAddress(node))}/12
${egress.join("")}${plan6 === null ? "" : `    - ${prefix6Text({ address: plan6.nodeAddress(node), bits: NODE_PREFIX_6 })}\n`}  routes:
  - to: 0.0.0.0/0
    via: 172.16.0.1
    dev: ${DEVICE}
${plan6 === null ? "" : `  - to: ::/0\n    via: fe80::1\n    dev: ${DEVICE}\n`}`;
  }
}

/** A locally administered address that ends in the node's IPv4 address. */
function nodeMac(address: number): string {
  return ["02", "00", ...addressText(address).split(".").map((part) => Number(part).toString(16).padStart(2, "0"))].join(":");
}
