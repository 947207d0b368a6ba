// Connections that a policy hands to the node's proxy: the packet goes to the stack with the proxy's port in its mark.
import { ld16, ld32, st32 } from "../mem.ts";
import { C_FLAGS, CF_PROXY_REDIRECT, P_CT_ENTRY, P_MARK } from "../layout.ts";
import { MARK_TO_PROXY, VERDICT_OK } from "../verdict.ts";

/** Was the connection's entry made for the other case (proxied or not) than `proxy`, its raw port or 0, says now? It is made
 * anew then. */
export function proxyChanged(pkt: i32, proxy: i32): boolean {
  return ((ld16(ld32(pkt + P_CT_ENTRY) + C_FLAGS) & CF_PROXY_REDIRECT) !== 0) !== (proxy !== 0);
}

/** ctx_redirect_to_proxy: VERDICT_OK. */
export function toProxy(pkt: i32, proxy: i32): i32 {
  st32(pkt + P_MARK, MARK_TO_PROXY | (proxy << 16));
  return VERDICT_OK;
}
