// CiliumEgressGatewayPolicy as the CRD of 1.19 admits it (crds/v2/ciliumegressgatewaypolicies.yaml): strict, as kubectl's
// field validation is. What the agent then makes of an admitted object is decided in src/control.
import * as z from "zod";
import { cidr, ipv4, labelSelector, objectName } from "./field-schemas.ts";
import type { EgressGatewayPolicy, GatewayItem } from "./model.ts";
import type { Origin } from "./origin.ts";

const gateway = z.strictObject({
  nodeSelector: labelSelector,
  interface: z.string().max(256).nullish(),
  egressIP: ipv4.nullish(),
});

const endpointSelector = z.strictObject({
  podSelector: labelSelector.nullish(),
  namespaceSelector: labelSelector.nullish(),
  nodeSelector: labelSelector.nullish(),
});

export const policySchema = z.strictObject({
  apiVersion: z.literal("cilium.io/v2"),
  kind: z.literal("CiliumEgressGatewayPolicy"),
  metadata: z.looseObject({ name: objectName }),
  spec: z.strictObject({
    selectors: z.array(endpointSelector),
    destinationCIDRs: z.array(cidr),
    excludedCIDRs: z.array(cidr).nullish(),
    egressGateway: gateway,
    egressGateways: z.array(gateway).nullish(),
  }),
  status: z.unknown().optional(),
});

export function policyFrom(written: z.output<typeof policySchema>, origin: Origin): EgressGatewayPolicy {
  const { spec } = written;
  return {
    name: written.metadata.name,
    origin,
    selectors: spec.selectors.map((each) => ({
      podSelector: each.podSelector ?? null,
      namespaceSelector: each.namespaceSelector ?? null,
      nodeSelector: each.nodeSelector ?? null,
    })),
    destinationCidrs: spec.destinationCIDRs,
    excludedCidrs: spec.excludedCIDRs ?? [],
    egressGateway: gatewayFrom(spec.egressGateway, ["spec", "egressGateway"]),
    egressGateways: (spec.egressGateways ?? []).map((each, index) => gatewayFrom(each, ["spec", "egressGateways", index])),
  };
}

function gatewayFrom(written: z.output<typeof gateway>, path: GatewayItem["path"]): GatewayItem {
  return {
    nodeSelector: written.nodeSelector,
    interfaceName: written.interface ?? "",
    egressIp: written.egressIP ?? null,
    path,
  };
}
