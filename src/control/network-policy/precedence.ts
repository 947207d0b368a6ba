// The precedence numbers of policy map entries (pkg/policy/types: Precedence): priority in the upper 24 bits, inverted, and
// below it what the entry does.
import type { ProxyParser } from "../../cluster/network-policy.ts";

const HIGHEST_PRIORITY = 0xffffff;
const ALLOW = 1;
const DENY = 255;
/** A redirect that no listener priority orders. */
const UNORDERED_REDIRECT = 2;
/** Of a listener the manifest may say another, 1 to 100. */
const LISTENER_PRIORITIES: Readonly<Record<ProxyParser, number>> = { http: 101, kafka: 106, proxylib: 111, tls: 116, dns: 121, listener: 126 };

export type PolicyVerdict = "allow" | "deny" | { readonly listenerPriority: number };

/** Unsigned 32-bit; `priority` from 0, the highest, to 2^24 - 1. Network policies of 1.19 all have priority 0. */
export function precedenceOf(verdict: PolicyVerdict, priority = 0): number {
  return ((HIGHEST_PRIORITY - priority) * 256 + lowByte(verdict)) >>> 0;
}

function lowByte(verdict: PolicyVerdict): number {
  if (verdict === "allow") return ALLOW;
  if (verdict === "deny") return DENY;
  return verdict.listenerPriority === 0 ? UNORDERED_REDIRECT : 255 - verdict.listenerPriority;
}

/** The listener priority of a redirect; `named` is what the manifest gives a listener, 0 for nothing. */
export function listenerPriority(parser: ProxyParser, named: number): number {
  return parser === "listener" && named > 0 ? named : LISTENER_PRIORITIES[parser];
}
