// cil_from_netdev (bpf_host.c): what arrives at a physical device. Reverse NAT, then the tunnel, a local pod or the stack.
import { ld16be, ld32, st32 } from "../mem.ts";
import {
  EP_FLAGS, EPF_AT_HOST_NS, EPF_HOST, N_FLAGS, N_VLAN_ALLOWED, NF_IPV6, NF_FRAGMENTS, NF_HOST_ROUTING, P_FLAGS, P_FRAME, P_IDENTITY, P_INFO_IDENTITY, P_LEN,
  P_NAT, P_NODE, P_POLICY, P_TO, P_VLAN_TCI, PF_SKIP_NODEPORT, TO_NONE,
} from "../layout.ts";
import { ETH_LEN, ETH_TYPE, ETHERTYPE_IPV4, ETHERTYPE_IPV6, IP_DST, IP_SRC, ipv4Header, isFragment } from "../wire/ipv4.ts";
import { DROP_FRAG_NOSUPPORT, DROP_INVALID, DROP_VLAN_FILTERED, ID_HOST, VERDICT_OK } from "../verdict.ts";
import { fromNetdev6 } from "./from-netdev6.ts";
import { localDelivery } from "./local-delivery.ts";
import { endpointFind, ipcacheFind } from "./lookups.ts";
import { natIngress } from "./nat-ingress.ts";

/** VERDICT_OK: to the node's stack. VERDICT_REDIRECT: see P_TO. Or a drop. */
export function fromNetdev(pkt: i32): i32 {
  st32(pkt + P_TO, TO_NONE);
  st32(pkt + P_POLICY, 0);
  st32(pkt + P_NAT, 0);
  st32(pkt + P_FLAGS, ld32(pkt + P_FLAGS) & ~PF_SKIP_NODEPORT);
  const tag: i32 = ld32(pkt + P_VLAN_TCI) & 0xfff;
  if (tag !== 0) return tag === ld32(ld32(pkt + P_NODE) + N_VLAN_ALLOWED) ? VERDICT_OK : DROP_VLAN_FILTERED;
  if (ld32(pkt + P_LEN) < ETH_LEN) return VERDICT_OK;
  const type: i32 = ld16be(ld32(pkt + P_FRAME) + ETH_TYPE);
  if (type !== ETHERTYPE_IPV4)
    return type === ETHERTYPE_IPV6 && (ld32(ld32(pkt + P_NODE) + N_FLAGS) & NF_IPV6) !== 0 ? fromNetdev6(pkt) : VERDICT_OK;
  const ip: i32 = ipv4Header(pkt);
  if (ip === 0) return DROP_INVALID;

  // resolve_srcid_ipv4: host as seen from outside is no identity.
  ipcacheFind(pkt, ld32(ip + IP_SRC));
  const known: i32 = ld32(pkt + P_INFO_IDENTITY);
  const identity: i32 = known === ID_HOST ? 0 : known;
  st32(pkt + P_IDENTITY, identity);

  const flags: i32 = ld32(ld32(pkt + P_NODE) + N_FLAGS);
  if ((flags & NF_FRAGMENTS) === 0 && isFragment(ip)) return DROP_FRAG_NOSUPPORT;
  const verdict: i32 = natIngress(pkt, ip, true);
  if (verdict !== VERDICT_OK) return verdict;

  if ((flags & NF_HOST_ROUTING) === 0) return VERDICT_OK;
  const local: i32 = endpointFind(pkt, ld32(ip + IP_DST));
  if (local === 0 || (ld32(local + EP_FLAGS) & (EPF_HOST | EPF_AT_HOST_NS)) !== 0) return VERDICT_OK;
  return localDelivery(pkt, ip, local, identity, false);
}
