// snat_v4_needs_masquerade (bpf/lib/nat.h): must a packet that leaves by a device be translated, and to which address?
import { ld32, st32 } from "../mem.ts";
import {
  D_MASQUERADE, EP_FLAGS, EPF_HOST, EPF_NO_SNAT, IPC_SKIP_TUNNEL, N_EXCLUSION_ADDR, N_EXCLUSION_MASK, N_FLAGS, N_IPMASQ, NF_EGRESS_GATEWAY,
  NF_EXCLUSION, NF_IPMASQ, NF_MASQUERADE, NF_REMOTE_NODE_MASQ, NF_TUNNEL_MODE, P_IFINDEX, P_INFO_FLAGS, P_INFO_IDENTITY, P_NODE, P_SNAT_ADDR,
  P_SNAT_FLAGS,
} from "../layout.ts";
import { prefixFind } from "../table/static.ts";
import { IP_DST, IP_SRC, l4Offset } from "../wire/ipv4.ts";
import { DROP_CT_UNKNOWN_PROTO, DROP_NO_EGRESS_IP, NAT_NOT_NEEDED } from "../verdict.ts";
import { ctIsReply } from "./conntrack.ts";
import { egressGatewaySnatNeeded } from "./egress-gateway.ts";
import { deviceFind, endpointFind, identityIsRemoteNode, ipcacheFind } from "./lookups.ts";
import { ctExtractPorts } from "./ports.ts";
import { ST_EGRESS_GATEWAY, ST_LOCAL_ENDPOINT, ST_NEEDS_CT } from "./snat.ts";

export const NAT_NEEDED: i32 = 1;

/** NAT_NEEDED with P_SNAT_ADDR and P_SNAT_FLAGS set, NAT_NOT_NEEDED, or a drop (204, parse drops). */
export function needsMasquerade(pkt: i32, ip: i32): i32 {
  const node: i32 = ld32(pkt + P_NODE);
  const flags: i32 = ld32(node + N_FLAGS), saddr: i32 = ld32(ip + IP_SRC), daddr: i32 = ld32(ip + IP_DST);
  if ((flags & NF_MASQUERADE) === 0) return NAT_NOT_NEEDED;
  const device: i32 = deviceFind(pkt, ld32(pkt + P_IFINDEX));
  const own: i32 = device === 0 ? 0 : ld32(device + D_MASQUERADE);
  // The node's own connections hold their ports against the masqueraded ones.
  if (saddr === own) {
    st32(pkt + P_SNAT_ADDR, own);
    st32(pkt + P_SNAT_FLAGS, ST_NEEDS_CT);
    return NAT_NEEDED;
  }
  const local: i32 = endpointFind(pkt, saddr);
  if (local !== 0) {
    st32(pkt + P_SNAT_FLAGS, ST_LOCAL_ENDPOINT);
    const error: i32 = ctExtractPorts(pkt, ip, l4Offset(ip));
    if (error < 0) {
      if (error !== DROP_CT_UNKNOWN_PROTO) return error;
    } else if (ctIsReply(pkt, ip)) return NAT_NOT_NEEDED;
  }
  if ((flags & NF_EGRESS_GATEWAY) !== 0 && egressGatewaySnatNeeded(pkt, saddr, daddr)) {
    if (ld32(pkt + P_SNAT_ADDR) === 0) return DROP_NO_EGRESS_IP;
    st32(pkt + P_SNAT_FLAGS, ST_EGRESS_GATEWAY | (local !== 0 ? ST_LOCAL_ENDPOINT : ST_NEEDS_CT));
    return NAT_NEEDED;
  }
  if ((flags & NF_EXCLUSION) !== 0 && (daddr & ld32(node + N_EXCLUSION_MASK)) === ld32(node + N_EXCLUSION_ADDR)) return NAT_NOT_NEEDED;
  if (local !== 0 && (ld32(local + EP_FLAGS) & (EPF_HOST | EPF_NO_SNAT)) !== 0) return NAT_NOT_NEEDED;
  if ((flags & NF_IPMASQ) !== 0 && prefixFind(ld32(node + N_IPMASQ), daddr) !== 0) return NAT_NOT_NEEDED;
  if (ipcacheFind(pkt, daddr) && identityIsRemoteNode(ld32(pkt + P_INFO_IDENTITY))) {
    if ((flags & NF_REMOTE_NODE_MASQ) !== 0) {
      st32(pkt + P_SNAT_ADDR, own);
      return NAT_NEEDED;
    }
    if ((flags & NF_TUNNEL_MODE) === 0 || (ld32(pkt + P_INFO_FLAGS) & IPC_SKIP_TUNNEL) !== 0) return NAT_NOT_NEEDED;
  }
  if (local === 0) return NAT_NOT_NEEDED;
  st32(pkt + P_SNAT_ADDR, own);
  return NAT_NEEDED;
}
