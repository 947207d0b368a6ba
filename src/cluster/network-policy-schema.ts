// CiliumNetworkPolicy, CiliumClusterwideNetworkPolicy and CiliumCIDRGroup as the CRDs of 1.19 admit them
// (crds/v2/ciliumnetworkpolicies.yaml): strict in what this model reads, and what it does not read must at least be known.
import * as z from "zod";
import { cidr, labels, labelSelector, objectName } from "./field-schemas.ts";
import { icmpType } from "./icmp-types.ts";
import type {
  CidrGroup, CidrPeer, EgressRule, IcmpType, NetworkPolicy, NetworkPolicyKind, NetworkPolicySpec, PolicyPort, PolicyPorts, UnknownPeers,
} from "./network-policy.ts";
import type { Origin, PathSegment } from "./origin.ts";

/** pkg/policy/api: L4Proto, and IANA's numbers. */
const PROTOCOLS: Readonly<Record<string, number | null>> = { ANY: null, TCP: 6, UDP: 17, SCTP: 132, ICMP: 1, ICMPv6: 58, VRRP: 112, IGMP: 2 };
const MOST_PORTS = 40;
const MOST_LISTENER_PRIORITY = 100;
const PORT_NAME = /^([a-zA-Z0-9]-?)*[a-zA-Z](-?[a-zA-Z0-9])*$/;

const unread = z.looseObject({});

/** A number from 0 to 65535 as text, or a port's name. */
const portText = z.string().transform((text, context): Pick<PolicyPort, "port" | "name"> => {
  if (/^[0-9]{1,5}$/.test(text) && Number(text) <= 65_535) return { port: Number(text), name: "" };
  if (PORT_NAME.test(text) && text.length <= 15) return { port: 0, name: text };
  context.issues.push({ code: "custom", message: "expected a port number from 0 to 65535, or a port's name", input: text });
  return z.NEVER;
});

const portProtocol = z.strictObject({
  port: portText.optional(),
  endPort: z.int().min(0).max(65_535).nullish(),
  protocol: z.enum(["ANY", "TCP", "UDP", "SCTP", "ICMP", "ICMPv6", "VRRP", "IGMP"]).nullish(),
}).transform((written): PolicyPort => ({
  ...(written.port ?? { port: 0, name: "" }), endPort: written.endPort ?? 0, protocol: PROTOCOLS[written.protocol ?? "ANY"] ?? null,
}));

const l7Rules = z.strictObject({
  http: z.array(unread).nullish(), kafka: z.array(unread).nullish(), dns: z.array(unread).nullish(), l7proto: z.string().nullish(),
  l7: z.array(unread).nullish(),
});

const portRule = z.strictObject({
  ports: z.array(portProtocol).max(MOST_PORTS, { error: `at most ${MOST_PORTS} ports in one rule` }).nullish(),
  rules: l7Rules.nullish(),
  terminatingTLS: unread.nullish(),
  originatingTLS: unread.nullish(),
  serverNames: z.array(z.string()).nullish(),
  listener: z.looseObject({ priority: z.int().min(0).max(MOST_LISTENER_PRIORITY).nullish() }).nullish(),
}).transform((written): PolicyPorts => ({ ports: written.ports ?? [], proxy: proxyOf(written) }));

function proxyOf(written: {
  readonly rules?: z.output<typeof l7Rules> | null | undefined;
  readonly terminatingTLS?: unknown;
  readonly originatingTLS?: unknown;
  readonly serverNames?: readonly string[] | null | undefined;
  readonly listener?: { readonly priority?: number | null | undefined } | null | undefined;
}): PolicyPorts["proxy"] {
  const { rules } = written;
  if (written.listener != null) return { parser: "listener", listenerPriority: written.listener.priority ?? 0 };
  if ((rules?.http ?? []).length > 0) return { parser: "http", listenerPriority: 0 };
  if ((rules?.kafka ?? []).length > 0) return { parser: "kafka", listenerPriority: 0 };
  if ((rules?.dns ?? []).length > 0) return { parser: "dns", listenerPriority: 0 };
  if ((rules?.l7proto ?? "") !== "") return { parser: "proxylib", listenerPriority: 0 };
  const tls = written.terminatingTLS != null || written.originatingTLS != null || (written.serverNames ?? []).length > 0;
  return tls ? { parser: "tls", listenerPriority: 0 } : null;
}

const denyPortRule = z.strictObject({ ports: z.array(portProtocol).max(MOST_PORTS).nullish() })
  .transform((written): PolicyPorts => ({ ports: written.ports ?? [], proxy: null }));

const icmpField = z.strictObject({ family: z.enum(["IPv4", "IPv6"]).nullish(), type: z.union([z.int(), z.string()]) }).transform((written, context): IcmpType => {
  const family = written.family === "IPv6" ? 6 : 4, type = icmpType(family, written.type);
  if (type !== undefined) return { family, type };
  context.issues.push({ code: "custom", message: "expected an ICMP type from 0 to 255, or its name", input: written.type, path: ["type"] });
  return z.NEVER;
});
const icmps = z.array(z.strictObject({ fields: z.array(icmpField).max(MOST_PORTS).nullish() })).nullish();

const cidrRule = z.strictObject({
  cidr: cidr.optional(), cidrGroupRef: objectName.nullish(), cidrGroupSelector: labelSelector.nullish(), except: z.array(cidr).nullish(),
}).transform((written, context): CidrPeer => {
  const named = [written.cidr, written.cidrGroupRef, written.cidrGroupSelector].filter((each) => each != null).length;
  if (named !== 1) context.issues.push({ code: "custom", message: "expected one of cidr, cidrGroupRef and cidrGroupSelector", input: written });
  return {
    cidrs: written.cidr === undefined ? [] : [written.cidr], groupName: written.cidrGroupRef ?? null, groupSelector: written.cidrGroupSelector ?? null,
    except: written.except ?? [],
  };
});

const ENTITIES = [
  "all", "world", "world-ipv4", "world-ipv6", "cluster", "host", "init", "ingress", "unmanaged", "remote-node", "health", "none", "kube-apiserver",
] as const;

const peerFields = {
  toEndpoints: z.array(labelSelector).nullish(),
  toRequires: z.array(labelSelector).nullish(),
  toCIDR: z.array(cidr).nullish(),
  toCIDRSet: z.array(cidrRule).nullish(),
  toEntities: z.array(z.enum(ENTITIES)).nullish(),
  toServices: z.array(unread).nullish(),
  toGroups: z.array(unread).nullish(),
  toNodes: z.array(labelSelector).nullish(),
  icmps,
};
const egressRule = z.strictObject({
  ...peerFields,
  toFQDNs: z.array(unread).nullish(),
  toPorts: z.array(portRule).nullish(),
  authentication: z.strictObject({ mode: z.enum(["disabled", "required", "test-always-fail"]) }).nullish(),
});
const egressDenyRule = z.strictObject({ ...peerFields, toPorts: z.array(denyPortRule).nullish() });

const rule = z.strictObject({
  endpointSelector: labelSelector.nullish(),
  nodeSelector: labelSelector.nullish(),
  ingress: z.array(unread).nullish(),
  ingressDeny: z.array(unread).nullish(),
  egress: z.array(egressRule).nullish(),
  egressDeny: z.array(egressDenyRule).nullish(),
  enableDefaultDeny: z.strictObject({ egress: z.boolean().nullish(), ingress: z.boolean().nullish() }).nullish(),
  labels: z.array(unread).nullish(),
  description: z.string().nullish(),
  log: unread.nullish(),
}).superRefine((written, context) => {
  if ((written.endpointSelector == null) === (written.nodeSelector == null))
    context.issues.push({ code: "custom", message: "expected one of endpointSelector and nodeSelector", input: written });
});

const policyBody = { spec: rule.nullish(), specs: z.array(rule).nullish(), status: z.unknown().optional() };
export const ciliumNetworkPolicySchema = z.strictObject({
  apiVersion: z.literal("cilium.io/v2"),
  kind: z.enum(["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"]),
  metadata: z.looseObject({ name: objectName, namespace: objectName.nullish() }),
  ...policyBody,
}).superRefine((written, context) => {
  if (written.spec == null && written.specs == null) context.issues.push({ code: "custom", message: "expected spec or specs", input: written });
});

/** Names that a strict object of these kinds may hold. */
export const NETWORK_POLICY_FIELDS: readonly string[] = [
  "apiVersion", "kind", "metadata", "spec", "specs", "status", ...Object.keys(rule.shape), ...Object.keys(egressRule.shape), "port", "endPort", "protocol", "ports",
  "rules", "terminatingTLS", "originatingTLS", "serverNames", "listener", "http", "kafka", "dns", "l7proto", "l7", "fields", "family", "type", "cidr",
  "cidrGroupRef", "cidrGroupSelector", "except", "mode", "matchLabels", "matchExpressions", "key", "operator", "values", "podSelector", "namespaceSelector",
  "policyTypes", "ipBlock", "to", "from",
];

export function ciliumNetworkPolicyFrom(written: z.output<typeof ciliumNetworkPolicySchema>, origin: Origin): NetworkPolicy {
  const kind: NetworkPolicyKind = written.kind;
  const specs = [
    ...(written.spec == null ? [] : [specFrom(written.spec, ["spec"])]),
    ...(written.specs ?? []).map((each, index) => specFrom(each, ["specs", index])),
  ];
  return { kind, name: written.metadata.name, namespace: kind === "CiliumNetworkPolicy" ? (written.metadata.namespace ?? "default") : "", origin, specs };
}

function specFrom(written: z.output<typeof rule>, path: readonly PathSegment[]): NetworkPolicySpec {
  return {
    path,
    subject: written.endpointSelector ?? null,
    egress: [
      ...(written.egress ?? []).map((each, index) => ruleFrom(each, [...path, "egress", index], false)),
      ...(written.egressDeny ?? []).map((each, index) => ruleFrom(each, [...path, "egressDeny", index], true)),
    ],
    defaultDeny: written.enableDefaultDeny?.egress ?? null,
    hasIngress: (written.ingress ?? []).length + (written.ingressDeny ?? []).length > 0,
  };
}

const UNKNOWN_PEERS: readonly UnknownPeers[] = ["toFQDNs", "toServices", "toGroups", "toNodes", "toRequires"];
const PEER_FIELDS = ["toEndpoints", "toCIDR", "toCIDRSet", "toEntities", "toServices", "toGroups", "toFQDNs", "toNodes"] as const;

function ruleFrom(
  written: z.output<typeof egressRule> | z.output<typeof egressDenyRule>, path: readonly PathSegment[], deny: boolean,
): EgressRule {
  const lists: Readonly<Record<string, readonly unknown[] | null | undefined>> = written as Readonly<Record<string, readonly unknown[]>>;
  const named = (field: string): boolean => (lists[field]?.length ?? 0) > 0;
  return {
    path,
    deny,
    endpoints: (written.toEndpoints ?? []).map((podSelector) => ({ podSelector, namespaceSelector: null })),
    cidrs: [
      ...(written.toCIDR ?? []).map((each): CidrPeer => ({ cidrs: [each], groupName: null, groupSelector: null, except: [] })),
      ...(written.toCIDRSet ?? []),
    ],
    entities: written.toEntities ?? [],
    peerFields: PEER_FIELDS.filter(named),
    peersEmpty: PEER_FIELDS.some((field) => lists[field] != null && !named(field)),
    unknownPeers: UNKNOWN_PEERS.filter(named),
    toPorts: written.toPorts ?? [],
    icmps: (written.icmps ?? []).flatMap(({ fields }) => fields ?? []),
    authentication: "authentication" in written ? (written.authentication?.mode ?? null) : null,
    everywhere: false,
  };
}

export const cidrGroupSchema = z.strictObject({
  apiVersion: z.string(),
  kind: z.literal("CiliumCIDRGroup"),
  metadata: z.looseObject({ name: objectName, labels }),
  spec: z.strictObject({ externalCIDRs: z.array(cidr) }),
});

export function cidrGroupFrom(written: z.output<typeof cidrGroupSchema>, origin: Origin): CidrGroup {
  return { name: written.metadata.name, origin, labels: written.metadata.labels, cidrs: written.spec.externalCIDRs };
}
