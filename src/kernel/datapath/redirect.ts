// Ways out of a hook: what a VERDICT_REDIRECT leaves in the packet for the fabric to act on.
import { ld32, st32 } from "../mem.ts";
import { P_IDENTITY, P_MARK, P_TO, P_TO_IFINDEX, P_TO_NEXTHOP, P_TUNNEL_REMOTE, P_TUNNEL_VNI, N_TUNNEL_IFINDEX, P_NODE, TO_NEIGH, TO_TUNNEL } from "../layout.ts";
import { ID_HOST, ID_REMOTE_NODE, ID_WORLD, ID_WORLD_IPV4, ID_WORLD_IPV6, MARK_MASK, MARK_SNAT_DONE, VERDICT_REDIRECT } from "../verdict.ts";

/** Identity as tunnels carry it: host as remote-node, the world identities as plain world (bpf/lib/encap.h, common.h). */
function tunnelIdentity(identity: i32): i32 {
  if (identity === ID_HOST) return ID_REMOTE_NODE;
  return identity === ID_WORLD_IPV4 || identity === ID_WORLD_IPV6 ? ID_WORLD : identity;
}

/** Into the tunnel device, to `remote`, with the identity as VNI. */
export function redirectTunnel(pkt: i32, remote: i32, identity: i32): i32 {
  st32(pkt + P_TO, TO_TUNNEL);
  st32(pkt + P_TO_IFINDEX, ld32(ld32(pkt + P_NODE) + N_TUNNEL_IFINDEX));
  st32(pkt + P_TO_NEXTHOP, 0);
  st32(pkt + P_TUNNEL_REMOTE, remote);
  st32(pkt + P_TUNNEL_VNI, tunnelIdentity(identity));
  return VERDICT_REDIRECT;
}

/** bpf_redirect_neigh: out of a device, the next hop's MAC resolved there. */
export function redirectNeigh(pkt: i32, ifindex: i32, nextHop: i32): i32 {
  st32(pkt + P_TO, TO_NEIGH);
  st32(pkt + P_TO_IFINDEX, ifindex);
  st32(pkt + P_TO_NEXTHOP, nextHop);
  return VERDICT_REDIRECT;
}

/** set_identity_mark: identity in the upper 16 bits, the magic in bits 8 to 11. */
export function setIdentityMark(pkt: i32, identity: i32, magic: i32): void {
  st32(pkt + P_MARK, ((identity & 0xffff) << 16) | ((identity >>> 16) & 0xff) | magic);
  st32(pkt + P_IDENTITY, identity);
}

/** get_identity: the mark's upper half is the identity, its lowest byte the cluster. */
export function markIdentity(pkt: i32): i32 {
  const mark: i32 = ld32(pkt + P_MARK);
  return ((mark & 0xff) << 16) | (mark >>> 16);
}

export function markMagic(pkt: i32): i32 { return ld32(pkt + P_MARK) & MARK_MASK; }

export function setSnatDone(pkt: i32): void { st32(pkt + P_MARK, (ld32(pkt + P_MARK) & ~MARK_MASK) | MARK_SNAT_DONE); }
