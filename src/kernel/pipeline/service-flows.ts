// Services in the pipeline: which service and backend a flow met, and what a capture at the pods shows translated already.
import { ld16, ld32, st32 } from "../mem.ts";
import { C_REV_NAT, P_FLOW, P_NODE, S_CT, S_FLOW, TUPLE_OUT } from "../layout.ts";
import { F6_BACKEND, N_LOOPBACK6, S_CT6, S_FLOW6 } from "../layout6.ts";
import { F_BACKEND, F_BACKEND_PORT, F_SERVICE, FK_POD } from "../layout-flow.ts";
import {
  BE_ADDRESS, BE_PORT, C_BACKEND, N_LOOPBACK, P_BACKEND, P_SERVICE, RN_ADDRESS, RN_PORT, SM_BACKENDS, SM_REV_NAT, SV_INDEX, TUPLE_SERVICE,
} from "../layout-services.ts";
import { staticFind } from "../table/static.ts";
import { copyAddress6, isZero6 } from "../wire/address6.ts";
import { ETH_LEN } from "../wire/ipv4.ts";
import { L4_SPORT } from "../wire/l4.ts";
import { isPortProtocol, keyWord, swapPorts } from "../datapath/ports.ts";
import {
  destinationAt, destinationOf, holdsL4, isIpv6, isService, l4Of, protoOf, rewrite, sameAddress, serviceMaps, shardFind, sourceAt, sourceOf,
} from "./family.ts";

/** Books the service that the pod's program has just looked at, and the backend it chose, under the packet's flow. */
export function bookService(pkt: i32): void {
  const service: i32 = ld32(pkt + P_SERVICE), flow: i32 = ld32(pkt + P_FLOW);
  if (service === 0 || flow === 0) return;
  const backend: i32 = ld32(pkt + P_BACKEND);
  st32(flow + F_SERVICE, ld32(service + SV_INDEX) + 1);
  if (backend === 0) return;
  if (isIpv6(pkt)) copyAddress6(flow + F6_BACKEND, backend + BE_ADDRESS);
  else st32(flow + F_BACKEND, ld32(backend + BE_ADDRESS));
  st32(flow + F_BACKEND_PORT, ld32(backend + BE_PORT));
}

/** The backend's address that a flow's record holds, 0 for none. */
function bookedBackend(flow: i32, six: boolean): i32 {
  if (!six) return ld32(flow + F_BACKEND);
  return isZero6(flow + F6_BACKEND) ? 0 : flow + F6_BACKEND;
}

/** The packet at `ip`, captured on its way to a pod, carries a service's address: it gets back the backend's address and port,
 * by the connection's conntrack entry, or by the flow's record where that is gone. `podPorts` are the flow's ports as the pod
 * sends them; returned as the backend has them, unchanged where nothing was done. */
export function restoreBackend(pkt: i32, ip: i32, podPorts: i32): i32 {
  const six: boolean = isIpv6(pkt), node: i32 = ld32(pkt + P_NODE), proto: i32 = protoOf(pkt, ip);
  const maps: i32 = serviceMaps(node, six), service: i32 = sourceOf(six, ip), pod: i32 = destinationOf(six, ip);
  if (maps === 0 || !isPortProtocol(pkt, proto) || !isService(maps, six, service)) return podPorts;
  const entry: i32 = shardFind(pkt, six, S_CT, S_CT6, keyWord(pkt, proto, TUPLE_SERVICE), service, pod, podPorts);
  const backend: i32 = entry === 0 ? 0 : staticFind(ld32(maps + SM_BACKENDS), ld32(entry + C_BACKEND)), flow: i32 = ld32(pkt + P_FLOW);
  let address: i32 = 0, named: i32 = 0;
  if (backend !== 0) {
    address = six ? backend + BE_ADDRESS : ld32(backend + BE_ADDRESS);
    named = ld32(backend + BE_PORT);
  } else if (flow !== 0) {
    address = bookedBackend(flow, six);
    named = ld32(flow + F_BACKEND_PORT);
  }
  if (address === 0) return podPorts;
  const l4: i32 = l4Of(pkt, ip), withL4: boolean = holdsL4(pkt, ip), port: i32 = podPorts >>> 16;
  const backendPort: i32 = named !== 0 ? named : port;
  rewrite(pkt, proto, ETH_LEN, withL4, l4, address, sourceAt(six), port, backendPort, L4_SPORT, 0);
  if (sameAddress(six, address, pod)) {
    const loopback: i32 = six ? node + N_LOOPBACK6 : ld32(node + N_LOOPBACK);
    rewrite(pkt, proto, ETH_LEN, withL4, l4, loopback, destinationAt(six), 0, 0, 0, 0);
  }
  return (podPorts & 0xffff) | (backendPort << 16);
}

/** The flow that pod `client` of a node opened to a service, and that a packet of its backend answers; 0 for none. `ports` are
 * the connection's as the client's translated packets have them, source port low. */
export function serviceFlow(pkt: i32, clientNode: i32, proto: i32, client: i32, backend: i32, ports: i32): i32 {
  const six: boolean = isIpv6(pkt), maps: i32 = serviceMaps(ld32(pkt + P_NODE), six), key: i32 = (clientNode << 16) | (proto << 8);
  if (maps === 0) return 0;
  const entry: i32 = shardFind(pkt, six, S_CT, S_CT6, key | TUPLE_OUT, client, backend, swapPorts(ports));
  const index: i32 = entry === 0 ? 0 : ld16(entry + C_REV_NAT);
  const record: i32 = index === 0 ? 0 : staticFind(ld32(maps + SM_REV_NAT), index);
  if (record === 0) return 0;
  const service: i32 = six ? record + RN_ADDRESS : ld32(record + RN_ADDRESS), asked: i32 = (ports & 0xffff) | (ld32(record + RN_PORT) << 16);
  return shardFind(pkt, six, S_FLOW, S_FLOW6, key | FK_POD, client, service, asked);
}
