// Services in the pipeline: which service and backend a flow met, and what a capture at the pods shows translated already.
import { ld16, ld32, ld8, st32 } from "../mem.ts";
import { C_REV_NAT, P_FLOW, P_NODE, P_SHARD, S_CT, S_FLOW, TUPLE_OUT } from "../layout.ts";
import { F_BACKEND, F_BACKEND_PORT, F_SERVICE, FK_POD } from "../layout-flow.ts";
import {
  BE_ADDRESS, BE_PORT, C_BACKEND, N_LOOPBACK, N_SERVICES, P_BACKEND, P_SERVICE, RN_ADDRESS, RN_PORT, SM_ADDRESSES, SM_BACKENDS, SM_REV_NAT, SV_INDEX,
  TUPLE_SERVICE,
} from "../layout-services.ts";
import { find } from "../table/dynamic.ts";
import { staticFind } from "../table/static.ts";
import { ETH_LEN, hasL4Header, IP_DST, IP_PROTO, IP_SRC, l4Offset } from "../wire/ipv4.ts";
import { L4_SPORT } from "../wire/l4.ts";
import { isPortProtocol, keyWord, swapPorts } from "../datapath/ports.ts";
import { rewriteHeaders } from "../datapath/snat-rewrite.ts";

/** Books the service that the pod's program has just looked at, and the backend it chose, under the packet's flow. */
export function bookService(pkt: i32): void {
  const service: i32 = ld32(pkt + P_SERVICE), flow: i32 = ld32(pkt + P_FLOW);
  if (service === 0 || flow === 0) return;
  const backend: i32 = ld32(pkt + P_BACKEND);
  st32(flow + F_SERVICE, ld32(service + SV_INDEX) + 1);
  if (backend === 0) return;
  st32(flow + F_BACKEND, ld32(backend + BE_ADDRESS));
  st32(flow + F_BACKEND_PORT, ld32(backend + BE_PORT));
}

/** The packet at `ip`, captured on its way to a pod, carries a service's address: it gets back the backend's address and port,
 * by the connection's conntrack entry, or by the flow's record where that is gone. `podPorts` are the flow's ports as the pod sends them; returned as the backend has
 * them, unchanged where nothing was done. */
export function restoreBackend(pkt: i32, ip: i32, podPorts: i32): i32 {
  const node: i32 = ld32(pkt + P_NODE), proto: i32 = ld8(ip + IP_PROTO);
  const maps: i32 = ld32(node + N_SERVICES), service: i32 = ld32(ip + IP_SRC), pod: i32 = ld32(ip + IP_DST);
  if (maps === 0 || !isPortProtocol(pkt, proto) || staticFind(ld32(maps + SM_ADDRESSES), service) === 0) return podPorts;
  const entry: i32 = find(ld32(pkt + P_SHARD) + S_CT, keyWord(pkt, proto, TUPLE_SERVICE), service, pod, podPorts);
  const backend: i32 = entry === 0 ? 0 : staticFind(ld32(maps + SM_BACKENDS), ld32(entry + C_BACKEND)), flow: i32 = ld32(pkt + P_FLOW);
  let address: i32 = 0, named: i32 = 0;
  if (backend !== 0) {
    address = ld32(backend + BE_ADDRESS);
    named = ld32(backend + BE_PORT);
  } else if (flow !== 0) {
    address = ld32(flow + F_BACKEND);
    named = ld32(flow + F_BACKEND_PORT);
  }
  if (address === 0) return podPorts;
  const l4: i32 = l4Offset(ip), withL4: boolean = hasL4Header(ip), port: i32 = podPorts >>> 16;
  const backendPort: i32 = named !== 0 ? named : port;
  rewriteHeaders(pkt, proto, ETH_LEN, withL4, l4, service, address, IP_SRC, port, backendPort, L4_SPORT, 0);
  if (address === pod) rewriteHeaders(pkt, proto, ETH_LEN, withL4, l4, pod, ld32(node + N_LOOPBACK), IP_DST, 0, 0, 0, 0);
  return (podPorts & 0xffff) | (backendPort << 16);
}

/** The flow that pod `client` of a node opened to a service, and that a packet of its backend answers; 0 for none. `ports` are
 * the connection's as the client's translated packets have them, source port low. */
export function serviceFlow(pkt: i32, clientNode: i32, proto: i32, client: i32, backend: i32, ports: i32): i32 {
  const maps: i32 = ld32(ld32(pkt + P_NODE) + N_SERVICES), shard: i32 = ld32(pkt + P_SHARD);
  if (maps === 0) return 0;
  const entry: i32 = find(shard + S_CT, (clientNode << 16) | (proto << 8) | TUPLE_OUT, client, backend, swapPorts(ports));
  const index: i32 = entry === 0 ? 0 : ld16(entry + C_REV_NAT);
  const record: i32 = index === 0 ? 0 : staticFind(ld32(maps + SM_REV_NAT), index);
  if (record === 0) return 0;
  return find(shard + S_FLOW, (clientNode << 16) | (proto << 8) | FK_POD, client, ld32(record + RN_ADDRESS), (ports & 0xffff) | (ld32(record + RN_PORT) << 16));
}
