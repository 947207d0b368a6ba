// A comparison is worth something only if it fails: each recorded fact is falsified, and the run must say so.
import { expect, test } from "vitest";
import { LabMemory } from "../../src/vectors/lab-memory.ts";
import type { Difference } from "../../src/vectors/comparison.ts";
import type { RecordedCase, RecordedStep } from "../../src/vectors/recording.ts";
import { runCase } from "../../src/vectors/run-case.ts";
import { recordedCaseOf } from "./recorded-files.ts";

const memory = new LabMemory("ts");

/** Differences of the first step with this node and hook after `falsify` changed what was recorded of it. */
function differences(
  hook: string, node: string, falsify: (step: RecordedStep) => void, caseName = "tcp_lifecycle", file = "tcp.jsonl.gz",
): readonly Difference[] {
  const recorded: RecordedCase = structuredClone(recordedCaseOf(file, caseName).recorded);
  const k = recorded.steps.findIndex((step) => step.hook === hook && step.node === node);
  const step = recorded.steps[k];
  if (step === undefined) throw new Error(`${caseName} has no step ${node} ${hook}`);
  falsify(step);
  return runCase(memory, recorded).steps[k]?.differences ?? [];
}

const flipLastDigit = (hex: string): string => hex.slice(0, -1) + (hex.endsWith("0") ? "1" : "0");

test("an unchanged recording shows no difference", () => {
  expect(differences("to_netdev", "gw", () => undefined)).toEqual([]);
});

test.each<[string, string, string, (step: RecordedStep) => void]>([
  ["verdict", "to_netdev", "gw", (step) => { step.verdict = "DROP"; }],
  ["drop reason", "to_netdev", "gw", (step) => { step.drop_reason = { code: 167, name: "" }; }],
  ["mark", "to_netdev", "gw", (step) => { step.out_mark = "0x301"; }],
  ["frame", "to_netdev", "gw", (step) => { step.out_hex = flipLastDigit(step.out_hex ?? ""); }],
  ["redirect", "from_container", "src", (step) => { if (step.redirect) step.redirect.nexthop = "192.168.1.2"; }],
  ["redirect", "from_container", "src", (step) => { if (step.redirect) step.redirect.dev = "eth1"; }],
  ["redirect", "to_netdev", "src", (step) => { step.redirect = null; }],
  ["tunnel key", "to_netdev", "src", (step) => { if (step.tunnel_key) step.tunnel_key.vni = 20002; }],
  ["tunnel key", "to_netdev", "src", (step) => { if (step.tunnel_key) step.tunnel_key.remote = "192.168.1.13"; }],
  ["conntrack", "to_netdev", "gw", (step) => { step.ct_after = []; }],
  ["nat", "to_netdev", "gw", (step) => { step.nat_after = step.nat_after?.slice(1); }],
  ["nat", "to_netdev", "gw", (step) => { step.nat_after?.forEach((entry) => { entry.needs_ct = 0; }); }],
  ["nat", "to_netdev", "gw", (step) => { step.nat_after?.forEach((entry) => { entry.to_addr = "192.168.1.51"; }); }],
])("a falsified %s is found at %s of %s", (category, hook, node, falsify) => {
  const found = differences(hook, node, falsify);
  expect(found.length).toBeGreaterThan(0);
  expect([...new Set(found.map((each) => each.category))]).toEqual([category]);
});

test.each(["remote_identity", "dport", "proto", "match_type", "verdict", "auth_type", "audited", "cookie"] as const)(
  "a falsified %s of a policy verdict is found", (field) => {
    const found = differences("from_container", "src", (step) => { if (step.policy_verdict) step.policy_verdict[field] += 1; }, "l3_l4", "netpol.jsonl.gz");
    expect(found).toEqual([expect.objectContaining({ category: "policy verdict", field })]);
  },
);

test("a policy verdict that was not sent, and counters of an entry that did not decide, are found", () => {
  const unsent = differences("from_container", "src", (step) => { step.policy_verdict = null; }, "l3_l4", "netpol.jsonl.gz");
  expect(unsent).toEqual([expect.objectContaining({ category: "policy verdict", field: "notification", recorded: "none", ours: "sent" })]);
  const other = differences("from_container", "src", (step) => { for (const row of step.policy_stats_after ?? []) row.identity = 0; }, "l3_l4", "netpol.jsonl.gz");
  expect([...new Set(other.map(({ category }) => category))]).toEqual(["policy stats"]);
});

test.each(["packets", "bytes", "rx_closing", "tx_closing", "seen_non_syn", "from_tunnel", "tx_flags", "rx_flags", "src_sec_id"] as const)(
  "a falsified %s of a conntrack entry is found", (field) => {
    const found = differences("to_netdev", "gw", (step) => { for (const entry of step.ct_after ?? []) entry[field] += 1; });
    expect(found.length).toBeGreaterThan(0);
    expect(found.every((each) => each.field.endsWith(field))).toBe(true);
  },
);

test("a lifetime may be off by the second it was rounded by, and no more", () => {
  const off = (by: number): readonly Difference[] =>
    differences("from_container", "src", (step) => { for (const entry of step.ct_after ?? []) entry.lifetime_left_s = 60 + by; });
  expect(off(-1)).toEqual([]);
  expect(off(1)).toEqual([]);
  expect(off(-2).length).toBeGreaterThan(0);
});

test("an entry that the real map did not have is found", () => {
  const found = differences("from_container", "src", (step) => { step.ct_after = step.ct_after?.filter((entry) => entry.nexthdr !== 1); });
  expect(found).toEqual([expect.objectContaining({ category: "conntrack", recorded: "absent", ours: "present" })]);
});

test("a recorded draw outside the range of ports is found", () => {
  const recorded = structuredClone(recordedCaseOf("collision.jsonl", "port_collision_two_pods").recorded);
  const k = recorded.steps.findIndex((step) => step.nondeterministic != null);
  for (const entry of recorded.steps[k]?.nat_after ?? []) {
    if (entry.dir === "EGRESS" && entry.sport !== entry.to_port) entry.to_port = 1024;
    if (entry.dir === "INGRESS" && entry.dport !== entry.to_port) entry.dport = 1024;
  }
  const found = runCase(memory, recorded).steps[k]?.differences ?? [];
  expect(found).toContainEqual({ category: "draw", field: "in range", recorded: "no", ours: "yes" });
});
