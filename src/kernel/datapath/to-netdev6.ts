// The IPv6 part of cil_to_netdev behind the egress gateway's decision (handle_nat_fwd in bpf/lib/nodeport_egress.h), without
// services: decide, route, translate.
import { ld32, st32 } from "../mem.ts";
import { D_IFINDEX, N_DEVICES, N_SNAT_MAX, N_SNAT_MIN, P_IFINDEX, P_NODE, P_SNAT_FLAGS, P_SNAT_MAX, P_SNAT_MIN } from "../layout.ts";
import { N_ADDRESS6, P_SNAT_ADDR6, P_SNAT_IFINDEX } from "../layout6.ts";
import { copyAddress6, sameAddress6 } from "../wire/address6.ts";
import { IP6_SRC, ipv6Header } from "../wire/ipv6.ts";
import { DROP_INVALID, NAT_NOT_NEEDED, VERDICT_OK } from "../verdict.ts";
import { egressGatewayRoute6 } from "./egress-gateway6.ts";
import { needsMasquerade6 } from "./masquerade6.ts";
import { isPortProtocol } from "./ports.ts";
import { loadPorts6, proto6, walkHeaders6 } from "./ports6.ts";
import { setSnatDone } from "./redirect.ts";
import { ST_EGRESS_GATEWAY, ST_NEEDS_CT } from "./snat.ts";
import { snatForward6 } from "./snat6.ts";

/** VERDICT_OK: leaves by the device. VERDICT_REDIRECT: see P_TO. Or a drop. */
export function natForward6(pkt: i32): i32 {
  const ip: i32 = ipv6Header(pkt);
  if (ip === 0) return DROP_INVALID;
  const cut: i32 = walkHeaders6(pkt);
  if (cut < 0) return cut;
  const node: i32 = ld32(pkt + P_NODE);
  const hasPorts: boolean = isPortProtocol(pkt, proto6(pkt));
  // The look for a service's reply (nodeport_rev_dnat_fwd_ipv6) loads the ports, so its parse drops come first.
  if (hasPorts) {
    const error: i32 = loadPorts6(pkt, ip);
    if (error < 0) return error;
  }
  st32(pkt + P_SNAT_MIN, ld32(node + N_SNAT_MIN));
  st32(pkt + P_SNAT_MAX, ld32(node + N_SNAT_MAX));
  st32(pkt + P_SNAT_FLAGS, 0);
  st32(pkt + P_SNAT_IFINDEX, 0);
  // nodeport_has_nat_conflict_ipv6: the direct-routing address on the direct-routing device.
  if (hasPorts && ld32(pkt + P_IFINDEX) === ld32(ld32(node + N_DEVICES) + D_IFINDEX) && sameAddress6(ip + IP6_SRC, node + N_ADDRESS6)) {
    copyAddress6(pkt + P_SNAT_ADDR6, node + N_ADDRESS6);
    st32(pkt + P_SNAT_FLAGS, ST_NEEDS_CT);
  } else {
    const needed: i32 = needsMasquerade6(pkt, ip);
    if (needed < 0) return needed === NAT_NOT_NEEDED ? VERDICT_OK : needed;
    // The policy's own egress device needs no route.
    if ((ld32(pkt + P_SNAT_FLAGS) & ST_EGRESS_GATEWAY) !== 0 && ld32(pkt + P_SNAT_IFINDEX) !== ld32(pkt + P_IFINDEX)) {
      const verdict: i32 = egressGatewayRoute6(pkt, ip, true);
      if (verdict !== VERDICT_OK) return verdict;
    }
  }
  const error: i32 = snatForward6(pkt, ip);
  if (error === NAT_NOT_NEEDED) return VERDICT_OK;
  if (error < 0) return error;
  setSnatDone(pkt);
  return VERDICT_OK;
}
