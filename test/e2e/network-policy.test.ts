// Whole replays under a network policy: what is denied is dropped on the pod's node and named, and the sums hold.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { DatapathTables } from "../../src/control/tables.ts";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import { ALLOW_ALL, makePolicyMap } from "../../src/control/network-policy/map-state.ts";
import { brokenSums } from "../../src/observe/conservation.ts";
import { CLUSTER, FIXTURES, replay, tablesOf, UNBUILT, withoutTiming } from "./replayed.ts";

const PAYMENT = join(FIXTURES, "captures/production-payment.pcapng"), POLICY = join(FIXTURES, "network-policy");
const POLICY_DENIED = 133, POLICY_DENIED_BY_DENYLIST = 181;

/** The same tables with what the policies drop let through. */
const audited = (tables: DatapathTables): DatapathTables => ({ ...tables, networkPolicy: { ...tables.networkPolicy, audit: true } });

describe.skipIf(UNBUILT !== "")(`a replay under a network policy${UNBUILT}`, () => {
  test("drops what no rule allows, names the policy, and adds up", async () => {
    const { result, flows } = await replay(await tablesOf(CLUSTER, POLICY), [PAYMENT]);
    expect(brokenSums(result)).toEqual([]);
    const denied = result.drops.filter(({ code }) => code === POLICY_DENIED);
    expect(denied).toEqual([expect.objectContaining({ hook: "from-container", networkPolicy: 0, policy: -1 })]);
    const dropped = flows.filter(({ dropCode }) => dropCode === POLICY_DENIED);
    expect(dropped.length).toBeGreaterThan(0);
    for (const flow of dropped) expect(flow).toMatchObject({ networkPolicy: 0, translated: null });
    expect(flows.filter(({ dropCode }) => dropCode === 0).every(({ networkPolicy }) => networkPolicy === -1)).toBe(true);
  });

  test("is the same on either kernel and for any number of workers", async () => {
    const tables = await tablesOf(CLUSTER, POLICY), one = await replay(tables, [PAYMENT]);
    for (const changes of [{ kernel: "ts" }, { workers: 3 }] as const) {
      const other = await replay(tables, [PAYMENT], changes);
      expect(withoutTiming(other.result)).toEqual(withoutTiming(one.result));
      expect(other.flows).toEqual(one.flows);
    }
  });

  test("in audit mode nothing is denied, and the traffic goes as without the policy", async () => {
    const tables = await tablesOf(CLUSTER, POLICY), without = await replay(await tablesOf(CLUSTER), [PAYMENT]);
    const { result } = await replay(audited(tables), [PAYMENT]);
    expect(withoutTiming(result)).toEqual(withoutTiming(without.result));
  });

  test("with a locked-down pod everything it sends is denied by the denylist", async () => {
    const compiled = compileTables(await loadCluster([CLUSTER, POLICY]), { semantics: "cilium-1.19" }).tables;
    const lockedDown = new Map([...compiled.networkPolicy.byIdentity].map(([identity, policy]) => [identity, {
      ...policy, map: makePolicyMap([{ identities: [2], ports: [ALLOW_ALL, { ...ALLOW_ALL, protocol: 6, prefix: 8 }] }], 1).map,
    }]));
    const { result } = await replay({ ...compiled, networkPolicy: { ...compiled.networkPolicy, byIdentity: lockedDown } }, [PAYMENT]);
    expect(brokenSums(result)).toEqual([]);
    expect(result.forwarded.packets).toBe(0);
    expect(result.drops.map(({ code }) => code)).toContain(POLICY_DENIED_BY_DENYLIST);
  });
});
