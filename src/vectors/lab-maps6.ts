// The IPv6 rows of one node's read-only maps as a recording gives and changes them.
import { formatIpv6, formatIpv6Prefix } from "../cluster/cidr.ts";
import type { Prefix6 } from "../control/tables.ts";
import type { IpcacheEntryImage6 } from "../engine/image/ipcache-image6.ts";
import type { PolicyEntryImage6 } from "../engine/image/policy-image6.ts";
import { ipv4, ipv6, prefix6 } from "./lab-addresses.ts";
import type { RecordedMaps } from "./recording.ts";

export interface LabEndpoint6 {
  readonly address: bigint;
  readonly ifindex: number;
  readonly id: number;
  readonly host: boolean;
  readonly identity: number;
  readonly flags: number;
}

const policyKey = (saddr: string, dcidr: string): string => `${formatIpv6(ipv6(saddr))} ${formatIpv6Prefix(prefix6(dcidr))}`;

export class LabMaps6 {
  readonly #policies = new Map<string, PolicyEntryImage6>();
  readonly #ipcache = new Map<string, IpcacheEntryImage6>();
  readonly #endpoints = new Map<bigint, LabEndpoint6>();
  readonly #ipmasq = new Map<string, Prefix6>();

  get policies(): readonly PolicyEntryImage6[] { return [...this.#policies.values()]; }
  get ipcache(): readonly IpcacheEntryImage6[] { return [...this.#ipcache.values()]; }
  get endpoints(): readonly LabEndpoint6[] { return [...this.#endpoints.values()]; }
  get ipmasq(): readonly Prefix6[] { return [...this.#ipmasq.values()]; }

  putPolicy(row: RecordedMaps["policies"][number]): void {
    this.#policies.set(policyKey(row.saddr, row.dcidr), {
      source: ipv6(row.saddr), destination: prefix6(row.dcidr), gatewayIp: ipv4(row.gateway_ip), egressIp: ipv6(row.egress_ip),
      egressIfindex: row.egress_ifindex ?? 0, gatewayNode: -1, policy: 0, use: 0,
    });
  }

  deletePolicy(saddr: string, dcidr: string): void { this.#policies.delete(policyKey(saddr, dcidr)); }
  clearPolicies(): void { this.#policies.clear(); }

  putIpcache(row: RecordedMaps["ipcache"][number]): void {
    const prefix = prefix6(row.prefix);
    this.#ipcache.set(formatIpv6Prefix(prefix), {
      prefix, identity: row.identity, tunnelEndpoint: row.tunnel_endpoint === null ? 0 : ipv4(row.tunnel_endpoint), ownerNode: -1, isNode: false,
      ownerOnly: false, skipTunnel: row.skip_tunnel,
    });
  }

  deleteIpcache(prefix: string): void { this.#ipcache.delete(formatIpv6Prefix(prefix6(prefix))); }
  clearIpcache(): void { this.#ipcache.clear(); }

  putEndpoint(row: RecordedMaps["endpoints"][number]): void {
    const address = ipv6(row.ip);
    this.#endpoints.set(address, { address, ifindex: row.ifindex, id: row.lxc_id, host: row.host, identity: row.identity, flags: row.flags ?? 0 });
  }

  deleteEndpoint(ip: string): void { this.#endpoints.delete(ipv6(ip)); }
  clearEndpoints(): void { this.#endpoints.clear(); }

  putIpmasq(cidr: string): void {
    const prefix = prefix6(cidr);
    this.#ipmasq.set(formatIpv6Prefix(prefix), prefix);
  }

  deleteIpmasq(cidr: string): void { this.#ipmasq.delete(formatIpv6Prefix(prefix6(cidr))); }
  clearIpmasq(): void { this.#ipmasq.clear(); }
}
