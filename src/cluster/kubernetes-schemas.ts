// Kubernetes' and Cilium's own objects, as an API server prints them: only the fields that are read are checked.
import * as z from "zod";
import type { IpAddress } from "./cidr.ts";
import { address, addressOrNull, cidr, labels, objectName } from "./field-schemas.ts";
import type { CiliumEndpoint, CiliumIdentity, Namespace, NodeAddress, NodeObject, Pod } from "./model.ts";
import type { Origin } from "./origin.ts";

const metadata = z.object({
  name: objectName,
  namespace: objectName.nullish(),
  uid: z.string().max(253).nullish(),
  labels,
});
const text = z.string().nullish();
const LARGEST_IDENTITY = 0xffffff;

export const nodeSchema = z.object({
  metadata,
  spec: z.object({ podCIDR: text, podCIDRs: z.array(cidr).nullish() }).nullish(),
  status: z.object({
    addresses: z.array(z.object({ type: z.string(), address: addressOrNull })).nullish(),
    conditions: z.array(z.object({ type: z.string(), status: z.string() })).nullish(),
  }).nullish(),
}).transform((written, context) => {
  const single = written.spec?.podCIDR ?? "";
  if (single === "" || (written.spec?.podCIDRs ?? []).length > 0) return { ...written, podCidrs: written.spec?.podCIDRs ?? [] };
  const parsed = cidr.safeParse(single);
  if (parsed.success) return { ...written, podCidrs: [parsed.data] };
  for (const issue of parsed.error.issues) context.issues.push({ code: "custom", message: issue.message, input: single, path: ["spec", "podCIDR"] });
  return z.NEVER;
});

export function nodeFrom(written: z.output<typeof nodeSchema>, origin: Origin): NodeObject {
  const addresses: NodeAddress[] = [];
  for (const each of written.status?.addresses ?? []) {
    if (each.address !== null) addresses.push({ type: each.type, address: each.address });
  }
  const ready = written.status?.conditions?.find(({ type }) => type === "Ready");
  return {
    name: written.metadata.name, origin, labels: written.metadata.labels, addresses, podCidrs: written.podCidrs, ready: ready === undefined ? null : ready.status === "True",
  };
}

export const ciliumNodeSchema = z.object({
  metadata,
  spec: z
    .object({
      addresses: z.array(z.object({ type: z.string(), ip: address })).nullish(),
      ipam: z.object({ podCIDRs: z.array(cidr).nullish() }).nullish(),
    })
    .nullish(),
});

export function ciliumNodeFrom(written: z.output<typeof ciliumNodeSchema>, origin: Origin): NodeObject {
  return {
    name: written.metadata.name,
    origin,
    labels: written.metadata.labels,
    addresses: (written.spec?.addresses ?? []).map((each) => ({ type: each.type, address: each.ip })),
    podCidrs: written.spec?.ipam?.podCIDRs ?? [],
    ready: null,
  };
}

export const podSchema = z.object({
  metadata,
  spec: z
    .object({ nodeName: objectName.nullish(), hostNetwork: z.boolean().nullish(), serviceAccountName: text })
    .nullish(),
  status: z
    .object({
      phase: text,
      podIP: z.union([z.literal("").transform(() => null), address]).nullish(),
      podIPs: z.array(z.object({ ip: address })).nullish(),
    })
    .nullish(),
});

/** The API server's default for a pod that names no service account. */
const DEFAULT_SERVICE_ACCOUNT = "default";

export function podFrom(written: z.output<typeof podSchema>, origin: Origin): Pod {
  const { status, spec } = written;
  const several = (status?.podIPs ?? []).map((each) => each.ip);
  const single = status?.podIP ?? null;
  return {
    ...identityOf(written.metadata),
    origin,
    uid: written.metadata.uid ?? "",
    labels: written.metadata.labels,
    serviceAccount: spec?.serviceAccountName ?? DEFAULT_SERVICE_ACCOUNT,
    nodeName: spec?.nodeName ?? "",
    hostNetwork: spec?.hostNetwork ?? false,
    phase: status?.phase ?? "",
    addresses: several.length > 0 || single === null ? several : [single],
  };
}

export const namespaceSchema = z.object({ metadata });

export function namespaceFrom(written: z.output<typeof namespaceSchema>, origin: Origin): Namespace {
  return { name: written.metadata.name, origin, labels: written.metadata.labels };
}

const ipField = z.union([z.literal("").transform(() => null), address]).nullish();

export const endpointSchema = z.object({
  metadata,
  status: z
    .object({
      id: z.int().min(0).max(0xffff).nullish(),
      identity: z.object({ id: z.int().min(0).max(LARGEST_IDENTITY).nullish(), labels: z.array(z.string()).nullish() }).nullish(),
      networking: z
        .object({
          addressing: z.array(z.object({ ipv4: ipField, ipv6: ipField })).nullish(),
          node: ipField,
        })
        .nullish(),
    })
    .nullish(),
});

export function endpointFrom(written: z.output<typeof endpointSchema>, origin: Origin): CiliumEndpoint {
  const { status } = written;
  const addresses: IpAddress[] = [];
  for (const pair of status?.networking?.addressing ?? []) {
    for (const each of [pair.ipv4, pair.ipv6]) if (each) addresses.push(each);
  }
  return {
    ...identityOf(written.metadata),
    origin,
    uid: written.metadata.uid ?? "",
    endpointId: status?.id ?? 0,
    identity: status?.identity?.id ?? 0,
    identityLabels: status?.identity?.labels ?? [],
    addresses,
    nodeAddress: status?.networking?.node ?? null,
  };
}

export const identitySchema = z.object({
  metadata: z.object({
    name: z
      .string()
      .regex(/^[1-9][0-9]{0,7}$/, { error: "expected an identity number" })
      .refine((name) => Number(name) <= LARGEST_IDENTITY, { error: `expected an identity number up to ${LARGEST_IDENTITY}` }),
  }),
  "security-labels": labels,
});

export function identityFrom(written: z.output<typeof identitySchema>, origin: Origin): CiliumIdentity {
  const { name } = written.metadata;
  return { name, origin, number: Number(name), securityLabels: written["security-labels"] };
}

function identityOf(written: z.output<typeof metadata>): { readonly name: string; readonly namespace: string } {
  return { name: written.name, namespace: written.namespace ?? "default" };
}
