// Semantics "intent": nodes that match and can serve are gateways; 1.19 beside it takes the first by name, whatever its health.
import { describe, expect, it } from "vitest";
import { compileText, endpoint, entries, messages, node, policy, rules } from "./compiled.ts";

const WORKER = node("worker", "192.168.1.11", "", "10.0.1.0/24");
const GATEWAYS = ["a", "b", "c"].map((name, index) => node(name, `192.168.1.${20 + index}`, 'gw: "1"')).join("");
const PODS = Array.from({ length: 30 }, (_, index) => endpoint(`prod/p${index}`, "192.168.1.11", `10.0.1.${index + 10}`, "", 20001)).join("");

function health(name: string, ready: "True" | "False" | "Unknown"): string {
  return `---\napiVersion: v1\nkind: Node\nmetadata: {name: ${name}}\nstatus: {conditions: [{type: MemoryPressure, status: "False"}, {type: Ready, status: "${ready}"}]}\n`;
}

function network(name: string, ...addresses: readonly string[]): string {
  return `---\napiVersion: egwsim.dev/v1\nkind: NodeNetwork\nmetadata: {name: ${name}}\nspec: {devices: [{name: eth0, addresses: [${addresses.join(", ")}]}], routes: [{to: default, via: 192.168.1.1, dev: eth0}]}\n`;
}

const NETWORKS = network("a", "192.168.1.20/24") + network("b", "192.168.1.21/24", "192.168.1.99/32") + network("c", "192.168.1.22/24", "192.168.1.99/32");
const withIp = { gateway: '{nodeSelector: {matchLabels: {gw: "1"}}, egressIP: 192.168.1.99}' };
const used = (made: readonly string[], column: number): readonly string[] => [...new Set(made.map((entry) => entry.split(" ")[column] ?? ""))].sort();

describe("spreading", () => {
  it("intent takes every matching node, each with its own address; 1.19 the first by name", async () => {
    const text = WORKER + GATEWAYS + PODS + policy("p");
    const intended = await compileText(text, "intent");
    expect(used(entries(intended), 2)).toEqual(["192.168.1.20", "192.168.1.21", "192.168.1.22"]);
    expect(entries(intended).every((entry) => entry.split(" ")[2] === entry.split(" ")[3])).toBe(true);
    expect(rules(intended)).toEqual([]);
    const real = await compileText(text);
    expect(used(entries(real), 2)).toEqual(["192.168.1.20"]);
    expect(rules(real)).toEqual(["single-gateway"]);
  });

  it("does not split the traffic of one address: one of the nodes that have an egressIP serves", async () => {
    const compiled = await compileText(WORKER + GATEWAYS + NETWORKS + PODS + policy("p", withIp), "intent");
    expect(used(entries(compiled), 2)).toEqual(["192.168.1.21"]);
    expect(used(entries(compiled), 3)).toEqual(["192.168.1.99"]);
    expect(messages(await compileText(WORKER + GATEWAYS + NETWORKS + PODS + policy("p", withIp)), "egress-ip-missing")).toEqual(["p: 192.168.1.99 is on no device of a"]);
  });
});

describe("fail-over", () => {
  it.each(["False", "Unknown"] as const)("intent passes over a node whose Ready is %s; 1.19 does not ask", async (ready) => {
    const text = WORKER + GATEWAYS + PODS + policy("p") + health("a", ready) + health("b", "True");
    expect(used(entries(await compileText(text, "intent")), 2)).toEqual(["192.168.1.21", "192.168.1.22"]);
    expect(used(entries(await compileText(text)), 2)).toEqual(["192.168.1.20"]);
  });

  it("an egressIP is served by the next node that has it", async () => {
    const text = WORKER + GATEWAYS + NETWORKS + PODS + policy("p", withIp) + health("b", "False");
    expect(used(entries(await compileText(text, "intent")), 2)).toEqual(["192.168.1.22"]);
  });

  it("where no node is ready the first stands for all, and where none has the address it is said", async () => {
    const sick = ["a", "b", "c"].map((name) => health(name, "False")).join("");
    expect(used(entries(await compileText(WORKER + GATEWAYS + PODS + policy("p") + sick, "intent")), 2)).toEqual(["192.168.1.20"]);
    const elsewhere = await compileText(WORKER + GATEWAYS + NETWORKS + PODS + policy("p", { gateway: withIp.gateway.replace(".99", ".98") }) + health("a", "False"), "intent");
    expect(messages(elsewhere, "egress-ip-missing")).toEqual(["p: 192.168.1.98 is on no device of b"]);
  });
});

it("an interface that a node does not have keeps it out, and a selector that matches none is told as in 1.19", async () => {
  const text = WORKER + GATEWAYS + network("a", "192.168.1.20/24") + network("b", "192.168.1.21/24").replaceAll("eth0", "ens5") + PODS;
  const gateway = (fields: string): { readonly gateway: string } => ({ gateway: `{nodeSelector: {matchLabels: {${fields}}}, interface: eth0}` });
  expect(used(entries(await compileText(text + policy("p", gateway('gw: "1"')), "intent")), 2)).toEqual(["192.168.1.20", "192.168.1.22"]);
  const none = await compileText(text + policy("p", gateway("gw: none")), "intent");
  expect(messages(none, "no-gateway-node")).toEqual(["p: no node has labels gw=none"]);
  expect(used(entries(none), 2)).toEqual(["0.0.0.0"]);
});
