import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { policyGroups } from "../../bench/peers/policy-groups.ts";
import { tablesOf } from "../../bench/kernel/prepared-run.ts";
import { runGenerate } from "../../src/generate/generate.ts";

const folder = mkdtempSync(join(tmpdir(), "egwsim-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("policy groups", () => {
  it("hold every policy entry of every pod once, with its gateway and egress IP", async () => {
    const { cluster } = await runGenerate({ out: folder, force: true, packets: 100, flows: 10, pods: 30, policies: 4, prefixes: 20, gateways: 2 });
    const tables = await tablesOf(cluster), groups = policyGroups(tables);
    const given = groups.flatMap(({ egressIp, pods, entries }) => pods.flatMap(({ address }) => entries.map(({ destination, gateway }) => [address, destination.address, destination.bits, gateway, egressIp].join())));
    expect(given.sort()).toEqual(tables.policyEntries.map(({ source, destination, gatewayIp, egressIp }) => [source, destination.address, destination.bits, gatewayIp, egressIp].join()).sort());
    expect(new Set(groups.map(({ number }) => number)).size).toBe(groups.length);
  });
});
