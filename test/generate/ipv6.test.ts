// What `--ip-family` makes: frames with right checksums, and a cluster that they fit.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { formatAddress } from "../../src/cluster/cidr.ts";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import { type GenerateOptions, runGenerate } from "../../src/generate/generate.ts";
import { checksumIsRight, isIpv6, upperLayer } from "../kernel/ipv6-frames.ts";
import { addressAt } from "../e2e/packets.ts";
import { frameFault, walkCapture } from "./capture-walk.ts";

const ETH = 14, TCP = 6, UDP = 17, ICMP6 = 58;
const scratch = mkdtempSync(join(tmpdir(), "egwsim-generate6-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let folders = 0;

async function make(options: Omit<GenerateOptions, "out">): Promise<{ frames: Uint8Array[]; cluster: string }> {
  const { capture, cluster } = await runGenerate({ ...options, out: join(scratch, `run-${folders++}`) });
  return { frames: walkCapture(readFileSync(capture)).map(({ bytes }) => bytes), cluster };
}

describe.each(["6", "dual"] as const)("generated traffic of family %s", (ipFamily) => {
  it("has right lengths and checksums in every frame of the families asked for", async () => {
    const { frames } = await make({ packets: 3000, flows: 300, ipFamily, protocolMix: { tcp: 1, udp: 1, icmp: 1 } });
    const sixth = frames.filter(isIpv6), fourth = frames.filter((frame) => !isIpv6(frame));
    expect(new Set(sixth.map((frame) => upperLayer(frame)?.proto))).toEqual(new Set([TCP, UDP, ICMP6]));
    for (const frame of sixth) expect([checksumIsRight(frame), frame.length - ETH - 40]).toEqual([true, ((frame[ETH + 4] ?? 0) << 8) | (frame[ETH + 5] ?? 0)]);
    for (const frame of fourth) expect(frameFault(Buffer.from(frame))).toBe("");
    if (ipFamily === "6") expect(fourth).toEqual([]);
    else expect(Math.abs(sixth.length - fourth.length)).toBeLessThan(frames.length / 2);
  });

  it("fits its cluster: every pod that sends and every remote is known, and each policy has an egress IP of each family", async () => {
    const { frames, cluster } = await make({ packets: 600, flows: 300, pods: 20, policies: 3, prefixes: 7, replies: 0, ipFamily });
    const { tables, findings } = compileTables(await loadCluster([cluster]), { semantics: "cilium-1.19" });
    expect(findings).toEqual([]);
    expect(tables.config).toMatchObject({ ipv4: true, ipv6: true });
    const pods = new Set(tables.nodes.flatMap(({ endpoints6 }) => endpoints6.filter(({ host }) => !host).map(({ address }) => formatAddress(address))));
    expect(pods.size).toBe(20);
    for (const frame of frames.filter(isIpv6)) expect(pods.has(addressAt(frame.subarray(ETH), 8))).toBe(true);
    expect(tables.policyEntries6.length).toBeGreaterThan(20);
    for (const { egressIp, egressIfindex } of tables.policyEntries6) expect([egressIp > 0n, egressIfindex > 0]).toEqual([true, true]);
    expect(tables.policyEntries.length > 0).toBe(ipFamily === "dual");
  });
});

it("the IPv4 traffic of a seed is the same whether or not there is an option for IPv6", async () => {
  const [given, absent] = [await make({ packets: 500, flows: 50, ipFamily: "4" }), await make({ packets: 500, flows: 50 })];
  expect(given.frames).toEqual(absent.frames);
  expect(given.frames.some(isIpv6)).toBe(false);
});
