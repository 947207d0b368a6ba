// What stands for a packet's port in a policy map: the destination port, or an ICMP message's type.
import { ld32, ld8 } from "../mem.ts";
import { P_FRAME, P_NODE, P_PORTS } from "../layout.ts";
import { P_L4 } from "../layout6.ts";
import { N_POLICY_FLAGS, NPF_FRAG_NEEDED, NPF_ICMP_RULES } from "../layout-policy.ts";
import { DROP_INVALID } from "../verdict.ts";
import { PROTO_ICMP } from "../wire/ipv4.ts";
import { PROTO_ICMP6 } from "../wire/ipv6.ts";
import { ICMP_CODE, ICMP_CODE_FRAG_NEEDED, ICMP_HEADER, ICMP_TYPE, ICMP_UNREACHABLE, within } from "../wire/l4.ts";
import { swap16 } from "../wire/swap.ts";
import { PORT_UNASKED } from "./policy.ts";

/** Host order; PORT_UNASKED for what passes without a look-up, or drop 134 for a cut ICMP header. */
export function policyPort(pkt: i32, proto: i32, l4: i32): i32 {
  const flags: i32 = ld32(ld32(pkt + P_NODE) + N_POLICY_FLAGS);
  if (proto !== PROTO_ICMP || (flags & (NPF_ICMP_RULES | NPF_FRAG_NEEDED)) === 0) return swap16(ld32(pkt + P_PORTS) >>> 16);
  if (!within(pkt, l4, ICMP_HEADER)) return DROP_INVALID;
  const icmp: i32 = ld32(pkt + P_FRAME) + l4, type: i32 = ld8(icmp + ICMP_TYPE);
  if ((flags & NPF_FRAG_NEEDED) !== 0 && type === ICMP_UNREACHABLE && ld8(icmp + ICMP_CODE) === ICMP_CODE_FRAG_NEEDED) return PORT_UNASKED;
  return (flags & NPF_ICMP_RULES) !== 0 ? type : swap16(ld32(pkt + P_PORTS) >>> 16);
}

/** The same for IPv6 (P_L4), where nothing passes unasked. */
export function policyPort6(pkt: i32, proto: i32): i32 {
  const l4: i32 = ld32(pkt + P_L4);
  if (proto !== PROTO_ICMP6 || (ld32(ld32(pkt + P_NODE) + N_POLICY_FLAGS) & NPF_ICMP_RULES) === 0) return swap16(ld32(pkt + P_PORTS) >>> 16);
  return within(pkt, l4, 1) ? ld8(ld32(pkt + P_FRAME) + l4 + ICMP_TYPE) : DROP_INVALID;
}
