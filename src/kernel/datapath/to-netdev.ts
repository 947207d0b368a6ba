// cil_to_netdev (bpf_host.c): what leaves by a physical device. Egress gateway first, then source NAT.
import { ld16be, ld32, ld8, st32 } from "../mem.ts";
import {
  N_ADDRESS, N_DEVICES, N_FLAGS, N_SNAT_MAX, N_SNAT_MIN, N_VLAN_ALLOWED, NF_IPV6, NF_EGRESS_GATEWAY, P_FRAME, P_IDENTITY, P_IFINDEX, P_LEN, P_NAT, P_NODE,
  P_POLICY, P_SNAT_ADDR, P_SNAT_FLAGS, P_SNAT_MAX, P_SNAT_MIN, P_TO, P_VLAN_TCI, TO_NONE, D_IFINDEX,
} from "../layout.ts";
import { ETH_LEN, ETH_TYPE, ETHERTYPE_IPV4, ETHERTYPE_IPV6, IP_DST, IP_PROTO, IP_SRC, ipv4Header, l4Offset } from "../wire/ipv4.ts";
import {
  DROP_INVALID, DROP_VLAN_FILTERED, ID_HOST, MARK_EGW_DONE, MARK_ENCRYPT, MARK_HOST, MARK_IDENTITY, MARK_OVERLAY, MARK_PROXY_EGRESS, MARK_SNAT_DONE,
  NAT_NOT_NEEDED, VERDICT_OK,
} from "../verdict.ts";
import { egressGatewayRequest, egressGatewayRoute } from "./egress-gateway.ts";
import { egressGatewayRequest6 } from "./egress-gateway6.ts";
import { needsMasquerade } from "./masquerade.ts";
import { isPortProtocol, loadPorts } from "./ports.ts";
import { markIdentity, markMagic, setSnatDone } from "./redirect.ts";
import { natForward6 } from "./to-netdev6.ts";
import { snatForward, ST_EGRESS_GATEWAY, ST_NEEDS_CT } from "./snat.ts";

/** VERDICT_OK: leaves by the device. VERDICT_REDIRECT: see P_TO. Or a drop. */
export function toNetdev(pkt: i32): i32 {
  st32(pkt + P_TO, TO_NONE);
  const magic: i32 = markMagic(pkt);
  let identity: i32 = 0;
  if (magic === MARK_HOST || magic === MARK_OVERLAY || magic === MARK_ENCRYPT) identity = ID_HOST;
  else if (magic === MARK_PROXY_EGRESS || magic === MARK_IDENTITY || magic === MARK_EGW_DONE) identity = markIdentity(pkt);
  st32(pkt + P_IDENTITY, identity);
  st32(pkt + P_POLICY, 0);
  st32(pkt + P_NAT, 0);

  const tag: i32 = ld32(pkt + P_VLAN_TCI) & 0xfff;
  if (tag !== 0) return tag === ld32(ld32(pkt + P_NODE) + N_VLAN_ALLOWED) ? VERDICT_OK : DROP_VLAN_FILTERED;
  if (ld32(pkt + P_LEN) < ETH_LEN) return VERDICT_OK;

  const flags: i32 = ld32(ld32(pkt + P_NODE) + N_FLAGS), type: i32 = ld16be(ld32(pkt + P_FRAME) + ETH_TYPE);
  if (type === ETHERTYPE_IPV6 && (flags & NF_IPV6) === 0) return VERDICT_OK;
  if (magic !== MARK_EGW_DONE && (flags & NF_EGRESS_GATEWAY) !== 0) {
    const verdict: i32 = type === ETHERTYPE_IPV6 ? egressGatewayRequest6(pkt, identity) : egressGatewayRequest(pkt, identity);
    if (verdict !== VERDICT_OK) return verdict;
  }
  if (magic === MARK_SNAT_DONE || magic === MARK_OVERLAY || magic === MARK_ENCRYPT) return VERDICT_OK;
  if (type !== ETHERTYPE_IPV4) return type === ETHERTYPE_IPV6 ? natForward6(pkt) : VERDICT_OK;
  const ip: i32 = ipv4Header(pkt);
  if (ip === 0) return DROP_INVALID;
  return natForward(pkt, ip);
}

/** handle_nat_fwd without services: decide, route, translate. */
function natForward(pkt: i32, ip: i32): i32 {
  const node: i32 = ld32(pkt + P_NODE);
  const hasPorts: boolean = isPortProtocol(pkt, ld8(ip + IP_PROTO));
  // The look for a service's reply (nodeport_rev_dnat_fwd_ipv4) loads the ports, so its parse drops come first.
  if (hasPorts) {
    const error: i32 = loadPorts(pkt, ip, l4Offset(ip));
    if (error < 0) return error;
  }
  st32(pkt + P_SNAT_MIN, ld32(node + N_SNAT_MIN));
  st32(pkt + P_SNAT_MAX, ld32(node + N_SNAT_MAX));
  st32(pkt + P_SNAT_FLAGS, 0);
  st32(pkt + P_SNAT_ADDR, 0);
  // nodeport_has_nat_conflict_ipv4: the direct-routing address on the direct-routing device.
  if (hasPorts && ld32(ip + IP_SRC) === ld32(node + N_ADDRESS) && ld32(pkt + P_IFINDEX) === ld32(ld32(node + N_DEVICES) + D_IFINDEX)) {
    st32(pkt + P_SNAT_ADDR, ld32(node + N_ADDRESS));
    st32(pkt + P_SNAT_FLAGS, ST_NEEDS_CT);
  } else {
    const needed: i32 = needsMasquerade(pkt, ip);
    if (needed < 0) return needed === NAT_NOT_NEEDED ? VERDICT_OK : needed;
    if ((ld32(pkt + P_SNAT_FLAGS) & ST_EGRESS_GATEWAY) !== 0) {
      const verdict: i32 = egressGatewayRoute(pkt, ld32(pkt + P_SNAT_ADDR), ld32(ip + IP_DST), true);
      if (verdict !== VERDICT_OK) return verdict;
    }
  }
  const error: i32 = snatForward(pkt, ip);
  if (error === NAT_NOT_NEEDED) return VERDICT_OK;
  if (error < 0) return error;
  setSnatDone(pkt);
  return VERDICT_OK;
}
