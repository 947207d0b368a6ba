// What is remembered between the packets of clients and services: conntrack entries of service scope (ct_lazy_lookup4 and 6
// with CT_SERVICE) and session affinity (bpf/lib/lb.h).
import { ld16, ld32, ltu, st16, st32 } from "../mem.ts";
import {
  C_FLAGS, C_REV_NAT, C_TX_REPORT, CF_LOOPBACK, CF_RX_CLOSING, CF_TX_CLOSING, N_INDEX, P_CT_ENTRY, P_NODE, P_NOW, P_PORTS, P_SHARD, S_CT,
} from "../layout.ts";
import { S_CT6 } from "../layout6.ts";
import {
  AF_BACKEND, AF_LAST_USED, C_BACKEND, P_LOOPBACK, P_REV_NAT, S_AFFINITY, S_AFFINITY6, SV_AFFINITY, SV_MATCHES, SV_REV_NAT, TUPLE_SERVICE,
} from "../layout-services.ts";
import { find, insert, isFull, oldest, remove } from "../table/dynamic.ts";
import { find6, insert6 } from "../table/dynamic6.ts";
import { CT_ESTABLISHED, CT_NEW, CT_REPLY, DROP_CT_CREATE_FAILED } from "../verdict.ts";
import { IP_DST, IP_SRC, PROTO_TCP } from "../wire/ipv4.ts";
import { IP6_DST, IP6_SRC } from "../wire/ipv6.ts";
import { TCP_SYN } from "../wire/l4.ts";
import { countPacket, DIR_SERVICE, entryFor, fillEntry, seen } from "./conntrack.ts";
import { entryFor6 } from "./conntrack6.ts";
import { keyWord } from "./ports.ts";
import { proxyChanged } from "./proxy.ts";
import { sketchChange } from "./sketch.ts";

/** CT_SERVICE_CLOSE_REBALANCE: so long after a close a SYN gets a backend anew without opening the old entry. */
const CLOSE_REBALANCE_S: i32 = 30;

/** The entry of the request's connection to this service, which the packet has then refreshed; 0 where the connection is
 * new. P_PORTS holds the ports, `flags` the TCP flags. */
export function serviceEntry(pkt: i32, ip: i32, service: i32, proto: i32, flags: i32, six: boolean): i32 {
  const key: i32 = keyWord(pkt, proto, TUPLE_SERVICE), shard: i32 = ld32(pkt + P_SHARD), ports: i32 = ld32(pkt + P_PORTS);
  const entry: i32 = six
    ? find6(shard + S_CT6, key, ip + IP6_DST, ip + IP6_SRC, ports) : find(shard + S_CT, key, ld32(ip + IP_DST), ld32(ip + IP_SRC), ports);
  sketchChange(pkt);
  st32(pkt + P_CT_ENTRY, entry);
  if (entry === 0 || ld16(entry + C_REV_NAT) !== ld32(service + SV_REV_NAT)) return 0;
  const closing: boolean = (ld16(entry + C_FLAGS) & (CF_RX_CLOSING | CF_TX_CLOSING)) !== 0;
  if ((flags & TCP_SYN) !== 0 && closing && !ltu(ld32(pkt + P_NOW), ld32(entry + C_TX_REPORT) + CLOSE_REBALANCE_S)) return 0;
  return seen(pkt, entry, DIR_SERVICE, proto === PROTO_TCP, flags) === CT_NEW ? 0 : entry;
}

/** ct_create4 and 6 with CT_SERVICE. 0, or drop 155. */
export function createServiceEntry(pkt: i32, ip: i32, service: i32, proto: i32, backend: i32, six: boolean): i32 {
  const key: i32 = keyWord(pkt, proto, TUPLE_SERVICE), shard: i32 = ld32(pkt + P_SHARD), ports: i32 = ld32(pkt + P_PORTS);
  const entry: i32 = six
    ? entryFor6(shard + S_CT6, key, ip + IP6_DST, ip + IP6_SRC, ports) : entryFor(pkt, shard + S_CT, key, ld32(ip + IP_DST), ld32(ip + IP_SRC), ports);
  if (entry === 0) return DROP_CT_CREATE_FAILED;
  fillEntry(pkt, entry, proto === PROTO_TCP, DIR_SERVICE, 0, ld32(service + SV_REV_NAT) << 16);
  st32(entry + C_BACKEND, backend);
  countPacket(pkt, entry);
  return 0;
}

/** ct_update_svc_entry. */
export function moveServiceEntry(entry: i32, service: i32, backend: i32): void {
  st32(entry + C_BACKEND, backend);
  st16(entry + C_REV_NAT, ld32(service + SV_REV_NAT));
}

function affinityKey(pkt: i32, service: i32): i32 { return (ld32(ld32(pkt + P_NODE) + N_INDEX) << 16) | ld32(service + SV_REV_NAT); }

function affinityEntry(pkt: i32, ip: i32, service: i32, six: boolean): i32 {
  const key: i32 = affinityKey(pkt, service), shard: i32 = ld32(pkt + P_SHARD);
  return six ? find6(shard + S_AFFINITY6, key, ip + IP6_SRC, ip + IP6_SRC, 0) : find(shard + S_AFFINITY, key, ld32(ip + IP_SRC), 0, 0);
}

function affinityTable(pkt: i32, six: boolean): i32 { return ld32(pkt + P_SHARD) + (six ? S_AFFINITY6 : S_AFFINITY); }

/** Id of the backend that the client was sent to within the service's affinity timeout, 0 for none. What has timed out, or
 * leads to a backend that the service has no more, is forgotten. */
export function affinityBackend(pkt: i32, ip: i32, service: i32, six: boolean): i32 {
  const entry: i32 = affinityEntry(pkt, ip, service, six);
  if (entry === 0) return 0;
  const now: i32 = ld32(pkt + P_NOW), backend: i32 = ld32(entry + AF_BACKEND);
  if (!ltu(now, ld32(entry + AF_LAST_USED) + ld32(service + SV_AFFINITY)) || !matches(service, backend)) {
    remove(affinityTable(pkt, six), entry);
    return 0;
  }
  st32(entry + AF_LAST_USED, now);
  return backend;
}

/** Is the backend in the service's part of cilium_lb_affinity_match? */
function matches(service: i32, backend: i32): boolean {
  const list: i32 = ld32(service + SV_MATCHES);
  for (let k: i32 = ld32(list); k > 0; k--) if (ld32(list + (k << 2)) === backend) return true;
  return false;
}

/** Remembers where the client was sent; a full table forgets the oldest client. */
export function rememberAffinity(pkt: i32, ip: i32, service: i32, backend: i32, six: boolean): void {
  let entry: i32 = affinityEntry(pkt, ip, service, six);
  if (entry === 0) {
    const table: i32 = affinityTable(pkt, six), key: i32 = affinityKey(pkt, service);
    if (isFull(table)) remove(table, oldest(table));
    entry = six ? insert6(table, key, ip + IP6_SRC, ip + IP6_SRC, 0) : insert(table, key, ld32(ip + IP_SRC), 0, 0);
  }
  st32(entry + AF_BACKEND, backend);
  st32(entry + AF_LAST_USED, ld32(pkt + P_NOW));
}

/** Does the packet make its conntrack entry (anew)? A known connection does where it came by another service, or by none, and
 * where the proxy had it and has it no more, or the other way round (`proxy`: its raw port or 0). */
export function opensConnection(pkt: i32, status: i32, proxy: i32): boolean {
  if (status !== CT_ESTABLISHED) return status === CT_NEW;
  return ld16(ld32(pkt + P_CT_ENTRY) + C_REV_NAT) !== ld32(pkt + P_REV_NAT) || proxyChanged(pkt, proxy);
}

/** State of a new entry, as ctCreate takes it. */
export function connectionState(pkt: i32): i32 { return (ld32(pkt + P_REV_NAT) << 16) | (ld32(pkt + P_LOOPBACK) !== 0 ? CF_LOOPBACK : 0); }

/** Is this an answer of a pod to itself? It is addressed to the service loopback, and goes back where it came from. */
export function answersItself(pkt: i32, status: i32, known: i32): boolean {
  return status === CT_REPLY && (ld32(pkt + P_LOOPBACK) !== 0 || (known & CF_LOOPBACK) !== 0);
}
