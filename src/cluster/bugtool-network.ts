// A node's devices, routes and rules from the command outputs that cilium-bugtool collects in the agent's pod, which runs on
// the node's own network.
import type { Finding } from "./finding.ts";
import type { InputProblem } from "./input-error.ts";
import { devicesFrom, routesFrom, rulesFrom } from "./ip-command-output.ts";
import { readManifest } from "./manifest-files.ts";
import type { NetworkRoute, NodeNetwork } from "./model.ts";
import type { Origin } from "./origin.ts";
import type { BugtoolNetwork } from "./sysdump-files.ts";

/** A NodeNetwork whose node is known by the agent's pod only. */
export interface ReportedNetwork extends Omit<NodeNetwork, "name" | "podCidrs"> {
  readonly agentPod: string;
}

const MAIN_TABLE = 254;
/** The kernel's own: local, default and none (rtnetlink.h). Their routes decide nothing about where a packet leaves. */
const OWN_TABLES = new Set([0, 253, 255]);

export async function readBugtoolNetwork({ agentPod, outputs }: BugtoolNetwork, problems: InputProblem[]): Promise<ReportedNetwork> {
  const texts = new Map<string, string>();
  for (const [name, file] of outputs) {
    const read = await readManifest(file, problems);
    if (read !== null) texts.set(name, read.text);
  }
  const devices = devicesFrom(texts.get("ip-a") ?? "");
  const names = new Set(devices.map(({ name }) => name));
  const routes: NetworkRoute[] = [];
  for (const [name, text] of texts) {
    const [, family, main, table] = /^ip--([46])-(?:(r)|route-show-table-([0-9]+))$/.exec(name) ?? [];
    if (family === undefined) continue;
    const number = main === undefined ? Number(table) : MAIN_TABLE;
    // Table 254 comes twice, as `ip r` and by its number.
    if (OWN_TABLES.has(number) || (number === MAIN_TABLE && main === undefined)) continue;
    routes.push(...routesFrom(text, family === "4" ? 4 : 6, number, names));
  }
  const [first] = outputs.values();
  return { agentPod, origin: placeless(outputs.get("ip-a")?.path ?? first?.path ?? agentPod), devices, routes, rules: rulesFrom(texts.get("ip--d-rule") ?? "") };
}

export function agentUnknown({ agentPod, origin }: ReportedNetwork): Finding {
  return {
    rule: "sysdump-lacks",
    severity: "warning",
    object: `Pod ${agentPod}`,
    at: origin.document.locate([]),
    message: `the sysdump's k8s-pods does not say which node ${agentPod} runs on`,
    effect: "nothing in Cilium depends on it; in this run the devices and routes of its node are assumed",
    fix: "take the sysdump again with the rights to list pods",
  };
}

/** Command output has no paths: every place in it is its beginning. */
function placeless(file: string): Origin {
  return { document: { file, value: null, locate: () => ({ file, line: 1, column: 1 }) }, path: [] };
}
