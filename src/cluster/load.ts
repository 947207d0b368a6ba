// Manifests to a checked cluster. The only way into zod, and into yaml where a file needs it: import this file when manifests are
// to be read.
import type { z } from "zod";
import { agentUnknown, readBugtoolNetwork, type ReportedNetwork } from "./bugtool-network.ts";
import type { Finding, IgnoredKind } from "./finding.ts";
import { InputError, type InputProblem } from "./input-error.ts";
import { jsonDocument } from "./json-document.ts";
import {
  ciliumNodeFrom, ciliumNodeSchema, endpointFrom, endpointSchema, identityFrom, identitySchema, namespaceFrom,
  namespaceSchema, nodeFrom, nodeSchema, podFrom, podSchema,
} from "./kubernetes-schemas.ts";
import { findManifests, type ManifestFile, readManifest } from "./manifest-files.ts";
import type {
  CiliumEndpoint, CiliumIdentity, Cluster, ClusterObject, EgressGatewayPolicy, EndpointSlice, Namespace, NodeNetwork, NodeObject, Pod, Service,
} from "./model.ts";
import { networkPolicyFrom, networkPolicySchema } from "./kubernetes-network-policy-schema.ts";
import type { CidrGroup, NetworkPolicy } from "./network-policy.ts";
import {
  cidrGroupFrom, cidrGroupSchema, ciliumNetworkPolicyFrom, ciliumNetworkPolicySchema, NETWORK_POLICY_FIELDS,
} from "./network-policy-schema.ts";
import { networkFrom, networkSchema } from "./network-schema.ts";
import { compareRefs, type Origin, placeOf, type SourceDocument } from "./origin.ts";
import { plainYamlDocuments } from "./plain-yaml-document.ts";
import { policyFrom, policySchema } from "./policy-schema.ts";
import { schemaProblems } from "./schema-problems.ts";
import {
  type EndpointSubsets, endpointSliceFrom, endpointSliceSchema, endpointsFrom, endpointsSchema, serviceFrom, serviceSchema,
} from "./service-schemas.ts";
import { isRecord, looksLikeHelmValues, SettingsReader } from "./settings.ts";
import { formatSourceRef } from "./source.ts";
import type { AssumedKind, SysdumpObjects } from "./sysdump-files.ts";

/** Reads every manifest under `paths`. Throws one InputError that holds all faults of all files. */
export async function loadCluster(paths: readonly string[]): Promise<Cluster> {
  const problems: InputProblem[] = [];
  const sources = await findManifests(paths, problems);
  try {
    const reader = new ManifestReader(problems);
    const objects: readonly SysdumpObjects[] = sources.sysdumps.flatMap((sysdump) => sysdump.objects);
    for (const { file, assumed } of [...sources.files.map((each) => ({ file: each, assumed: null })), ...objects]) {
      const manifest = await readManifest(file, problems);
      if (manifest !== null) for (const document of await documentsOf(manifest, problems)) reader.readDocument(document, assumed);
    }
    await reader.finish();
    for (const sysdump of sources.sysdumps) {
      reader.findings.push(...sysdump.findings);
      for (const network of sysdump.networks) reader.takeNetwork(await readBugtoolNetwork(network, problems));
    }
    if (problems.length > 0) throw new InputError(problems.sort((a, b) => compareRefs(a.at, b.at)));
    return reader.cluster(sources.files.length + objects.length);
  } finally {
    await sources.close();
  }
}

/** JSON goes through JSON.parse, plain YAML through its own reader; what these refuse is left to the yaml package, which either takes
 * it (as kubectl would) or says where it is broken. */
async function documentsOf(file: ManifestFile, problems: InputProblem[]): Promise<readonly SourceDocument[]> {
  if (/\.json$/i.test(file.path)) {
    try {
      return [jsonDocument(file.path, file.text, JSON.parse(file.text))];
    } catch {
      // Falls through to the reader that knows lines and columns.
    }
  }
  const plain = plainYamlDocuments(file.path, file.text);
  if (plain !== null) return plain;
  const { NESTED_TOO_DEEPLY, yamlDocuments } = await import("./yaml-document.ts");
  try {
    const parsed = yamlDocuments(file.path, file.text);
    problems.push(...parsed.problems);
    return parsed.documents;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    problems.push({ at: null, subject: file.path, message: NESTED_TOO_DEEPLY, cure: "no manifest needs that" });
    return [];
  }
}

/** Below this many objects zod's compiled checks (a `new Function` for every object schema, 24 ms in all) take longer than they save. */
const FEW_OBJECTS = 1000;

const POLICY_FIELDS = [
  "apiVersion", "kind", "metadata", "spec", "selectors", "podSelector", "namespaceSelector", "nodeSelector", "matchLabels",
  "matchExpressions", "key", "operator", "values", "destinationCIDRs", "excludedCIDRs", "egressGateway", "egressGateways",
  "interface", "egressIP",
];
const NETWORK_FIELDS = [
  "apiVersion", "kind", "metadata", "spec", "devices", "routes", "rules", "podCIDRs", "name", "mac", "mtu", "ifindex",
  "addresses", "to", "via", "dev", "table", "from",
];

class ManifestReader {
  readonly findings: Finding[] = [];
  readonly #problems: InputProblem[];
  readonly #settings = new SettingsReader();
  readonly #seen = new Map<string, Origin>();
  readonly #ignored = new Map<string, { count: number; readonly first: Origin }>();
  readonly #policies: EgressGatewayPolicy[] = [];
  readonly #ciliumNodes: NodeObject[] = [];
  readonly #nodes: NodeObject[] = [];
  readonly #networks: NodeNetwork[] = [];
  readonly #pods: Pod[] = [];
  readonly #namespaces: Namespace[] = [];
  readonly #endpoints: CiliumEndpoint[] = [];
  readonly #identities: CiliumIdentity[] = [];
  readonly #networkPolicies: NetworkPolicy[] = [];
  readonly #cidrGroups: CidrGroup[] = [];
  readonly #services: Service[] = [];
  readonly #endpointSlices: EndpointSlice[] = [];
  readonly #endpointSubsets: EndpointSubsets[] = [];

  constructor(problems: InputProblem[]) {
    this.#problems = problems;
  }

  /** `assumed`: what the document is where it does not say so itself. */
  readDocument(document: SourceDocument, assumed: AssumedKind | null): void {
    const origin: Origin = { document, path: [] };
    const { value } = document;
    if (assumed !== null && isRecord(value) && (typeof value["kind"] !== "string" || value["kind"] === "")) {
      this.#readObject({ ...value, ...assumed }, origin, "", "");
    } else if (Array.isArray(document.value)) {
      for (const [index, value] of document.value.entries()) this.#readObject(value, { document, path: [index] }, "", "");
    } else {
      this.#readObject(document.value, origin, "", "");
    }
  }

  /** A node's network as its agent's pod reports it; a NodeNetwork that somebody wrote counts more. */
  takeNetwork(reported: ReportedNetwork): void {
    const agent = this.#pods.find(({ name, nodeName }) => name === reported.agentPod && nodeName !== "");
    if (agent === undefined) this.findings.push(agentUnknown(reported));
    else if (reported.devices.length > 0 && !this.#networks.some(({ name }) => name === agent.nodeName)) {
      this.#networks.push({ ...reported, name: agent.nodeName, podCidrs: [] });
    }
  }

  /** To be called when every document was read. */
  async finish(): Promise<void> {
    await this.#settings.finish();
  }

  cluster(fileCount: number): Cluster {
    const ignored = [...this.#ignored].map(([kind, { count, first }]): IgnoredKind => ({ kind, count, firstAt: placeOf(first) }));
    return {
      fileCount,
      policies: this.#policies.sort(byName),
      ciliumNodes: this.#ciliumNodes.sort(byName),
      nodes: this.#nodes.sort(byName),
      networks: this.#networks.sort(byName),
      pods: this.#pods.sort(byNamespaceAndName),
      namespaces: this.#namespaces.sort(byName),
      endpoints: this.#endpoints.sort(byNamespaceAndName),
      identities: this.#identities.sort((a, b) => a.number - b.number),
      networkPolicies: this.#networkPolicies.sort(byNamespaceAndName),
      cidrGroups: this.#cidrGroups.sort(byName),
      services: this.#services.sort(byNamespaceAndName),
      endpointSlices: this.#slices().sort(byNamespaceAndName),
      settings: this.#settings.settings(),
      settingsSources: this.#settings.sources,
      masqueradeAgent: this.#settings.masqueradeAgent,
      ignored: ignored.sort((a, b) => (a.kind < b.kind ? -1 : 1)),
      findings: [...this.#settings.findings, ...this.findings],
    };
  }

  /** Cilium reads EndpointSlices; an Endpoints object counts where its mirror is not among the manifests. */
  #slices(): EndpointSlice[] {
    const sliced = new Set(this.#endpointSlices.map(({ namespace, serviceName }) => `${namespace}/${serviceName}`));
    const mirrored = this.#endpointSubsets.filter(({ namespace, name }) => !sliced.has(`${namespace}/${name}`));
    return [...this.#endpointSlices, ...mirrored.flatMap(({ slices }) => slices)];
  }

  /** `listKind` and `listVersion`: what an item of a typed list (CiliumNodeList) is where it does not say so itself. */
  #readObject(value: unknown, origin: Origin, listKind: string, listVersion: string): void {
    if (!isRecord(value)) {
      this.#ignore("(not an object)", origin);
      return;
    }
    const kind = typeof value["kind"] === "string" ? value["kind"] : listKind;
    const version = typeof value["apiVersion"] === "string" ? value["apiVersion"] : listVersion;
    const { items } = value;
    if (kind.endsWith("List") && (Array.isArray(items) || items === null)) {
      const itemKind = kind.slice(0, -"List".length);
      for (const [index, item] of (items ?? []).entries()) {
        this.#readObject(item, { ...origin, path: [...origin.path, "items", index] }, itemKind, itemKind === "" ? "" : version);
      }
      return;
    }
    if (looksLikeHelmValues(value)) this.#settings.readHelmValues(value, origin);
    else this.#readKind(kind, version, value, origin);
  }

  #readKind(kind: string, version: string, value: Readonly<Record<string, unknown>>, origin: Origin): void {
    const cilium = version.startsWith("cilium.io/");
    const core = version === "v1";
    if (kind === "CiliumEgressGatewayPolicy") {
      this.#take(kind, { ...value, kind, apiVersion: version }, origin, policySchema, policyFrom, this.#policies, POLICY_FIELDS);
    } else if (kind === "NodeNetwork" && (version === "" || version.startsWith("egwsim.dev/"))) {
      this.#take(kind, { ...value, apiVersion: version }, origin, networkSchema, networkFrom, this.#networks, NETWORK_FIELDS);
    } else if (kind === "CiliumNode" && cilium) this.#take(kind, value, origin, ciliumNodeSchema, ciliumNodeFrom, this.#ciliumNodes, []);
    else if (kind === "CiliumEndpoint" && cilium) this.#take(kind, value, origin, endpointSchema, endpointFrom, this.#endpoints, []);
    else if (kind === "CiliumIdentity" && cilium) this.#take(kind, value, origin, identitySchema, identityFrom, this.#identities, []);
    else if (cilium && (kind === "CiliumNetworkPolicy" || kind === "CiliumClusterwideNetworkPolicy")) {
      const typed = { ...value, kind, apiVersion: version };
      this.#take(kind, typed, origin, ciliumNetworkPolicySchema, ciliumNetworkPolicyFrom, this.#networkPolicies, NETWORK_POLICY_FIELDS);
    } else if (kind === "NetworkPolicy" && version.startsWith("networking.k8s.io/")) {
      const typed = { ...value, kind, apiVersion: version };
      this.#take(kind, typed, origin, networkPolicySchema, networkPolicyFrom, this.#networkPolicies, NETWORK_POLICY_FIELDS);
    } else if (kind === "CiliumCIDRGroup" && cilium) {
      this.#take(kind, { ...value, kind, apiVersion: version }, origin, cidrGroupSchema, cidrGroupFrom, this.#cidrGroups, ["externalCIDRs"]);
    } else if (kind === "Node" && core) this.#take(kind, value, origin, nodeSchema, nodeFrom, this.#nodes, []);
    else if (kind === "Pod" && core) this.#take(kind, value, origin, podSchema, podFrom, this.#pods, []);
    else if (kind === "Namespace" && core) this.#take(kind, value, origin, namespaceSchema, namespaceFrom, this.#namespaces, []);
    else if (kind === "Service" && core) this.#take(kind, value, origin, serviceSchema, serviceFrom, this.#services, []);
    else if (kind === "Endpoints" && core) this.#take(kind, value, origin, endpointsSchema, endpointsFrom, this.#endpointSubsets, []);
    else if (kind === "EndpointSlice" && version.startsWith("discovery.k8s.io/"))
      this.#take(kind, value, origin, endpointSliceSchema, endpointSliceFrom, this.#endpointSlices, []);
    else if (kind === "ConfigMap" && core && this.#readConfigMap(value, origin)) return;
    else this.#ignore(kind === "" ? "(no kind)" : kind, origin);
  }

  #readConfigMap(value: Readonly<Record<string, unknown>>, origin: Origin): boolean {
    const metadata = isRecord(value["metadata"]) ? value["metadata"] : {};
    const { name } = metadata;
    if (name !== "cilium-config" && name !== "ip-masq-agent") return false;
    if (!this.#isFirst("ConfigMap", String(metadata["namespace"] ?? "default"), name, origin)) return true;
    if (name === "cilium-config") this.#settings.readCiliumConfig(value, origin);
    else this.#settings.readMasqueradeAgentConfig(value, origin);
    return true;
  }

  #take<Schema extends z.ZodType, Made extends ClusterObject & { readonly namespace?: string }>(
    kind: string,
    value: Readonly<Record<string, unknown>>,
    origin: Origin,
    schema: Schema,
    make: (written: z.output<Schema>, origin: Origin) => Made,
    into: Made[],
    knownFields: readonly string[],
  ): void {
    const parsed = schema.safeParse(value, { jitless: this.#seen.size < FEW_OBJECTS });
    if (!parsed.success) {
      this.#problems.push(...schemaProblems({ kind, value, origin, knownFields }, parsed.error.issues));
      return;
    }
    const made = make(parsed.data, origin);
    if (this.#isFirst(kind, made.namespace ?? "", made.name, origin)) into.push(made);
  }

  #isFirst(kind: string, namespace: string, name: string, origin: Origin): boolean {
    const key = `${kind} ${namespace === "" ? name : `${namespace}/${name}`}`;
    const first = this.#seen.get(key);
    if (first === undefined) {
      this.#seen.set(key, origin);
      return true;
    }
    this.#problems.push({
      at: placeOf(origin),
      subject: key,
      message: `${key} is given twice: first at ${formatSourceRef(placeOf(first))}`,
      cure: "keep one of the two",
    });
    return false;
  }

  #ignore(kind: string, origin: Origin): void {
    const shown = kind.replace(/[^\x20-\x7e]/g, "?").slice(0, 100);
    const known = this.#ignored.get(shown);
    if (known === undefined) this.#ignored.set(shown, { count: 1, first: origin });
    else known.count++;
  }
}

function byName(a: ClusterObject, b: ClusterObject): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function byNamespaceAndName(
  a: ClusterObject & { readonly namespace: string },
  b: ClusterObject & { readonly namespace: string },
): number {
  return a.namespace < b.namespace ? -1 : a.namespace > b.namespace ? 1 : byName(a, b);
}
