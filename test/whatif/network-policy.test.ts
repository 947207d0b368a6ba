// explain on the bundled cluster with a network policy: which rule allowed or denied, and what no rule names.
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables, type CompiledControl } from "../../src/control/compile.ts";
import { ALLOW_ALL, makePolicyMap } from "../../src/control/network-policy/map-state.ts";
import { kernelOn } from "../../src/engine/kernel-instance.ts";
import { explain, type Explanation } from "../../src/whatif/explain.ts";
import { readPacketRequest } from "../../src/whatif/packet-request.ts";
import { SingleRun } from "../../src/whatif/single-run.ts";

const FIXTURES = join(import.meta.dirname, "../../fixtures"), POLICY = "CiliumNetworkPolicy production/payment-partners";
let control: CompiledControl;

beforeAll(async () => {
  control = compileTables(await loadCluster([join(FIXTURES, "cluster"), join(FIXTURES, "network-policy")]), { semantics: "cilium-1.19" });
});

function explained(to: string, from = "production/payment-processor-0"): Explanation {
  const { tables } = control;
  return explain(control, readPacketRequest(from, to, tables), new SingleRun(tables, "cilium-1.19", 1, (memory) => kernelOn(memory, "ts")));
}
const facts = (explanation: Explanation): string => explanation.request.steps[0]?.facts.join("\n") ?? "";
const condition = ({ conditions }: Explanation): Explanation["conditions"][number] | undefined => conditions.find(({ condition: name }) => name === "network-policy");

test("an allowed packet names the rule with file and line, and goes through the gateway", () => {
  const explanation = explained("203.0.113.20:443/tcp");
  expect(explanation).toMatchObject({ throughGateway: true, policy: "payment-egress" });
  expect(facts(explanation)).toMatch(/network policy allows: spec\.egress\[0\] of CiliumNetworkPolicy production\/payment-partners, .*payment\.yaml:10:7 \(match L3-L4, identity 16777217\)/);
  expect(explanation.conditions.filter(({ holds }) => !holds)).toEqual([]);
});

test("a port that no rule names is denied before the gateway, and each rule says what it does name", () => {
  const explanation = explained("203.0.113.20:80/tcp");
  expect(explanation.request).toMatchObject({ outcome: "dropped", drop: { code: 133 } });
  expect(explanation.request.steps.map(({ hook }) => hook)).toEqual(["from-container"]);
  expect(condition(explanation)).toMatchObject({ holds: false, detail: expect.stringContaining("no entry matches (identity 16777217)") });
  expect(condition(explanation)?.change).toContain(`spec.egress[0] of ${POLICY}`);
  expect(condition(explanation)?.change).toContain("names TCP 443, TCP 8000-8015, not TCP 80");
});

test("what except takes out has an identity of its own that no rule names", () => {
  const explanation = explained("203.0.113.200:443/tcp");
  expect(explanation.request.drop?.code).toBe(133);
  expect(condition(explanation)?.change).toContain("names identity 16777217, not identity 16777218");
});

test("a deny rule is named, and that it wins", () => {
  const explanation = explained("203.0.113.66:443/tcp");
  expect(explanation.request.drop?.code).toBe(181);
  expect(facts(explanation)).toContain(`network policy denies: spec.egressDeny[0] of ${POLICY}`);
  expect(condition(explanation)?.change).toContain("a deny rule wins over every allow rule");
});

test("a pod whose entries did not fit is locked down, and told so with the option that cures it", () => {
  const { tables } = control, { byIdentity } = tables.networkPolicy;
  const lockedDown = new Map([...byIdentity].map(([identity, policy]) => [identity, { ...policy, map: makePolicyMap([{ identities: [2], ports: [ALLOW_ALL] }], 1).map }]));
  const full = { ...control, tables: { ...tables, networkPolicy: { ...tables.networkPolicy, byIdentity: lockedDown } } };
  const request = readPacketRequest("production/payment-processor-0", "203.0.113.20:443", full.tables);
  const explanation = explain(full, request, new SingleRun(full.tables, "cilium-1.19", 1, (memory) => kernelOn(memory, "ts")));
  expect(explanation.request.drop?.code).toBe(181);
  expect(facts(explanation)).toContain("the pod is locked down, its policy map is too small");
  expect(condition(explanation)?.change).toContain("bpf-policy-map-max");
});

test("a pod that no policy selects goes its way as before, with no word about policy", () => {
  const explanation = explained("203.0.113.66:443/tcp", "monitoring/prober-6f7c9b8d5c-2zj4n");
  expect(explanation.request.outcome).toBe("forwarded");
  expect(condition(explanation)).toBeUndefined();
  expect(facts(explanation)).not.toContain("network policy");
});
