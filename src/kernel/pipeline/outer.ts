// Outer headers of a tunnel: Ethernet, IPv4, UDP and VXLAN (RFC 7348 section 5) or Geneve without options (RFC 8926 section 3.4).
import { copy, fill, ld32, mul, st16, st16be, st32, st32be, st8 } from "../mem.ts";
import { N_ADDRESS, N_DEVICES, N_FLAGS, N_INDEX, N_TUNNEL_PORT, NF_GENEVE, D_MAC } from "../layout.ts";
import { R_HEADERS, R_SUM } from "../layout-way.ts";
import { csumBytes, csumFold } from "../wire/checksum.ts";
import { ETH_LEN, IP_CSUM, IP_DST, IP_HEADER, IP_ID, IP_PROTO, IP_SRC, IP_TOS, IP_TOTAL_LEN, IP_TTL, PROTO_UDP } from "../wire/ipv4.ts";
import { swap16 } from "../wire/swap.ts";
import { storeMacs } from "../datapath/local-delivery.ts";
import { find, insert } from "../table/dynamic.ts";
import { X_ROUTES } from "./layout-batch.ts";

const UDP_HEADER: i32 = 8;
const VXLAN_HEADER: i32 = 8;
export const TUNNEL_OVERHEAD: i32 = 50;
const TUNNEL_TTL: i32 = 64;
/** Linux' default ip_local_port_range, from which udp_flow_src_port picks. */
const SOURCE_PORT_MIN: i32 = 32768;
const SOURCE_PORT_SPAN: i32 = 28232;

/** UDP source port of the outer header for an inner flow's hash. */
export function outerPort(flow: i32): i32 { return SOURCE_PORT_MIN + (mul((flow ^ (flow >>> 16)) & 0xffff, SOURCE_PORT_SPAN) >>> 16); }

/** Writes the headers from `node` to `remote` at `eth`, with 0 for what differs from packet to packet; `mac` is the remote's.
 * Returns the sum of the IPv4 header so far. */
function writeOuter(eth: i32, node: i32, remote: i32, vni: i32, mac: i32): i32 {
  fill(eth, 0, TUNNEL_OVERHEAD);
  storeMacs(eth, ld32(node + N_DEVICES) + D_MAC, mac);
  st16be(eth + 12, 0x0800);
  const ip: i32 = eth + ETH_LEN, udp: i32 = ip + IP_HEADER;
  st8(ip, 0x45);
  // Don't-fragment is clear whatever the inner packet says (recorded).
  st8(ip + IP_TTL, TUNNEL_TTL);
  st8(ip + IP_PROTO, PROTO_UDP);
  st32(ip + IP_SRC, ld32(node + N_ADDRESS));
  st32(ip + IP_DST, remote);
  st16(udp + 2, ld32(node + N_TUNNEL_PORT));
  // VXLAN: I flag. Geneve: version 0, no options, protocol Transparent Ethernet Bridging.
  st32be(udp + UDP_HEADER, (ld32(node + N_FLAGS) & NF_GENEVE) !== 0 ? 0x00006558 : 0x08000000);
  st32be(udp + UDP_HEADER + 4, vni << 8);
  return csumBytes(ip, IP_HEADER, 0);
}

/** Puts the headers of a route at `eth` for an inner frame of `wire` bytes: ECN bits of the inner packet, which alone of its
 * DSCP field go outside (recorded; RFC 6040 normal mode for ECT and CE), IP identification, and the source port. */
export function putOuter(eth: i32, route: i32, wire: i32, ecn: i32, id: i32, port: i32): void {
  copy(eth, route + R_HEADERS, TUNNEL_OVERHEAD);
  const ip: i32 = eth + ETH_LEN, udp: i32 = ip + IP_HEADER;
  // An offloaded frame may be longer than 16 bits tell of its outer packet; then they tell as much as they can.
  const all: i32 = IP_HEADER + UDP_HEADER + VXLAN_HEADER + wire, total: i32 = all > 0xffff ? 0xffff : all;
  st8(ip + IP_TOS, ecn);
  st16be(ip + IP_TOTAL_LEN, total);
  st16be(ip + IP_ID, id);
  st16(ip + IP_CSUM, ~csumFold(ld32(route + R_SUM) + (ecn << 8) + swap16(total) + swap16(id)) & 0xffff);
  st16be(udp, port);
  st16be(udp + 4, total - IP_HEADER);
}

/** The route from `node` to `remote` with `vni`, made where it is new; 0 when there is no room for another one. */
export function routeOf(cx: i32, node: i32, remote: i32, vni: i32, mac: i32): i32 {
  // By its number: a reload writes nodes to other addresses, and another one to this.
  const table: i32 = ld32(cx + X_ROUTES), number: i32 = ld32(node + N_INDEX);
  let route: i32 = find(table, number, remote, vni, 0);
  if (route !== 0) return route;
  route = insert(table, number, remote, vni, 0);
  if (route !== 0) st32(route + R_SUM, writeOuter(route + R_HEADERS, node, remote, vni, mac));
  return route;
}

/** A route that is used once and kept nowhere, at `at`. */
export function passingRoute(at: i32, node: i32, remote: i32, vni: i32, mac: i32): i32 {
  st32(at + R_SUM, writeOuter(at + R_HEADERS, node, remote, vni, mac));
  return at;
}
