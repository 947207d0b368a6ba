import {
  TR_CT, TR_HOOK, TR_NAT_ADDR, TR_NAT_FAMILY, TR_NAT_PORT, TR_NODE, TR_POLICY, TR_PV_FLAGS, TR_PV_RULE, TR_REMOTE, TR_SEQ_LO, TR_TO, TR_VERDICT, TR_VNI,
} from "../kernel/pipeline/layout-batch.ts";
import { TO_DEVICE, TO_ENDPOINT, TO_HOST, TO_NEIGH, TO_NEIGH6, TO_SELF, TO_TUNNEL } from "../kernel/layout.ts";
import type { DatapathTables } from "../control/tables.ts";
import { PV_AUDITED, PV_SENT } from "../kernel/layout-policy.ts";
import { dropReason } from "../observe/drop-reasons.ts";
import { formatEnd, formatIpv4 } from "../observe/ip-text.ts";
import type { Address, HookName } from "../observe/run-result.ts";
import { getAddress6 } from "./image/address6.ts";
import { addressOf, wirePort } from "./image/arena.ts";

/** By HOOK_… number of the kernel. */
export const HOOK_NAMES: readonly HookName[] = ["from-container", "to-netdev", "from-overlay", "from-netdev", "to-container"];
const CT_NAMES = ["new", "established", "reply", "related"] as const;

/** One line on what a hook did with a packet: packet number, hook and node, verdict, policy, translation, drop reason. */
export function traceComment(view: DataView, at: number, tables: DatapathTables): string {
  const word = (offset: number): number => view.getInt32(at + offset, true);
  const hook = HOOK_NAMES[word(TR_HOOK)] ?? "to-container", verdict = word(TR_VERDICT), policy = tables.policies[word(TR_POLICY)];
  const parts = [`packet ${word(TR_SEQ_LO) >>> 0}`, `${hook} on ${tables.nodes[word(TR_NODE)]?.name ?? "?"}`];
  if (hook === "from-container" && verdict >= 0) parts.push(`conntrack ${CT_NAMES[word(TR_CT)] ?? "new"}`);
  const networkPolicy = hook === "from-container" ? policyVerdictText(tables, word(TR_PV_FLAGS), word(TR_PV_RULE), verdict) : null;
  if (networkPolicy !== null) parts.push(networkPolicy);
  if (policy !== undefined) parts.push(`policy ${policy.name}`);
  if (verdict < 0) {
    const reason = dropReason(-verdict);
    return [...parts, `DROPPED ${-verdict} ${reason.text}`].join(", ");
  }
  const nat = tracedNat(view, at);
  if (nat !== null && (hook === "to-netdev" || hook === "from-netdev"))
    parts.push(`${hook === "to-netdev" ? "SNAT to" : "translated back to"} ${formatEnd(nat.address, nat.port)}`);
  parts.push(verdictText(hook, verdict, word(TR_TO), word(TR_REMOTE), word(TR_VNI)));
  return parts.join(", ");
}

/** What the NAT entry that a traced hook used translates to; null where none did. */
export function tracedNat(view: DataView, at: number): { readonly address: Address; readonly port: number } | null {
  const family = view.getInt32(at + TR_NAT_FAMILY, true), port = wirePort(view.getInt32(at + TR_NAT_PORT, true));
  if (family === 0) return null;
  return { address: family === 6 ? getAddress6(view, at + TR_NAT_ADDR) : addressOf(view.getInt32(at + TR_NAT_ADDR, true)), port };
}

/** The policy verdict notification of a packet, null where none was sent. */
function policyVerdictText(tables: DatapathTables, flags: number, rule: number, verdict: number): string | null {
  if ((flags & PV_SENT) === 0) return null;
  const { rules, policies } = tables.networkPolicy, found = rules[rule];
  const by = found === undefined ? "" : ` by ${found.path} of ${policies[found.policy]?.title ?? "?"}`;
  return `policy verdict ${(flags & PV_AUDITED) !== 0 ? "audited" : verdict < 0 ? "denied" : "allowed"}${by}`;
}

function verdictText(hook: HookName, verdict: number, to: number, remote: number, vni: number): string {
  if (verdict === 0) return hook === "to-netdev" ? "FORWARDED out of the device" : "PASSED to the node's stack";
  switch (to) {
    case TO_TUNNEL: return `REDIRECTED into the tunnel to ${formatIpv4(addressOf(remote))}, VNI ${vni}`;
    case TO_NEIGH:
    case TO_NEIGH6:
    case TO_DEVICE: return "REDIRECTED to the route's device";
    case TO_ENDPOINT: return "DELIVERED to the pod";
    case TO_SELF: return "ANSWERED by the program itself";
    case TO_HOST: return "PASSED to the node's stack";
    default: return "FORWARDED";
  }
}

