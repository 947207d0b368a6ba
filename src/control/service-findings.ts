// What is wrong or surprising about services.
import type { Finding } from "../cluster/finding.ts";
import type { EndpointSlice, Service } from "../cluster/model.ts";
import { placeOf } from "../cluster/origin.ts";

const object = ({ namespace, name }: Service): string => `Service ${namespace}/${name}`;

/** A port as people write it. */
function portText(service: Service, index: number): string {
  const port = service.ports[index];
  return port === undefined ? "its port" : `port ${port.port}${port.name === "" ? "" : ` (${port.name})`}`;
}

export function noClusterIp(service: Service, why: string): Finding {
  return {
    rule: "service-not-translated",
    severity: "info",
    object: object(service),
    at: placeOf(service.origin),
    message: `${service.namespace}/${service.name} has no address of its own here: ${why}`,
    effect: "Cilium translates nothing for it",
    fix: "nothing to do",
  };
}

export function noBackends(service: Service, index: number, slices: readonly EndpointSlice[] | undefined): Finding {
  const held = (slices ?? []).reduce((sum, slice) => sum + slice.endpoints.length, 0);
  const why = slices === undefined
    ? "no EndpointSlice names it and it has no selector"
    : held === 0 ? "its EndpointSlices hold no endpoint"
      : `none of the ${held} endpoints in its EndpointSlices is ready or serves, under a port of that name and protocol`;
  return {
    rule: "service-without-backends",
    severity: "warning",
    object: object(service),
    at: placeOf(service.origin, "spec", "ports", index),
    message: `${service.namespace}/${service.name} ${portText(service, index)} has no backend: ${why}`,
    effect: "what pods send there is dropped (158 Service backend not found) or answered with ICMP port unreachable (service-no-backend-response)",
    fix: "make the selector match ready pods, or write an EndpointSlice with the label kubernetes.io/service-name",
  };
}

export function backendsUnknown(service: Service, index: number): Finding {
  return {
    rule: "service-backends-unknown",
    severity: "warning",
    object: object(service),
    at: placeOf(service.origin, "spec", "ports", index, "targetPort"),
    message: `${service.namespace}/${service.name} ${portText(service, index)} leads to a container's named port, and no EndpointSlice says its number`,
    effect: "Cilium knows it from the EndpointSlice; here the port has no backend",
    fix: "add `kubectl get endpointslices -A -o yaml` to --cluster",
  };
}

export function localTraffic(service: Service): Finding {
  return {
    rule: "internal-traffic-policy-local",
    severity: "warning",
    object: object(service),
    at: placeOf(service.origin, "spec", "internalTrafficPolicy"),
    message: `${service.namespace}/${service.name} has internalTrafficPolicy Local, which is not modelled`,
    effect: "Cilium gives each node the backends on that node only (none: drop 158); here every node has all of them",
    fix: "read its flows with that in mind",
  };
}

/** Frontends beside the ClusterIP, which pods can address too. */
export function frontendsNotModelled(service: Service): readonly Finding[] {
  const ports = service.ports.filter(({ nodePort }) => nodePort !== 0).length, addresses = service.externalAddresses.length;
  if (ports + addresses === 0) return [];
  const what = [
    ...(ports === 0 ? [] : [ports === 1 ? "a node port" : `${ports} node ports`]),
    ...(addresses === 0 ? [] : [addresses === 1 ? "an external address" : `${addresses} external addresses`]),
  ];
  return [{
    rule: "service-frontend-not-modelled",
    severity: "info",
    object: object(service),
    at: placeOf(service.origin),
    message: `${service.namespace}/${service.name} also has ${what.join(" and ")}; only its ClusterIP is modelled`,
    effect: "Cilium translates those for pods too; here a pod's packets to them stay as they are",
    fix: "send to the ClusterIP where the backend matters",
  }];
}

export function sharedAddress(service: Service, holder: Service): Finding {
  return {
    rule: "duplicate-service-address",
    severity: "error",
    object: object(service),
    at: placeOf(service.origin),
    message: `${service.namespace}/${service.name} has an address and port of ${holder.namespace}/${holder.name}`,
    effect: "the API server gives each ClusterIP once; Cilium takes one of the two (here the first by namespace and name)",
    fix: "take both objects from the same cluster at the same time",
  };
}

export function serviceMapFull(service: Service, entries: number): Finding {
  return {
    rule: "service-map-full",
    severity: "error",
    object: object(service),
    at: placeOf(service.origin),
    message: `frontends and slots are more than the service map holds (${entries} entries); ${service.namespace}/${service.name} is the first that is left out`,
    effect: "the agent logs failed updates; which services are missing depends on their order there, here it is by namespace and name",
    fix: "raise bpf.lbMapMax (bpf-lb-map-max)",
  };
}

/** One finding for all slices of services that the model lacks. */
export function slicesWithoutService(slices: readonly EndpointSlice[]): readonly Finding[] {
  const [first] = slices;
  if (first === undefined) return [];
  const title = `${first.namespace}/${first.name}`, more = slices.length === 1 ? "" : ` (and ${slices.length - 1} more EndpointSlices like it)`;
  const why = first.serviceName === "" ? "has no label kubernetes.io/service-name" : `belongs to service ${first.serviceName}, which is not in the model`;
  return [{
    rule: "slice-without-service",
    severity: "info",
    object: `EndpointSlice ${title}`,
    at: placeOf(first.origin),
    message: `${title} ${why}${more}`,
    effect: "its endpoints are backends of nothing",
    fix: "add the Service to --cluster, or correct the label",
  }];
}
