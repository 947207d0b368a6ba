// Where services lead: EndpointSlices to numbered backends (pkg/k8s/endpoints.go, pkg/loadbalancer).
import type { IpAddress } from "../cluster/cidr.ts";
import type { EndpointSlice, Pod, Service, ServicePort } from "../cluster/model.ts";
import { type Origin, placeOf } from "../cluster/origin.ts";
import type { SourceRef } from "../cluster/source.ts";
import type { AddressFamily } from "./address-family.ts";
import type { ServiceBackendOf } from "./tables.ts";

/** What one endpoint of a slice, or a pod, offers a port of a service. */
export interface Offer {
  readonly address: IpAddress;
  readonly port: number;
  readonly terminating: boolean;
  readonly origin: Origin;
  readonly path: readonly (string | number)[];
}

/** Offers of a service port, by the slices that name the service. A port belongs to the service's port of the same name and
 * protocol. Endpoints that neither are ready nor serve are left out; those that serve while they terminate stay. */
export function offersOf(slices: readonly EndpointSlice[], port: ServicePort): Offer[] {
  return slices.flatMap((slice) => slice.ports
    .filter(({ name, protocol, port: number }) => name === port.name && protocol === port.protocol && number !== 0)
    .flatMap(({ port: number }) => slice.endpoints
      .filter(({ ready, serving }) => ready || serving)
      .flatMap(({ addresses, terminating, path }) => addresses.map((address): Offer => ({ address, port: number, terminating, origin: slice.origin, path })))));
}

/** What the endpoint controllers would write: the running pods of the service's namespace (`pods`) that the selector matches.
 * Null where a target port has a container's name, which pods are not read for. */
export function offersOfPods(pods: readonly Pod[], service: Service, port: ServicePort): Offer[] | null {
  const { targetPort } = port;
  if (typeof targetPort === "string") return null;
  const selected = pods.filter(({ phase, labels }) =>
    phase !== "Succeeded" && phase !== "Failed" && [...service.selector].every(([key, value]) => labels.get(key) === value));
  return selected.flatMap((pod) => pod.addresses.map((address): Offer => ({ address, port: targetPort, terminating: false, origin: pod.origin, path: [] })));
}

/** The backends of one address family, each (address, port, protocol) once. */
export class BackendNumbers<Address extends number | bigint> {
  readonly #family: AddressFamily<Address>;
  readonly #known = new Map<string, number>();
  readonly #backends: ServiceBackendOf<Address>[] = [];
  readonly #offers: Offer[] = [];

  constructor(family: AddressFamily<Address>) {
    this.#family = family;
  }

  get backends(): readonly ServiceBackendOf<Address>[] {
    return this.#backends;
  }

  /** Slots of a frontend: the active backends, or the terminating ones where no other is left; in order of address and port. */
  slots(offers: readonly Offer[], protocol: number): number[] {
    const ids = new Set<number>();
    for (const offer of offers) {
      const id = this.#number(offer, protocol);
      if (id !== null) ids.add(id);
    }
    const all = [...ids].map((id) => this.#backends[id - 1]).filter((backend) => backend !== undefined);
    const active = all.filter(({ terminating }) => !terminating);
    return (active.length > 0 ? active : all)
      .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port))
      .map(({ id }) => id);
  }

  place(id: number): SourceRef | null {
    const offer = this.#offers[id - 1];
    return offer === undefined ? null : placeOf(offer.origin, ...offer.path);
  }

  #number(offer: Offer, protocol: number): number | null {
    const address = this.#family.addressOf(offer.address);
    if (address === null) return null;
    const key = `${address} ${offer.port} ${protocol}`, known = this.#known.get(key);
    if (known !== undefined) return known;
    const id = this.#backends.length + 1;
    this.#known.set(key, id);
    this.#backends.push({ id, address, port: offer.port, terminating: offer.terminating });
    this.#offers.push(offer);
    return id;
  }
}
