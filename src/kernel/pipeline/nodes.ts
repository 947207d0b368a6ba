// Where a packet is: at which node, and in whose program.
import { ld32, st32 } from "../mem.ts";
import {
  D_IFINDEX, EP_FLAGS, EPF_HOST, N_DEVICES, P_ENDPOINT, P_IFINDEX, P_MARK, P_NODE, P_TUNNEL_REMOTE, P_TUNNEL_VNI,
} from "../layout.ts";
import { endpointFind } from "../datapath/lookups.ts";
import { endpointFind6 } from "../datapath/lookups6.ts";
import { isIpv6 } from "./family.ts";
import { X_NODES } from "./layout-batch.ts";

export function nodeAt(cx: i32, index: i32): i32 { return ld32(ld32(cx + X_NODES) + (index << 2)); }

/** Puts a packet at the door of a node: device, no mark, no tunnel key. */
export function enterNode(cx: i32, pkt: i32, index: i32): void {
  const node: i32 = nodeAt(cx, index);
  st32(pkt + P_NODE, node);
  st32(pkt + P_IFINDEX, ld32(ld32(node + N_DEVICES) + D_IFINDEX));
  st32(pkt + P_MARK, 0);
  st32(pkt + P_TUNNEL_VNI, 0);
  st32(pkt + P_TUNNEL_REMOTE, 0);
}

/** Endpoint record of an address of the packet's family on its node, 0 for none. */
export function endpointOf(pkt: i32, address: i32): i32 { return isIpv6(pkt) ? endpointFind6(pkt, address) : endpointFind(pkt, address); }

/** Names the pod whose program runs; false when the source is none of the node's pods. */
export function enterPod(pkt: i32, address: i32): boolean {
  const endpoint: i32 = endpointOf(pkt, address);
  st32(pkt + P_ENDPOINT, endpoint);
  return endpoint !== 0 && (ld32(endpoint + EP_FLAGS) & EPF_HOST) === 0;
}
