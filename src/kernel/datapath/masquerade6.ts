// __snat_v6_needs_masquerade (bpf/lib/nat.h): must an IPv6 packet that leaves by a device be translated, and to which address?
import { ld32, st32 } from "../mem.ts";
import {
  D_MASQUERADE6, EP_FLAGS, EPF_HOST, EPF_NO_SNAT6, IPC_SKIP_TUNNEL, N_FLAGS, NF_EGRESS_GATEWAY, NF_EXCLUSION6, NF_IPMASQ6, NF_MASQUERADE6,
  NF_REMOTE_NODE_MASQ, NF_TUNNEL_MODE, P_IFINDEX, P_INFO_FLAGS, P_INFO_IDENTITY, P_NODE, P_SNAT_FLAGS,
} from "../layout.ts";
import { N_EXCLUSION6_ADDR, N_EXCLUSION6_MASK, N_IPMASQ6, P_SNAT_ADDR6 } from "../layout6.ts";
import { prefixFind6 } from "../table/static6.ts";
import { clearAddress6, copyAddress6, inNetwork6, isZero6, sameAddress6 } from "../wire/address6.ts";
import { IP6_DST, IP6_SRC } from "../wire/ipv6.ts";
import { DROP_CT_UNKNOWN_PROTO, DROP_NO_EGRESS_IP, NAT_NOT_NEEDED } from "../verdict.ts";
import { ctIsReply6 } from "./conntrack6.ts";
import { egressGatewaySnatNeeded6 } from "./egress-gateway6.ts";
import { deviceFind, identityIsRemoteNode } from "./lookups.ts";
import { endpointFind6, ipcacheFind6 } from "./lookups6.ts";
import { NAT_NEEDED } from "./masquerade.ts";
import { ctExtractPorts6 } from "./ports6.ts";
import { ST_EGRESS_GATEWAY, ST_LOCAL_ENDPOINT, ST_NEEDS_CT } from "./snat.ts";

/** NAT_NEEDED with P_SNAT_ADDR6 and P_SNAT_FLAGS set, NAT_NOT_NEEDED, or a drop (204, parse drops). */
export function needsMasquerade6(pkt: i32, ip: i32): i32 {
  const node: i32 = ld32(pkt + P_NODE);
  const flags: i32 = ld32(node + N_FLAGS), saddr: i32 = ip + IP6_SRC, daddr: i32 = ip + IP6_DST;
  if ((flags & NF_MASQUERADE6) === 0) return NAT_NOT_NEEDED;
  const device: i32 = deviceFind(pkt, ld32(pkt + P_IFINDEX));
  // The node's own connections hold their ports against the masqueraded ones.
  if (device !== 0 && sameAddress6(saddr, device + D_MASQUERADE6)) {
    copyAddress6(pkt + P_SNAT_ADDR6, saddr);
    st32(pkt + P_SNAT_FLAGS, ST_NEEDS_CT);
    return NAT_NEEDED;
  }
  const local: i32 = endpointFind6(pkt, saddr);
  if (local !== 0) {
    st32(pkt + P_SNAT_FLAGS, ST_LOCAL_ENDPOINT);
    const error: i32 = ctExtractPorts6(pkt, ip);
    if (error < 0) {
      if (error !== DROP_CT_UNKNOWN_PROTO) return error;
    } else if (ctIsReply6(pkt, ip)) return NAT_NOT_NEEDED;
  }
  if ((flags & NF_EGRESS_GATEWAY) !== 0 && egressGatewaySnatNeeded6(pkt, ip)) {
    if (isZero6(pkt + P_SNAT_ADDR6)) return DROP_NO_EGRESS_IP;
    st32(pkt + P_SNAT_FLAGS, ST_EGRESS_GATEWAY | (local !== 0 ? ST_LOCAL_ENDPOINT : ST_NEEDS_CT));
    return NAT_NEEDED;
  }
  if (device === 0) clearAddress6(pkt + P_SNAT_ADDR6);
  else copyAddress6(pkt + P_SNAT_ADDR6, device + D_MASQUERADE6);
  if ((flags & NF_EXCLUSION6) !== 0 && inNetwork6(daddr, node + N_EXCLUSION6_ADDR, node + N_EXCLUSION6_MASK)) return NAT_NOT_NEEDED;
  if (local !== 0 && (ld32(local + EP_FLAGS) & (EPF_HOST | EPF_NO_SNAT6)) !== 0) return NAT_NOT_NEEDED;
  if ((flags & NF_IPMASQ6) !== 0 && prefixFind6(ld32(node + N_IPMASQ6), daddr) !== 0) return NAT_NOT_NEEDED;
  if (ipcacheFind6(pkt, daddr) && identityIsRemoteNode(ld32(pkt + P_INFO_IDENTITY))) {
    if ((flags & NF_REMOTE_NODE_MASQ) !== 0) return NAT_NEEDED;
    if ((flags & NF_TUNNEL_MODE) === 0 || (ld32(pkt + P_INFO_FLAGS) & IPC_SKIP_TUNNEL) !== 0) return NAT_NOT_NEEDED;
  }
  return local === 0 ? NAT_NOT_NEEDED : NAT_NEEDED;
}
