// The read-only maps of one node as a recording gives and changes them. Rows of IPv6 addresses go to the maps of their own.
import type { Prefix } from "../control/tables.ts";
import type { IpcacheEntryImage } from "../engine/image/ipcache-image.ts";
import type { PolicyEntryImage } from "../engine/image/policy-image.ts";
import { dotted, ipv4, isIpv6Text, prefix4 } from "./lab-addresses.ts";
import { LabMaps6 } from "./lab-maps6.ts";
import { LabPolicyMap } from "./lab-policy-map.ts";
import { LabServices } from "./lab-services.ts";
import type { RecordedMapChange, RecordedMaps } from "./recording.ts";

export interface LabEndpoint {
  readonly address: number;
  readonly ifindex: number;
  readonly id: number;
  readonly host: boolean;
  readonly identity: number;
  readonly flags: number;
}

const prefixKey = (prefix: Prefix): string => `${dotted(prefix.address)}/${prefix.bits}`;

export class LabMaps {
  readonly v6 = new LabMaps6();
  /** Network policy of the pod whose program the recordings run. */
  readonly pod: LabPolicyMap;
  readonly services: LabServices;
  readonly #policies = new Map<string, PolicyEntryImage>();
  readonly #ipcache = new Map<string, IpcacheEntryImage>();
  readonly #endpoints = new Map<number, LabEndpoint>();
  readonly #ipmasq = new Map<string, Prefix>();

  constructor(recorded: RecordedMaps) {
    this.pod = new LabPolicyMap(recorded.policy ?? null, recorded.auth);
    this.services = new LabServices(recorded.services);
    for (const row of recorded.policies) this.#putPolicy(row);
    for (const row of recorded.ipcache) this.#putIpcache(row);
    for (const row of recorded.endpoints) this.#putEndpoint(row);
    for (const cidr of recorded.ipmasq) this.#putIpmasq(cidr);
  }

  get policies(): readonly PolicyEntryImage[] { return [...this.#policies.values()]; }
  get ipcache(): readonly IpcacheEntryImage[] { return [...this.#ipcache.values()]; }
  get endpoints(): readonly LabEndpoint[] { return [...this.#endpoints.values()]; }
  get ipmasq(): readonly Prefix[] { return [...this.#ipmasq.values()]; }

  /** Applies a change to a read-only map; false when the change is none that these maps know. */
  apply(change: RecordedMapChange): boolean {
    if (change.op === "set_service" || change.op === "delete_service" || change.map === "affinity_match") return this.services.apply(change);
    switch (change.map) {
      case "policy": return change.entry === undefined ? this.#changePolicies(change) : this.pod.change(change.op, change.entry);
      case "policies": return this.#changePolicies(change);
      case "ipcache": return this.#changeIpcache(change.entry !== undefined && "prefix" in change.entry ? { ...change, ...change.entry } : change);
      case "ipmasq": return this.#changeIpmasq(change);
      case "endpoints": return this.#changeEndpoints(change);
      default: return false;
    }
  }

  #changePolicies(change: RecordedMapChange): boolean {
    const { saddr, dcidr, gateway_ip, egress_ip, egress_ifindex } = change;
    if (change.op === "clear") {
      this.#policies.clear();
      this.v6.clearPolicies();
    } else if (change.op === "upsert" && saddr !== undefined && dcidr !== undefined && gateway_ip !== undefined && egress_ip !== undefined)
      this.#putPolicy({ saddr, dcidr, gateway_ip, egress_ip, egress_ifindex });
    else if (change.op === "delete" && saddr !== undefined && dcidr !== undefined) {
      if (isIpv6Text(saddr)) this.v6.deletePolicy(saddr, dcidr);
      else this.#policies.delete(`${saddr} ${prefixKey(prefix4(dcidr))}`);
    } else return false;
    return true;
  }

  #changeIpcache(change: RecordedMapChange): boolean {
    const { prefix, identity, tunnel_endpoint, skip_tunnel } = change;
    if (change.op === "clear") {
      this.#ipcache.clear();
      this.v6.clearIpcache();
    } else if (change.op === "upsert" && prefix !== undefined && identity !== undefined)
      this.#putIpcache({ prefix, identity, tunnel_endpoint: tunnel_endpoint ?? null, skip_tunnel: skip_tunnel ?? false });
    else if (change.op === "delete" && prefix !== undefined) {
      if (isIpv6Text(prefix)) this.v6.deleteIpcache(prefix);
      else this.#ipcache.delete(prefixKey(prefix4(prefix)));
    } else return false;
    return true;
  }

  #changeIpmasq(change: RecordedMapChange): boolean {
    if (change.op === "clear") {
      this.#ipmasq.clear();
      this.v6.clearIpmasq();
    } else if (change.cidr === undefined) return false;
    else if (change.op === "upsert") this.#putIpmasq(change.cidr);
    else if (change.op === "delete") {
      if (isIpv6Text(change.cidr)) this.v6.deleteIpmasq(change.cidr);
      else this.#ipmasq.delete(prefixKey(prefix4(change.cidr)));
    } else return false;
    return true;
  }

  #changeEndpoints(change: RecordedMapChange): boolean {
    const { ip, ifindex, lxc_id, host, identity, flags } = change;
    if (change.op === "clear") {
      this.#endpoints.clear();
      this.v6.clearEndpoints();
    } else if (ip === undefined) return false;
    else if (change.op === "upsert")
      this.#putEndpoint({ ip, ifindex: ifindex ?? 0, lxc_id: lxc_id ?? 0, host: host ?? false, identity: identity ?? 0, flags });
    else if (change.op === "delete") {
      if (isIpv6Text(ip)) this.v6.deleteEndpoint(ip);
      else this.#endpoints.delete(ipv4(ip));
    } else return false;
    return true;
  }

  #putPolicy(row: RecordedMaps["policies"][number]): void {
    if (isIpv6Text(row.saddr)) return this.v6.putPolicy(row);
    const destination = prefix4(row.dcidr);
    this.#policies.set(`${row.saddr} ${prefixKey(destination)}`, {
      source: ipv4(row.saddr), destination, gatewayIp: ipv4(row.gateway_ip), egressIp: ipv4(row.egress_ip), gatewayNode: -1, policy: 0, use: 0,
    });
  }

  #putIpcache(row: RecordedMaps["ipcache"][number]): void {
    if (isIpv6Text(row.prefix)) return this.v6.putIpcache(row);
    const prefix = prefix4(row.prefix);
    this.#ipcache.set(prefixKey(prefix), {
      prefix, identity: row.identity, tunnelEndpoint: row.tunnel_endpoint === null ? 0 : ipv4(row.tunnel_endpoint), ownerNode: -1, isNode: false,
      ownerOnly: false, skipTunnel: row.skip_tunnel,
    });
  }

  #putEndpoint(row: RecordedMaps["endpoints"][number]): void {
    if (isIpv6Text(row.ip)) return this.v6.putEndpoint(row);
    const address = ipv4(row.ip);
    this.#endpoints.set(address, { address, ifindex: row.ifindex, id: row.lxc_id, host: row.host, identity: row.identity, flags: row.flags ?? 0 });
  }

  #putIpmasq(cidr: string): void {
    if (isIpv6Text(cidr)) return this.v6.putIpmasq(cidr);
    const prefix = prefix4(cidr);
    this.#ipmasq.set(prefixKey(prefix), prefix);
  }
}
