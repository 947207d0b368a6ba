// Services and where they lead: Service, EndpointSlice and the older Endpoints, as an API server prints them. Only the fields
// that are read are checked.
import * as z from "zod";
import { address, addressOrNull, labels, objectName } from "./field-schemas.ts";
import type { IpAddress } from "./cidr.ts";
import type { EndpointSlice, Service, ServicePort, SliceEndpoint, SlicePort } from "./model.ts";
import type { Origin } from "./origin.ts";

const metadata = z.object({ name: objectName, namespace: objectName.nullish(), labels, annotations: labels });
const LARGEST_PORT = 65_535;
const portNumber = z.int().min(1).max(LARGEST_PORT);
/** IANA's numbers of what Kubernetes calls a port's protocol; TCP where it says none. */
const PROTOCOLS = { TCP: 6, UDP: 17, SCTP: 132 } as const;
const protocol = z.enum(["TCP", "UDP", "SCTP"]).nullish().transform((name) => PROTOCOLS[name ?? "TCP"]);
const portName = z.string().max(63).nullish().transform((name) => name ?? "");
const NO_ADDRESS = "None";

export const serviceSchema = z.object({
  metadata,
  spec: z.object({
    type: z.enum(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]).nullish(),
    clusterIP: z.union([z.literal("").transform(() => null), z.literal(NO_ADDRESS), address]).nullish(),
    clusterIPs: z.array(z.union([z.literal(NO_ADDRESS), address])).max(2).nullish(),
    externalIPs: z.array(address).nullish(),
    selector: labels,
    ports: z.array(z.object({
      name: portName, port: portNumber, protocol, targetPort: z.union([portNumber, z.string().max(63)]).nullish(), nodePort: z.int().min(0).max(LARGEST_PORT).nullish(),
    })).nullish(),
    sessionAffinity: z.enum(["None", "ClientIP"]).nullish(),
    sessionAffinityConfig: z.object({ clientIP: z.object({ timeoutSeconds: z.int().min(1).max(86_400).nullish() }).nullish() }).nullish(),
    internalTrafficPolicy: z.enum(["Cluster", "Local"]).nullish(),
  }).nullish().transform((spec) => spec ?? { selector: new Map<string, string>() }),
  status: z.object({ loadBalancer: z.object({ ingress: z.array(z.object({ ip: addressOrNull.nullish() })).nullish() }).nullish() }).nullish(),
});

/** The API server's default, three hours (core/v1 DefaultClientIPServiceAffinitySeconds). */
const AFFINITY_SECONDS = 10_800;

export function serviceFrom({ metadata: named, spec, status }: z.output<typeof serviceSchema>, origin: Origin): Service {
  const written = (spec.clusterIPs ?? []).length > 0 ? (spec.clusterIPs ?? []) : [spec.clusterIP ?? null];
  const ingress = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
  return {
    name: named.name, namespace: named.namespace ?? "default", origin, labels: named.labels, annotations: named.annotations,
    type: spec.type ?? "ClusterIP",
    headless: written.includes(NO_ADDRESS),
    clusterIps: written.filter((each): each is IpAddress => each !== null && each !== NO_ADDRESS),
    externalAddresses: [...(spec.externalIPs ?? []), ...ingress],
    selector: spec.selector,
    ports: (spec.ports ?? []).map((port): ServicePort => ({ ...port, targetPort: port.targetPort ?? port.port, nodePort: port.nodePort ?? 0 })),
    affinitySeconds: spec.sessionAffinity === "ClientIP" ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS) : 0,
    localOnly: spec.internalTrafficPolicy === "Local",
  };
}

const condition = z.boolean().nullish();
const SERVICE_NAME = "kubernetes.io/service-name";

export const endpointSliceSchema = z.object({
  metadata,
  endpoints: z.array(z.object({
    addresses: z.array(addressOrNull).max(100),
    conditions: z.object({ ready: condition, serving: condition, terminating: condition }).nullish(),
  })).max(1000).nullish(),
  ports: z.array(z.object({ name: portName, port: portNumber.nullish(), protocol })).max(100).nullish(),
});

export function endpointSliceFrom({ metadata: named, endpoints, ports }: z.output<typeof endpointSliceSchema>, origin: Origin): EndpointSlice {
  return {
    name: named.name, namespace: named.namespace ?? "default", origin,
    serviceName: named.labels.get(SERVICE_NAME) ?? "",
    ports: (ports ?? []).map((port): SlicePort => ({ ...port, port: port.port ?? 0 })),
    endpoints: (endpoints ?? []).map(({ addresses, conditions }, index): SliceEndpoint => {
      // discovery.k8s.io/v1: a condition that is not given is to be read as ready, and serving follows ready.
      const ready = conditions?.ready ?? true;
      return {
        addresses: addresses.filter((each) => each !== null), path: ["endpoints", index],
        ready, serving: conditions?.serving ?? ready, terminating: conditions?.terminating ?? false,
      };
    }),
  };
}

const endpointAddresses = z.array(z.object({ ip: address })).nullish();

export const endpointsSchema = z.object({
  metadata,
  subsets: z.array(z.object({
    addresses: endpointAddresses, notReadyAddresses: endpointAddresses, ports: z.array(z.object({ name: portName, port: portNumber, protocol })).nullish(),
  })).nullish(),
});

/** One slice for each subset, as the EndpointSlice mirroring controller makes them. */
export function endpointsFrom({ metadata: named, subsets }: z.output<typeof endpointsSchema>, origin: Origin): EndpointSubsets {
  const { name, namespace } = { name: named.name, namespace: named.namespace ?? "default" };
  return {
    name, namespace, origin,
    slices: (subsets ?? []).map((subset, index): EndpointSlice => ({
      name, namespace, origin, serviceName: name, ports: subset.ports ?? [],
      endpoints: (subset.addresses ?? []).map(({ ip }, k): SliceEndpoint => ({
        addresses: [ip], path: ["subsets", index, "addresses", k], ready: true, serving: true, terminating: false,
      })),
    })),
  };
}

export interface EndpointSubsets {
  readonly name: string;
  readonly namespace: string;
  readonly origin: Origin;
  readonly slices: readonly EndpointSlice[];
}
