import { join } from "node:path";
import { expect, it } from "vitest";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import { nodesHere } from "../../src/live/nodes-here.ts";

const { tables } = compileTables(await loadCluster([join(import.meta.dirname, "../../fixtures/cluster")]), { semantics: "cilium-1.19" });
const names = (numbers: ReadonlySet<number>): string[] => [...numbers].map((node) => tables.nodes[node]?.name ?? "");

it("a source stands in for the nodes that are no policy's gateway, a gateway for those that are, both for all", () => {
  expect(names(nodesHere(tables, "source", []))).toEqual(["worker-1", "worker-2"]);
  expect(names(nodesHere(tables, "gateway", []))).toEqual(["gateway-node-1", "gateway-node-2"]);
  expect(nodesHere(tables, "both", []).size).toBe(tables.nodes.length);
});

it("names count more than the role, and a wrong one gets the nearest", () => {
  expect(names(nodesHere(tables, "source", ["gateway-node-2"]))).toEqual(["gateway-node-2"]);
  expect(() => nodesHere(tables, "source", ["worker-3"])).toThrow(/--node worker-3: the model has no such node\n.*did you mean worker-[12]\?/);
});
