import { describe, expect, it } from "vitest";
import { formatAddress, formatIpv4, formatPrefix } from "../../src/cluster/cidr.ts";
import type { CompiledControl } from "../../src/control/compile.ts";
import type { Conflict } from "../../src/control/conflicts.ts";
import { compileText, endpoint, entries, messages, node, pod, policy, rules } from "./compiled.ts";

const BASE = node("worker", "192.168.1.11", "", "10.0.1.0/24") + node("gw1", "192.168.1.12", "gw: one") + node("gw2", "192.168.1.13", "gw: two");
const WEB = pod("prod/web", "worker", "10.0.1.10", "app: web");
const on = (label: string, fields = ""): string => `{nodeSelector: {matchLabels: {gw: ${label}}}${fields === "" ? "" : `, ${fields}`}}`;

function only({ conflicts }: CompiledControl): Conflict {
  const [conflict] = conflicts;
  if (conflict === undefined || conflicts.length > 1) throw new Error(`${conflicts.length} conflicts`);
  return conflict;
}

/** A node's values as `gateway egress policies`, by node name ("*" for every other node). */
function outcomes({ tables }: CompiledControl, { outcomes: all }: Conflict): Readonly<Record<string, readonly string[]>> {
  const name = (index: number): string => tables.nodes[index]?.name ?? "*";
  const value = (each: Conflict["outcomes"][number]["values"][number]): string =>
    `${formatIpv4(each.gatewayIp)} ${formatAddress(each.egressIp)} ${each.policies.map((policyIndex) => tables.policies[policyIndex]?.name).join("+")}`;
  return Object.fromEntries(all.map(({ node: index, values }) => [name(index), values.map(value)]));
}

function traffic({ tables }: CompiledControl, conflict: Conflict): readonly string[] {
  return conflict.traffic.map((outcome) => {
    const where = "node" in outcome ? (tables.nodes[outcome.node]?.name ?? "own node") : "own node";
    if (outcome.kind === "egress") return `${where} ${formatAddress(outcome.egressIp)}`;
    return outcome.kind === "drop" ? `${outcome.code} ${where}` : `${outcome.kind} ${where}`;
  });
}

describe("two policies that want one slot", () => {
  it("on two gateways: every node moves, and a gateway that holds the other's value drops", async () => {
    const compiled = await compileText(BASE + WEB + pod("prod/api", "worker", "10.0.1.11") + policy("a", { gateway: on("one") }) + policy("b", { gateway: on("two") }));
    const conflict = only(compiled);
    expect(conflict).toMatchObject({ rule: "policy-conflict", pods: 2, example: "prod/api" });
    expect(formatPrefix(conflict.prefix)).toBe("0.0.0.0/0");
    expect(outcomes(compiled, conflict)).toEqual({
      "*": ["192.168.1.12 0.0.0.0 a", "192.168.1.13 0.0.0.0 b"],
      gw1: ["192.168.1.12 192.168.1.12 a", "192.168.1.13 0.0.0.0 b"],
      gw2: ["192.168.1.12 0.0.0.0 a", "192.168.1.13 192.168.1.13 b"],
    });
    expect(traffic(compiled, conflict)).toEqual(["gw1 192.168.1.12", "204 gw1", "204 gw2", "gw2 192.168.1.13"]);
    expect(messages(compiled, "policy-conflict")).toEqual(["b and a want 0.0.0.0/0 for 2 pods: the winner changes"]);
    expect(compiled.findings[0]?.effect).toContain("traffic leaves by gw1 with 192.168.1.12, is dropped on gw1 (204), is dropped on gw2 (204) or leaves by gw2 with 192.168.1.13; this run lets a win");
    expect(entries(compiled).map((entry) => entry.split(" ").at(-1))).toEqual(["a", "a"]);
  });

  it("on one gateway with two addresses: nothing moves on the other nodes", async () => {
    const compiled = await compileText(BASE + WEB + policy("a", { gateway: on("one", "egressIP: 192.168.1.50") }) + policy("b", { gateway: on("one", "egressIP: 192.168.1.51") }));
    const conflict = only(compiled);
    expect(outcomes(compiled, conflict)).toEqual({
      "*": ["192.168.1.12 0.0.0.0 a+b"],
      gw1: ["192.168.1.12 192.168.1.50 a", "192.168.1.12 192.168.1.51 b"],
    });
    expect(traffic(compiled, conflict)).toEqual(["gw1 192.168.1.50", "gw1 192.168.1.51"]);
  });

  it("one of them without a gateway: dropped at the pod's node, or handed to the gateway's host", async () => {
    const compiled = await compileText(BASE + WEB + policy("a", { gateway: on("one") }) + policy("b", { gateway: on("nowhere") }));
    expect(traffic(compiled, only(compiled))).toEqual(["gw1 192.168.1.12", "passed gw1", "194 own node"]);
  });

  it("one excluding what the other sends: an own node's address, or the gateway's host", async () => {
    const compiled = await compileText(BASE + WEB + policy("a", { destinations: "[10.0.0.0/8]", gateway: on("one") }) + policy("b", { destinations: "[203.0.113.0/24]", excluded: "[10.0.0.0/8]", gateway: on("one") }));
    expect(only(compiled).rule).toBe("policy-conflict");
    expect(traffic(compiled, only(compiled))).toEqual(["gw1 192.168.1.12", "passed gw1", "own-node own node"]);
  });

  it("and agree everywhere are no conflict, nor are two exclusions with different gateways", async () => {
    const compiled = await compileText(BASE + WEB + policy("a", { gateway: on("one"), excluded: "[10.0.0.0/8]" }) + policy("b", { gateway: on("one"), excluded: "[10.0.0.0/8]" }) + policy("c", { destinations: "[198.51.100.0/24]", excluded: "[10.0.0.0/8]", gateway: on("two") }));
    expect(compiled.conflicts).toEqual([]);
  });

  it("three of them make one class with all values", async () => {
    const compiled = await compileText(BASE + WEB + ["a", "b", "c"].map((name, index) => policy(name, { gateway: on("one", `egressIP: 192.168.1.6${index}`) })).join(""));
    expect(only(compiled).wants).toHaveLength(3);
    expect(traffic(compiled, only(compiled))).toEqual(["gw1 192.168.1.60", "gw1 192.168.1.61", "gw1 192.168.1.62"]);
    expect(messages(compiled, "policy-conflict")).toEqual(["c, b and a want 0.0.0.0/0 for 1 pod: the winner changes"]);
  });

  it("collapse to a class for each prefix and one finding, whatever the number of pods", async () => {
    const pods = Array.from({ length: 30 }, (_, index) => pod(`prod/p${index}`, "worker", `10.0.1.${index + 20}`, `app: a${index % 3}`)).join("");
    const two = "[203.0.113.0/24, 198.51.100.0/24]";
    const compiled = await compileText(BASE + pods + policy("a", { destinations: two, gateway: on("one") }) + policy("b", { destinations: two, gateway: on("two") }));
    expect(compiled.conflicts.map(({ prefix, pods: count }) => `${formatPrefix(prefix)} ${count}`)).toEqual(["203.0.113.0/24 30", "198.51.100.0/24 30"]);
    expect(messages(compiled, "policy-conflict")).toEqual(["b and a want 203.0.113.0/24 and 1 more for 30 pods: the winner changes"]);
  });

  it("in IPv6 conflict by their device too", async () => {
    const six = '---\napiVersion: cilium.io/v2\nkind: CiliumNode\nmetadata: {name: six, labels: {gw: six}}\nspec: {addresses: [{type: InternalIP, ip: 192.168.1.20}, {type: InternalIP, ip: "fd00::20"}]}\n';
    const destinations = '["2001:db8::/32"]';
    const compiled = await compileText(BASE + six + endpoint("prod/web", "192.168.1.11", "10.0.1.10", "fd00:1::10", 20001) + policy("a", { destinations, gateway: on("six") }) + policy("b", { destinations, gateway: on("one") }));
    expect(formatPrefix(only(compiled).prefix)).toBe("2001:db8::/32");
    expect(traffic(compiled, only(compiled))).toEqual(["six fd00::20", "204 six", "204 gw1"]);
  });
});

describe("one policy against itself and its own spelling", () => {
  it("a prefix as destination and exclusion turns over with every reconciliation", async () => {
    const compiled = await compileText(BASE + WEB + policy("p", { destinations: "[0.0.0.0/0, 10.0.0.0/8]", excluded: "[10.0.0.0/8]", gateway: on("one") }));
    expect(only(compiled)).toMatchObject({ rule: "prefix-in-and-out", pods: 1 });
    expect(traffic(compiled, only(compiled))).toEqual(["own-node own node", "passed gw1", "gw1 192.168.1.12"]);
    expect(messages(compiled, "prefix-in-and-out")).toEqual(["p lists 10.0.0.0/8 as destination and as exclusion"]);
  });

  it("fact 1.2: two spellings fight for one slot, in one policy and between two", async () => {
    const one = await compileText(BASE + WEB + policy("p", { destinations: "[203.0.113.7/24, 203.0.113.0/24]", gateway: on("one") }));
    expect(messages(one, "prefix-spelled-twice")).toEqual(["p writes 203.0.113.0/24 as 203.0.113.7/24 and 203.0.113.0/24"]);
    const two = await compileText(BASE + WEB + policy("a", { destinations: "[203.0.113.7/24]", gateway: on("one") }) + policy("b", { destinations: "[203.0.113.0/24]", gateway: on("one") }));
    expect(messages(two, "prefix-spelled-twice")).toEqual(["a and b write 203.0.113.0/24 as 203.0.113.7/24 and 203.0.113.0/24"]);
    expect(two.tables.policyEntries).toHaveLength(1);
  });

  it("spellings that differ are a conflict where the values do", async () => {
    const compiled = await compileText(BASE + WEB + policy("a", { destinations: "[203.0.113.7/24]", gateway: on("one") }) + policy("b", { destinations: "[203.0.113.0/24]", gateway: on("two") }));
    expect(only(compiled).rule).toBe("policy-conflict");
  });
});

describe("fact 0.6: an exclusion hides other policies", () => {
  const wide = policy("wide", { gateway: on("two") });

  it("takes traffic out of another policy's wider destination", async () => {
    const compiled = await compileText(BASE + WEB + policy("narrow", { destinations: "[10.0.0.0/8]", excluded: "[10.9.0.0/16]", gateway: on("one") }) + wide);
    const conflict = only(compiled);
    expect(conflict).toMatchObject({ rule: "exclusion-crosses-policies", pods: 1, example: "prod/web" });
    expect(traffic(compiled, conflict)).toEqual(["own-node own node"]);
    expect(messages(compiled, "exclusion-crosses-policies")).toEqual(["narrow excludes 10.9.0.0/16, which takes it out of wide's 0.0.0.0/0 for 1 pod too"]);
  });

  it("makes one finding for all policies that it cuts into, and stays quick with many", async () => {
    const many = Array.from({ length: 150 }, (_, index) => policy(`p${index}`, { excluded: `[10.${index}.0.0/16]`, gateway: on("one") })).join("");
    const compiled = await compileText(BASE + WEB + many);
    expect(compiled.conflicts).toHaveLength(10_000);
    expect(messages(compiled, "exclusion-crosses-policies")[0]).toBe("p0 excludes 10.0.0.0/16, which takes it out of p1's 0.0.0.0/0 and out of 148 more policies for 1 pod too");
  });

  it.each([
    ["pods apart", policy("narrow", { selectors: "[{podSelector: {matchLabels: {app: db}}}]", destinations: "[10.0.0.0/8]", excluded: "[10.9.0.0/16]", gateway: on("one") }) + wide],
    ["the other one excludes it too", policy("narrow", { destinations: "[10.0.0.0/8]", excluded: "[10.9.0.0/16]", gateway: on("one") }) + policy("wide", { excluded: "[10.9.0.0/16]", gateway: on("two") })],
    ["the other one goes elsewhere", policy("narrow", { destinations: "[10.0.0.0/8]", excluded: "[10.9.0.0/16]", gateway: on("one") }) + policy("wide", { destinations: "[203.0.113.0/24]", gateway: on("two") })],
  ])("is none with %s", async (_, policies) => {
    const compiled = await compileText(BASE + WEB + policies);
    expect(rules(compiled)).not.toContain("exclusion-crosses-policies");
  });
});
