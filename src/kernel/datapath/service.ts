// Service translation, packet by packet, in the pod's program (bpf_lxc.c: __per_packet_lb_svc_xlate_4 and _6; bpf/lib/lb.h):
// before conntrack, so that everything behind it, the egress gateway too, sees the backend's address. Where sockets are
// translated when they connect, nothing here runs: such a pod's packets carry the backend's address already.
import { ld32, ld8, st32 } from "../mem.ts";
import {
  N_FLAGS, NF_NO_BACKEND_REJECT, NF_NO_BACKEND_ROUTABLE, P_NODE, P_PORTS,
} from "../layout.ts";
import { N_LOOPBACK6, P_L4 } from "../layout6.ts";
import {
  BE_ADDRESS, BE_PORT, BE_STATE, BE_STATE_MASK, C_BACKEND, N_LOOPBACK, N_SERVICES, N_SERVICES6, P_BACKEND, P_LOOPBACK, P_REV_NAT, P_SERVICE,
  SM_ADDRESSES, SM_BACKENDS, SV_COUNT, SV_FLAGS, SV_REV_NAT, SVF_AFFINITY, SVF_EXTERNAL_IP, SVF_EXTERNAL_LOCAL, SVF_INTERNAL_LOCAL,
  SVF_LOAD_BALANCER, SVF_NODE_PORT, VA6_PORTS, VA_PORTS,
} from "../layout-services.ts";
import { staticFind } from "../table/static.ts";
import { staticFind6 } from "../table/static6.ts";
import { DROP_CT_INVALID_HDR, DROP_NO_SERVICE, VERDICT_OK } from "../verdict.ts";
import { sameAddress6 } from "../wire/address6.ts";
import { ETH_LEN, hasL4Header, IP_DST, IP_PROTO, IP_SRC } from "../wire/ipv4.ts";
import { IP6_DST, IP6_SRC } from "../wire/ipv6.ts";
import { L4_DPORT, TCP_SYN } from "../wire/l4.ts";
import { selectBackend } from "./backend-selection.ts";
import { flagsFor } from "./conntrack.ts";
import { flagsFor6 } from "./conntrack6.ts";
import { answerUnreachable, answerUnreachable6 } from "./no-backend.ts";
import { isPortProtocol, loadPorts } from "./ports.ts";
import { hasL4Header6, loadPorts6, proto6 } from "./ports6.ts";
import { affinityBackend, createServiceEntry, moveServiceEntry, rememberAffinity, serviceEntry } from "./service-state.ts";
import { rewriteHeaders } from "./snat-rewrite.ts";
import { rewriteHeaders6 } from "./snat-rewrite6.ts";

/** The packet goes on through the pod's program, translated or not. */
export const SERVICE_DONE: i32 = 1;

/** Translates an IPv4 request to a service. SERVICE_DONE, with P_SERVICE, P_BACKEND, P_REV_NAT and P_LOOPBACK set where it was
 * translated; VERDICT_OK to the stack, VERDICT_REDIRECT for an ICMP answer, or a drop (135, 154, 155, 157, 158, 175). */
export function translateService(pkt: i32, ip: i32, l4: i32): i32 {
  const maps: i32 = ld32(ld32(pkt + P_NODE) + N_SERVICES), proto: i32 = ld8(ip + IP_PROTO);
  const address: i32 = staticFind(ld32(maps + SM_ADDRESSES), ld32(ip + IP_DST));
  if (address === 0 || !isPortProtocol(pkt, proto)) return SERVICE_DONE;
  const error: i32 = loadPorts(pkt, ip, l4);
  if (error < 0) return error;
  const service: i32 = serviceAt(pkt, ld32(address + VA_PORTS), proto);
  if (service === 0) return SERVICE_DONE;
  const flags: i32 = flagsFor(pkt, ip, l4);
  if (flags < 0) return DROP_CT_INVALID_HDR;
  const backend: i32 = backendFor(pkt, ip, maps, service, proto, flags, false);
  if (backend < 0) return backend === DROP_NO_SERVICE ? withoutBackend(pkt, service, false) : backend;
  const pod: i32 = ld32(ip + IP_SRC);
  const loopback: boolean = pod === ld32(backend + BE_ADDRESS);
  chosen(pkt, service, backend, loopback);
  const port: i32 = ld32(pkt + P_PORTS) >>> 16, withL4: boolean = hasL4Header(ip);
  const failed: i32 = rewriteHeaders(
    pkt, proto, ETH_LEN, withL4, l4, ld32(ip + IP_DST), ld32(backend + BE_ADDRESS), IP_DST, port, backendPort(backend, port), L4_DPORT, 0,
  );
  if (failed < 0) return failed;
  if (!loopback) return SERVICE_DONE;
  const hidden: i32 = rewriteHeaders(pkt, proto, ETH_LEN, withL4, l4, pod, ld32(ld32(pkt + P_NODE) + N_LOOPBACK), IP_SRC, 0, 0, 0, 0);
  return hidden < 0 ? hidden : SERVICE_DONE;
}

/** The same for IPv6; takes what ipv6Walk left in P_WALK. */
export function translateService6(pkt: i32, ip: i32): i32 {
  const node: i32 = ld32(pkt + P_NODE), proto: i32 = proto6(pkt), l4: i32 = ld32(pkt + P_L4);
  const maps: i32 = ld32(node + N_SERVICES6);
  const address: i32 = staticFind6(ld32(maps + SM_ADDRESSES), ip + IP6_DST);
  if (address === 0 || !isPortProtocol(pkt, proto)) return SERVICE_DONE;
  const error: i32 = loadPorts6(pkt, ip);
  if (error < 0) return error;
  const service: i32 = serviceAt(pkt, ld32(address + VA6_PORTS), proto);
  if (service === 0) return SERVICE_DONE;
  const flags: i32 = flagsFor6(pkt);
  if (flags < 0) return DROP_CT_INVALID_HDR;
  const backend: i32 = backendFor(pkt, ip, maps, service, proto, flags, true);
  if (backend < 0) return backend === DROP_NO_SERVICE ? withoutBackend(pkt, service, true) : backend;
  const loopback: boolean = sameAddress6(ip + IP6_SRC, backend + BE_ADDRESS);
  chosen(pkt, service, backend, loopback);
  const port: i32 = ld32(pkt + P_PORTS) >>> 16, withL4: boolean = hasL4Header6(pkt);
  const failed: i32 = rewriteHeaders6(pkt, proto, ETH_LEN, withL4, l4, backend + BE_ADDRESS, IP6_DST, port, backendPort(backend, port), L4_DPORT);
  if (failed < 0) return failed;
  if (!loopback) return SERVICE_DONE;
  const hidden: i32 = rewriteHeaders6(pkt, proto, ETH_LEN, withL4, l4, node + N_LOOPBACK6, IP6_SRC, 0, 0, 0);
  return hidden < 0 ? hidden : SERVICE_DONE;
}

/** Service record of the packet's destination port among an address's ports, 0 for none (lb4_lookup_service, east-west: an
 * address known by other ports only is none of ours). */
function serviceAt(pkt: i32, ports: i32, proto: i32): i32 { return staticFind(ports, (ld32(pkt + P_PORTS) >>> 16) | (proto << 16)); }

/** A backend without a port keeps the packet's. */
function backendPort(backend: i32, port: i32): i32 { return ld32(backend + BE_PORT) !== 0 ? ld32(backend + BE_PORT) : port; }

function chosen(pkt: i32, service: i32, backend: i32, loopback: boolean): void {
  st32(pkt + P_SERVICE, service);
  st32(pkt + P_BACKEND, backend);
  st32(pkt + P_REV_NAT, ld32(service + SV_REV_NAT));
  st32(pkt + P_LOOPBACK, loopback ? 1 : 0);
}

/** lb4_local, lb6_local: the backend record of the packet's connection; a known connection stays, unless its backend is gone
 * or takes no new ones and this is a SYN. Drop 155, or 158 without a backend. */
function backendFor(pkt: i32, ip: i32, maps: i32, service: i32, proto: i32, flags: i32, six: boolean): i32 {
  const backends: i32 = ld32(maps + SM_BACKENDS), affinity: boolean = (ld32(service + SV_FLAGS) & SVF_AFFINITY) !== 0;
  const entry: i32 = serviceEntry(pkt, ip, service, proto, flags, six);
  const known: i32 = entry === 0 ? 0 : ld32(entry + C_BACKEND);
  let id: i32 = known;
  if (entry === 0 && affinity && ld32(service + SV_COUNT) > 0) id = affinityBackend(pkt, ip, service, six);
  let backend: i32 = id === 0 ? 0 : staticFind(backends, id);
  const stays: boolean = backend !== 0 && (entry === 0 || (flags & TCP_SYN) === 0 || (ld32(backend + BE_STATE) & BE_STATE_MASK) === 0);
  if (!stays) {
    if (ld32(service + SV_COUNT) === 0) return DROP_NO_SERVICE;
    id = selectBackend(pkt, ip, maps, service, proto, six);
    backend = staticFind(backends, id);
    if (backend === 0) return DROP_NO_SERVICE;
  }
  if (entry === 0) {
    const error: i32 = createServiceEntry(pkt, ip, service, proto, id, six);
    if (error < 0) return error;
  } else if (id !== known) moveServiceEntry(entry, service, id);
  if (affinity) rememberAffinity(pkt, ip, service, id, six);
  return backend;
}

/** A service without a usable backend: dropped, answered with an ICMP error, or left to the stack unless its traffic policy is
 * Local (handle_nonroutable_endpoints_v4 and _v6). */
function withoutBackend(pkt: i32, service: i32, six: boolean): i32 {
  const node: i32 = ld32(ld32(pkt + P_NODE) + N_FLAGS), flags: i32 = ld32(service + SV_FLAGS);
  st32(pkt + P_SERVICE, service);
  if ((node & NF_NO_BACKEND_ROUTABLE) === 0) {
    const external: boolean = (flags & (SVF_EXTERNAL_IP | SVF_LOAD_BALANCER | SVF_NODE_PORT)) !== 0;
    return (flags & (external ? SVF_EXTERNAL_LOCAL : SVF_INTERNAL_LOCAL)) !== 0 ? DROP_NO_SERVICE : VERDICT_OK;
  }
  if ((node & NF_NO_BACKEND_REJECT) === 0) return DROP_NO_SERVICE;
  return six ? answerUnreachable6(pkt) : answerUnreachable(pkt);
}
