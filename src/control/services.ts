// Services to the tables that translate them: ClusterIP frontends with their backends, for each address family.
import type { Finding } from "../cluster/finding.ts";
import type { Cluster, EndpointSlice, Pod, Service, ServicePort } from "../cluster/model.ts";
import { placeOf } from "../cluster/origin.ts";
import type { SourceRef } from "../cluster/source.ts";
import { type AddressFamily, FAMILY_4, FAMILY_6 } from "./address-family.ts";
import type { AssumptionLog } from "./assumptions.ts";
import type { Installation } from "./datapath-config.ts";
import { BackendNumbers, type Offer, offersOf, offersOfPods } from "./service-backends.ts";
import {
  backendsUnknown, frontendsNotModelled, localTraffic, noBackends, noClusterIp, serviceMapFull, sharedAddress, slicesWithoutService,
} from "./service-findings.ts";
import { NO_SERVICES, type ServiceEntryOf, type ServiceMapsOf, type ServiceTables } from "./tables.ts";

export interface CompiledServices {
  readonly tables: ServiceTables;
  /** Place of a backend in the manifests, by its id. */
  readonly backendPlaces: { readonly ipv4: (id: number) => SourceRef | null; readonly ipv6: (id: number) => SourceRef | null };
}

/** Services with this label belong to another proxy (k8s-service-proxy-name). */
const OTHER_PROXY = "service.kubernetes.io/service-proxy-name";
/** The reverse NAT index is 16 bits. */
const MOST_FRONTENDS = 65_535;

export function compileServices(cluster: Cluster, installation: Installation, assumptions: AssumptionLog, findings: Finding[]): CompiledServices {
  const { translation, withoutBackend, mapMax } = installation.services;
  const slices = slicesByService(cluster);
  const services = cluster.services.filter((service) => isOurs(service, findings));
  findings.push(...slicesWithoutService(unclaimedSlices(cluster)));
  const pods = podsByNamespace(cluster);
  const resolved = services.map((service) => ({ service, offers: serviceOffers(service, slices, pods, assumptions, findings) }));
  const ipv4 = new FamilyMaps(FAMILY_4, mapMax, findings), ipv6 = new FamilyMaps(FAMILY_6, mapMax, findings);
  for (const [index, { service, offers }] of resolved.entries()) {
    if (installation.config.ipv4) ipv4.add(service, index, offers);
    if (installation.config.ipv6) ipv6.add(service, index, offers);
  }
  if (ipv4.maps.entries.length + ipv6.maps.entries.length > 0) assumptions.note("service-numbers-derived");
  const objects = services.map((service) => ({ name: title(service), at: placeOf(service.origin) }));
  return {
    tables: { ...NO_SERVICES, translation, withoutBackend, objects, ipv4: ipv4.maps, ipv6: ipv6.maps },
    backendPlaces: { ipv4: (id) => ipv4.place(id), ipv6: (id) => ipv6.place(id) },
  };
}

function title({ namespace, name }: { readonly namespace: string; readonly name: string }): string { return `${namespace}/${name}`; }

function slicesByService(cluster: Cluster): ReadonlyMap<string, readonly EndpointSlice[]> {
  const lists = new Map<string, EndpointSlice[]>();
  for (const slice of cluster.endpointSlices) {
    const name = `${slice.namespace}/${slice.serviceName}`, list = lists.get(name);
    if (list === undefined) lists.set(name, [slice]);
    else list.push(slice);
  }
  return lists;
}

function podsByNamespace({ pods }: Cluster): ReadonlyMap<string, readonly Pod[]> {
  const lists = new Map<string, Pod[]>();
  for (const pod of pods) {
    const list = lists.get(pod.namespace);
    if (list === undefined) lists.set(pod.namespace, [pod]);
    else list.push(pod);
  }
  return lists;
}

function unclaimedSlices(cluster: Cluster): readonly EndpointSlice[] {
  const names = new Set(cluster.services.map(title));
  return cluster.endpointSlices.filter(({ namespace, serviceName }) => !names.has(`${namespace}/${serviceName}`));
}

/** Does Cilium give the service a frontend for pods? Says why not, and which further frontends of it are not modelled. */
function isOurs(service: Service, findings: Finding[]): boolean {
  if (service.labels.has(OTHER_PROXY)) {
    findings.push(noClusterIp(service, `it belongs to the proxy ${JSON.stringify(service.labels.get(OTHER_PROXY))}`));
    return false;
  }
  if (service.type === "ExternalName") {
    findings.push(noClusterIp(service, "type ExternalName is a DNS name; nothing is translated"));
    return false;
  }
  findings.push(...frontendsNotModelled(service));
  if (service.headless) {
    findings.push(noClusterIp(service, "it is headless: DNS names its endpoints, nothing is translated"));
    return false;
  }
  if (service.clusterIps.length === 0) {
    findings.push(noClusterIp(service, "it has no clusterIP (the API server assigns one)"));
    return false;
  }
  if (service.localOnly) findings.push(localTraffic(service));
  return true;
}

/** What every port of the service leads to, in the order of its ports. */
function serviceOffers(
  service: Service, slices: ReadonlyMap<string, readonly EndpointSlice[]>, pods: ReadonlyMap<string, readonly Pod[]>, assumptions: AssumptionLog,
  findings: Finding[],
): readonly (readonly Offer[])[] {
  const own = slices.get(title(service));
  const fromPods = own === undefined && service.selector.size > 0;
  if (fromPods) assumptions.note("service-backends-from-pods");
  return service.ports.map((port, index) => {
    const offers = fromPods ? offersOfPods(pods.get(service.namespace) ?? [], service, port) : offersOf(own ?? [], port);
    if (offers === null) findings.push(backendsUnknown(service, index));
    else if (offers.length === 0) findings.push(noBackends(service, index, own));
    return offers ?? [];
  });
}

/** Frontends and backends of one family, as many as the maps hold. */
class FamilyMaps<Address extends number | bigint> {
  readonly #family: AddressFamily<Address>;
  readonly #numbers: BackendNumbers<Address>;
  readonly #entries: ServiceEntryOf<Address>[] = [];
  readonly #taken = new Map<string, Service>();
  readonly #mapMax: number;
  readonly #findings: Finding[];
  /** Frontends and slots, which share a map. */
  #used = 0;
  #full = false;

  constructor(family: AddressFamily<Address>, mapMax: number, findings: Finding[]) {
    this.#family = family;
    this.#numbers = new BackendNumbers(family);
    this.#mapMax = mapMax;
    this.#findings = findings;
  }

  get maps(): ServiceMapsOf<Address> { return { entries: this.#entries, backends: this.#numbers.backends }; }

  place(id: number): SourceRef | null { return this.#numbers.place(id); }

  add(service: Service, index: number, offers: readonly (readonly Offer[])[]): void {
    for (const clusterIp of service.clusterIps) {
      const address = this.#family.addressOf(clusterIp);
      if (address === null) continue;
      for (const [k, port] of service.ports.entries()) this.#addPort(service, index, address, port, offers[k] ?? []);
    }
  }

  #addPort(service: Service, index: number, address: Address, port: ServicePort, offers: readonly Offer[]): void {
    const key = `${address} ${port.port} ${port.protocol}`, holder = this.#taken.get(key);
    if (holder !== undefined) {
      this.#findings.push(sharedAddress(service, holder));
      return;
    }
    this.#taken.set(key, service);
    const slots = this.#numbers.slots(offers, port.protocol);
    this.#used += 1 + slots.length;
    if (this.#used > this.#mapMax || this.#entries.length >= MOST_FRONTENDS) {
      if (!this.#full) this.#findings.push(serviceMapFull(service, this.#mapMax));
      this.#full = true;
      return;
    }
    this.#entries.push({
      service: index, address, port: port.port, protocol: port.protocol, revNat: this.#entries.length + 1, affinitySeconds: service.affinitySeconds, slots,
    });
  }
}
