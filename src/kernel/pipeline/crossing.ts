// From one device to the next: neighbours' MACs, the tunnel, the wire between two nodes.
import { ld32, ld8, st16, st32 } from "../mem.ts";
import {
  D_MAC, N_ADDRESS, N_DEVICES, N_INDEX, N_TUNNEL_IFINDEX, P_FLAGS, P_FRAME, P_IFINDEX, P_MARK, P_NODE, P_SEQ_LO, P_TUNNEL_REMOTE, PF_SYNTHETIC,
} from "../layout.ts";
import { hash4 } from "../table/hash.ts";
import { hashAddress6 } from "../table/dynamic6.ts";
import { ETH_LEN, IP_DST, IP_PROTO, IP_SRC, ipv4Header } from "../wire/ipv4.ts";
import { IP6_DST, IP6_SRC, ipv6Header } from "../wire/ipv6.ts";
import { storeMacs } from "../datapath/local-delivery.ts";
import { deviceFind } from "../datapath/lookups.ts";
import { A_IFINDEX, A_MAC, A_NODE, X_MADE } from "./layout-batch.ts";
import { emitTunnel } from "./emit.ts";
import { clusterFind, destinationOf, isIpv6, protoOf, readHeaders } from "./family.ts";
import { flowPorts } from "./flows.ts";
import { forgetNextHop, isLive, rememberNextHop } from "./live-exit.ts";
import { nodeAt } from "./nodes.ts";

/** Neighbour output of a device: its MAC, and the next hop's, a node's device or one derived from the address. `nextHop` is an
 * address of the packet's family. */
export function throughNeighbour(cx: i32, pkt: i32, ifindex: i32, nextHop: i32): void {
  const device: i32 = deviceFind(pkt, ifindex);
  const source: i32 = device !== 0 ? device + D_MAC : ld32(ld32(pkt + P_NODE) + N_DEVICES) + D_MAC;
  storeMacs(ld32(pkt + P_FRAME), source, neighbourMac(cx, isIpv6(pkt), nextHop));
  st32(pkt + P_IFINDEX, ifindex);
}

export function neighbourMac(cx: i32, six: boolean, address: i32): i32 {
  const known: i32 = clusterFind(cx, six, address);
  if (known !== 0) return known + A_MAC;
  if (six && isLive(cx)) rememberNextHop(cx, address);
  const made: i32 = ld32(cx + X_MADE);
  if (six && macOfInterface(made, address)) return made;
  // 02:fe and the address, of IPv6 its last word: a locally administered MAC that tells whose it is.
  const word: i32 = six ? ld32(address + 12) : address;
  st32(made, 0x0000fe02 | (word << 16));
  st32(made + 4, word >>> 16);
  return made;
}

/** A link-local address with a modified EUI-64 identifier (RFC 4291 appendix A) tells the MAC it was made from, written at
 * `to`; false for any other. */
function macOfInterface(to: i32, address: i32): boolean {
  if (ld32(address) !== 0x000080fe || ld8(address + 11) !== 0xff || ld8(address + 12) !== 0xfe) return false;
  st32(to, (ld8(address + 8) ^ 2) | (ld8(address + 9) << 8) | (ld8(address + 10) << 16) | (ld8(address + 13) << 24));
  st16(to + 4, ld8(address + 14) | (ld8(address + 15) << 8));
  return true;
}

/** The encapsulated packet crosses to the tunnel's remote, over IPv4 whatever it is itself; false when that is no node of the
 * model. */
export function throughTunnel(cx: i32, pkt: i32): boolean {
  const node: i32 = ld32(pkt + P_NODE), remote: i32 = ld32(pkt + P_TUNNEL_REMOTE);
  if ((ld32(pkt + P_FLAGS) & PF_SYNTHETIC) === 0) emitTunnel(cx, pkt, flowHash(pkt), ld32(pkt + P_SEQ_LO) & 0xffff, neighbourMac(cx, false, remote));
  const address: i32 = clusterFind(cx, false, remote);
  if (address === 0) return false;
  arriveAt(cx, pkt, address);
  // On arrival the tunnel's metadata names the sender.
  st32(pkt + P_TUNNEL_REMOTE, ld32(node + N_ADDRESS));
  st32(pkt + P_IFINDEX, ld32(ld32(pkt + P_NODE) + N_TUNNEL_IFINDEX));
  return true;
}

/** Hash of the inner flow, 0 where there is no whole IP header. */
function flowHash(pkt: i32): i32 {
  if (isIpv6(pkt)) {
    const ip6: i32 = ipv6Header(pkt);
    if (ip6 === 0) return 0;
    readHeaders(pkt);
    return hash4(hashAddress6(ip6 + IP6_SRC), hashAddress6(ip6 + IP6_DST), flowPorts(pkt, ip6), protoOf(pkt, ip6));
  }
  const ip: i32 = ipv4Header(pkt);
  return ip === 0 ? 0 : hash4(ld32(ip + IP_SRC), ld32(ip + IP_DST), flowPorts(pkt, ip), ld8(ip + IP_PROTO));
}

/** A packet that left a device: true when its destination is another node of the model, where it now arrives. */
export function acrossWire(cx: i32, pkt: i32): boolean {
  const six: boolean = isIpv6(pkt);
  if ((six ? ipv6Header(pkt) : ipv4Header(pkt)) === 0) return false;
  const address: i32 = clusterFind(cx, six, destinationOf(six, ld32(pkt + P_FRAME) + ETH_LEN));
  if (address === 0 || ld32(address + A_NODE) - 1 === ld32(ld32(pkt + P_NODE) + N_INDEX)) return false;
  arriveAt(cx, pkt, address);
  return true;
}

function arriveAt(cx: i32, pkt: i32, address: i32): void {
  if (isLive(cx)) forgetNextHop(cx);
  st32(pkt + P_NODE, nodeAt(cx, ld32(address + A_NODE) - 1));
  st32(pkt + P_IFINDEX, ld32(address + A_IFINDEX));
  st32(pkt + P_MARK, 0);
}
