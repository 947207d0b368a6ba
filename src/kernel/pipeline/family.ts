// What the pipeline asks of a packet whichever family it is of. An "address" is what the family's tables take: a wire word for
// IPv4, the place of the 16 bytes for IPv6. Answers about IPv6 are those of the last readHeaders.
import { ld16be, ld32, ld8, st32 } from "../mem.ts";
import { P_FLAGS, P_FRAME, P_LEN, P_SHARD, PF_IPV6, X_ADDR, X_PORT } from "../layout.ts";
import { P_L4, P_WALK, W_FLAGS, W_FRAG_PROTO, W_ID, W_PROTO, WF_FRAGMENT, WF_NO_L4, X6_ADDR, X6_PORT } from "../layout6.ts";
import { N_SERVICES, N_SERVICES6, SM_ADDRESSES } from "../layout-services.ts";
import { find } from "../table/dynamic.ts";
import { find6 } from "../table/dynamic6.ts";
import { staticFind } from "../table/static.ts";
import { staticFind6 } from "../table/static6.ts";
import { sameAddress6 } from "../wire/address6.ts";
import { ICMP6_ECHO, ICMP6_ECHO_REPLY, isIcmp6Error } from "../wire/icmp6.ts";
import {
  ETH_LEN, ETH_TYPE, ETHERTYPE_IPV6, hasL4Header, IP_DST, IP_HEADER, IP_PROTO, IP_SRC, isFragment, l4Offset, PROTO_ICMP,
} from "../wire/ipv4.ts";
import { IP6_DST, IP6_HEADER, IP6_SRC, NEXT_NONE, PROTO_ICMP6 } from "../wire/ipv6.ts";
import { ICMP_ECHO, ICMP_ECHO_REPLY, ICMP_PARAMETER, ICMP_TIME_EXCEEDED, ICMP_UNREACHABLE } from "../wire/l4.ts";
import { hasL4Header6, isFragment6, proto6, walkHeaders6 } from "../datapath/ports6.ts";
import { rewriteHeaders } from "../datapath/snat-rewrite.ts";
import { rewriteHeaders6 } from "../datapath/snat-rewrite6.ts";
import { X_ADDRESSES, X_ADDRESSES6 } from "./layout-batch.ts";

export function isIpv6(pkt: i32): boolean { return (ld32(pkt + P_FLAGS) & PF_IPV6) !== 0; }

/** Sets PF_IPV6 by the frame's EtherType; false when the frame does not hold the family's whole header. */
export function tellFamily(pkt: i32): boolean {
  const length: i32 = ld32(pkt + P_LEN);
  if (length < ETH_LEN + IP_HEADER) return false;
  if (ld16be(ld32(pkt + P_FRAME) + ETH_TYPE) !== ETHERTYPE_IPV6) return true;
  st32(pkt + P_FLAGS, ld32(pkt + P_FLAGS) | PF_IPV6);
  return length >= ETH_LEN + IP6_HEADER;
}

/** Walks the packet's extension headers; where a hook will refuse them, the packet is one without an upper layer. */
export function readHeaders(pkt: i32): void {
  if (!isIpv6(pkt) || walkHeaders6(pkt) === 0) return;
  st32(pkt + P_WALK + W_PROTO, NEXT_NONE);
  st32(pkt + P_WALK + W_FLAGS, WF_FRAGMENT | WF_NO_L4);
  st32(pkt + P_WALK + W_ID, 0);
  st32(pkt + P_WALK + W_FRAG_PROTO, NEXT_NONE);
  st32(pkt + P_L4, ld32(pkt + P_LEN));
}

export function protoOf(pkt: i32, ip: i32): i32 { return isIpv6(pkt) ? proto6(pkt) : ld8(ip + IP_PROTO); }
/** Offset of the upper-layer header from the start of the frame. */
export function l4Of(pkt: i32, ip: i32): i32 { return isIpv6(pkt) ? ld32(pkt + P_L4) : l4Offset(ip); }
export function holdsL4(pkt: i32, ip: i32): boolean { return isIpv6(pkt) ? hasL4Header6(pkt) : hasL4Header(ip); }
export function fragmented(pkt: i32, ip: i32): boolean { return isIpv6(pkt) ? isFragment6(pkt) : isFragment(ip); }

export function isIcmp(six: boolean, proto: i32): boolean { return proto === (six ? PROTO_ICMP6 : PROTO_ICMP); }
export function isEchoRequest(six: boolean, type: i32): boolean { return type === (six ? ICMP6_ECHO : ICMP_ECHO); }
export function isEcho(six: boolean, type: i32): boolean { return isEchoRequest(six, type) || type === (six ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY); }
/** Does the ICMP message quote another packet? */
export function quotesPacket(six: boolean, type: i32): boolean {
  return six ? isIcmp6Error(type) : type === ICMP_UNREACHABLE || type === ICMP_TIME_EXCEEDED || type === ICMP_PARAMETER;
}

/** Address fields of the header at `ip`, from its start. */
export function sourceAt(six: boolean): i32 { return six ? IP6_SRC : IP_SRC; }
export function destinationAt(six: boolean): i32 { return six ? IP6_DST : IP_DST; }
export function sourceOf(six: boolean, ip: i32): i32 { return six ? ip + IP6_SRC : ld32(ip + IP_SRC); }
export function destinationOf(six: boolean, ip: i32): i32 { return six ? ip + IP6_DST : ld32(ip + IP_DST); }
export function sameAddress(six: boolean, a: i32, b: i32): boolean { return six ? sameAddress6(a, b) : a === b; }

/** The cluster's record (A_…) of an address, 0 for none. */
export function clusterFind(cx: i32, six: boolean, address: i32): i32 {
  return six ? staticFind6(ld32(cx + X_ADDRESSES6), address) : staticFind(ld32(cx + X_ADDRESSES), address);
}

/** Entry of a table of the packet's shard, at offset `table4` or `table6` of it; 0 for none. */
export function shardFind(pkt: i32, six: boolean, table4: i32, table6: i32, k0: i32, daddr: i32, saddr: i32, k3: i32): i32 {
  const shard: i32 = ld32(pkt + P_SHARD);
  return six ? find6(shard + table6, k0, daddr, saddr, k3) : find(shard + table4, k0, daddr, saddr, k3);
}

/** Service maps (SM_…) of a node, 0 where its pods' programs translate no services. */
export function serviceMaps(node: i32, six: boolean): i32 { return ld32(node + (six ? N_SERVICES6 : N_SERVICES)); }
/** Is the address one of a service? */
export function isService(maps: i32, six: boolean, address: i32): boolean {
  return (six ? staticFind6(ld32(maps + SM_ADDRESSES), address) : staticFind(ld32(maps + SM_ADDRESSES), address)) !== 0;
}

/** rewriteHeaders of the packet's family, which says what the arguments are. */
export function rewrite(
  pkt: i32, proto: i32, l3: i32, withL4: boolean, l4: i32, address: i32, addrAt: i32, oldPort: i32, newPort: i32, portAt: i32, extra: i32,
): void {
  if (isIpv6(pkt)) rewriteHeaders6(pkt, proto, l3, withL4, l4, address, addrAt, oldPort, newPort, portAt);
  else rewriteHeaders(pkt, proto, l3, withL4, l4, ld32(ld32(pkt + P_FRAME) + l3 + addrAt), address, addrAt, oldPort, newPort, portAt, extra);
}

/** What a NAT entry translates to. */
export function natAddress(six: boolean, entry: i32): i32 { return six ? entry + X6_ADDR : ld32(entry + X_ADDR); }
export function natPort(six: boolean, entry: i32): i32 { return ld32(entry + (six ? X6_PORT : X_PORT)); }
