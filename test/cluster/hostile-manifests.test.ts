import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InputError } from "../../src/cluster/input-error.ts";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import { loadText, withFiles } from "./temporary-manifests.ts";

const KINDS: readonly (readonly [apiVersion: string, kind: string])[] = [
  ["cilium.io/v2", "CiliumEgressGatewayPolicy"], ["cilium.io/v2", "CiliumNode"], ["cilium.io/v2", "CiliumEndpoint"],
  ["cilium.io/v2", "CiliumIdentity"], ["v1", "Node"], ["v1", "Pod"], ["v1", "Namespace"], ["v1", "ConfigMap"], ["v1", "List"],
  ["egwsim.dev/v1", "NodeNetwork"],
];
const FIELDS = [
  "metadata", "name", "namespace", "labels", "spec", "status", "addresses", "ip", "type", "ipam", "podCIDRs", "podCIDR", "nodeName",
  "podIP", "items", "data", "config", "selectors", "podSelector", "matchLabels", "destinationCIDRs", "egressGateway", "nodeSelector",
  "devices", "routes", "to", "dev", "identity", "id", "networking", "addressing", "ipv4", "node", "security-labels", "__proto__", "constructor",
];

const { value } = fc.letrec<{ value: unknown; leaf: unknown }>((tie) => ({
  leaf: fc.oneof(
    fc.constantFrom<unknown>(null, true, 0, -1, 1e99, "", "x", "10.0.0.1", "10.0.0.0/8", "::1", "1".repeat(300), "cilium-config", "InternalIP"),
    fc.string(),
  ),
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    tie("leaf"),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.array(fc.tuple(fc.constantFrom(...FIELDS), tie("value")), { maxLength: 5 }).map((pairs) => Object.fromEntries(pairs)),
  ),
}));

/** Objects in the right shape down to `metadata`, so that the deeper checks are reached too. */
const object = fc
  .tuple(fc.constantFrom(...KINDS), fc.constantFrom("a", "b", "4711", "cilium-config", "ip-masq-agent"), value, value, value)
  .map(([[apiVersion, kind], name, spec, status, rest]) => ({
    apiVersion, kind, metadata: { name }, spec, status, data: rest, items: rest, "security-labels": rest,
  }));

describe("hostile manifests", () => {
  it("either load and compile or are refused with places, never anything else", async () => {
    let loaded = 0;
    let refused = 0;
    await withFiles({}, async (folder) => {
      const { writeFile } = await import("node:fs/promises");
      await fc.assert(
        fc.asyncProperty(fc.array(object, { minLength: 1, maxLength: 4 }), async (objects) => {
          await writeFile(`${folder}/m.json`, JSON.stringify(objects));
          try {
            compileTables(await loadCluster([folder]), { semantics: "cilium-1.19" });
            loaded++;
          } catch (error) {
            if (!(error instanceof InputError)) throw error;
            for (const { at } of error.problems) expect(at?.line).toBeGreaterThanOrEqual(1);
            refused++;
          }
        }),
        { seed: 7, numRuns: 400 },
      );
    });
    expect(loaded).toBeGreaterThan(20);
    expect(refused).toBeGreaterThan(20);
  });

  it("cannot reach the prototype through their keys", async () => {
    const cluster = await loadText('{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n","labels":{"__proto__":"x","constructor":"y"}}}', "n.json");
    expect(cluster.namespaces[0]?.labels.get("constructor")).toBe("y");
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });

  it("nested a hundred thousand deep are read as JSON and refused as YAML", async () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    expect((await loadText(deep, "deep.json")).ignored).toMatchObject([{ kind: "(not an object)", count: 1 }]);
    await expect(loadText(deep, "deep.yaml")).rejects.toThrow("values are nested too deeply");
  });
});
