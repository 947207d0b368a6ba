// The IPv6 part of cil_from_netdev (bpf_host.c): neighbour discovery, reverse NAT, then the tunnel, a local pod or the stack.
import { ld32, ld8, st32 } from "../mem.ts";
import { EP_FLAGS, EPF_AT_HOST_NS, EPF_HOST, N_FLAGS, NF_FRAGMENTS6, NF_HOST_ROUTING, P_FRAME, P_IDENTITY, P_INFO_IDENTITY, P_NODE } from "../layout.ts";
import { P_L4 } from "../layout6.ts";
import { ICMP6_SOLICITATION } from "../wire/icmp6.ts";
import { ETH_LEN } from "../wire/ipv4.ts";
import { IP6_DST, IP6_SRC, ipv6Header, ipv6IsFragment, PROTO_ICMP6 } from "../wire/ipv6.ts";
import { ICMP_TYPE, within } from "../wire/l4.ts";
import { DROP_FRAG_NOSUPPORT, DROP_INVALID, ID_HOST, VERDICT_OK } from "../verdict.ts";
import { answerFromNode, answerSolicitation } from "./answer6.ts";
import { localDelivery6 } from "./local-delivery6.ts";
import { endpointFind6, ipcacheFind6 } from "./lookups6.ts";
import { natIngress6 } from "./nat-ingress6.ts";
import { proto6, walkHeaders6 } from "./ports6.ts";

/** As fromNetdev, for a frame whose EtherType is IPv6. */
export function fromNetdev6(pkt: i32): i32 {
  answerFromNode(pkt);
  const ip: i32 = ipv6Header(pkt);
  if (ip === 0) return DROP_INVALID;
  // resolve_srcid_ipv6: host as seen from outside is no identity.
  ipcacheFind6(pkt, ip + IP6_SRC);
  const known: i32 = ld32(pkt + P_INFO_IDENTITY);
  const identity: i32 = known === ID_HOST ? 0 : known;
  st32(pkt + P_IDENTITY, identity);

  const flags: i32 = ld32(ld32(pkt + P_NODE) + N_FLAGS);
  if ((flags & NF_FRAGMENTS6) === 0) {
    const fragment: i32 = ipv6IsFragment(pkt, ETH_LEN);
    if (fragment !== 0) return fragment < 0 ? fragment : DROP_FRAG_NOSUPPORT;
  }
  const cut: i32 = walkHeaders6(pkt);
  if (cut < 0) return cut;
  if (proto6(pkt) === PROTO_ICMP6) {
    const l4: i32 = ld32(pkt + P_L4);
    if (!within(pkt, l4, 1)) return DROP_INVALID;
    if (ld8(ld32(pkt + P_FRAME) + l4 + ICMP_TYPE) === ICMP6_SOLICITATION) return answerSolicitation(pkt, false);
  }
  const translated: i32 = natIngress6(pkt, ip, true);
  if (translated !== VERDICT_OK) return translated;

  if ((flags & NF_HOST_ROUTING) === 0) return VERDICT_OK;
  const local: i32 = endpointFind6(pkt, ip + IP6_DST);
  if (local === 0 || (ld32(local + EP_FLAGS) & (EPF_HOST | EPF_AT_HOST_NS)) !== 0) return VERDICT_OK;
  return localDelivery6(pkt, ip, local, identity, false);
}
