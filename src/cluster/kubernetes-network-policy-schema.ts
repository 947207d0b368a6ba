// NetworkPolicy of networking.k8s.io/v1, and how the agent translates it (pkg/k8s/network_policy.go).
import * as z from "zod";
import { cidr, labelSelector, objectName } from "./field-schemas.ts";
import type { EgressRule, NetworkPolicy, PolicyPort, PolicyPorts } from "./network-policy.ts";
import type { Origin, PathSegment } from "./origin.ts";

const PROTOCOLS = { TCP: 6, UDP: 17, SCTP: 132 } as const;

const port = z.strictObject({
  protocol: z.enum(["TCP", "UDP", "SCTP"]).nullish(),
  port: z.union([z.int().min(1).max(65_535), z.string().min(1)]).nullish(),
  endPort: z.int().min(1).max(65_535).nullish(),
}).transform((written): PolicyPort => ({
  protocol: PROTOCOLS[written.protocol ?? "TCP"],
  port: typeof written.port === "number" ? written.port : 0,
  name: typeof written.port === "string" ? written.port : "",
  endPort: written.endPort ?? 0,
}));

const peer = z.strictObject({
  podSelector: labelSelector.nullish(),
  namespaceSelector: labelSelector.nullish(),
  ipBlock: z.strictObject({ cidr, except: z.array(cidr).nullish() }).nullish(),
});

const egress = z.strictObject({ ports: z.array(port).nullish(), to: z.array(peer).nullish() });

export const networkPolicySchema = z.strictObject({
  apiVersion: z.literal("networking.k8s.io/v1"),
  kind: z.literal("NetworkPolicy"),
  metadata: z.looseObject({ name: objectName, namespace: objectName.nullish() }),
  spec: z.strictObject({
    podSelector: labelSelector.nullish(),
    policyTypes: z.array(z.enum(["Ingress", "Egress"])).nullish(),
    ingress: z.array(z.looseObject({})).nullish(),
    egress: z.array(egress).nullish(),
  }),
  status: z.unknown().optional(),
});

export function networkPolicyFrom(written: z.output<typeof networkPolicySchema>, origin: Origin): NetworkPolicy {
  const { spec } = written, path = ["spec"], rules = spec.egress ?? [];
  const types = spec.policyTypes ?? (rules.length > 0 ? ["Ingress", "Egress"] : ["Ingress"]);
  const asked = types.includes("Egress");
  return {
    kind: "NetworkPolicy",
    name: written.metadata.name,
    namespace: written.metadata.namespace ?? "default",
    origin,
    specs: [{
      path,
      subject: spec.podSelector ?? [],
      egress: asked ? rules.flatMap((each, index) => rulesFrom(each, [...path, "egress", index])) : [],
      defaultDeny: asked,
      hasIngress: types.includes("Ingress"),
    }],
  };
}

/** A rule for each destination, as the agent makes them. */
function rulesFrom(written: z.output<typeof egress>, path: readonly PathSegment[]): readonly EgressRule[] {
  const ports = written.ports ?? [], toPorts: readonly PolicyPorts[] = ports.length === 0 ? [] : [{ ports, proxy: null }];
  const common = {
    deny: false, endpoints: [], cidrs: [], entities: [], peerFields: [], peersEmpty: false, unknownPeers: [], toPorts, icmps: [], authentication: null,
    everywhere: false,
  };
  const peers = written.to ?? [];
  if (peers.length === 0) return [{ ...common, path, everywhere: true }];
  return peers.map((each, index): EgressRule => {
    const at = [...path, "to", index];
    if (each.ipBlock != null) {
      const block = { cidrs: [each.ipBlock.cidr], groupName: null, groupSelector: null, except: each.ipBlock.except ?? [] };
      return { ...common, path: at, cidrs: [block], peerFields: ["toCIDRSet"] };
    }
    return {
      ...common, path: at, endpoints: [{ podSelector: each.podSelector ?? null, namespaceSelector: each.namespaceSelector ?? null }],
      peerFields: ["toEndpoints"],
    };
  });
}
