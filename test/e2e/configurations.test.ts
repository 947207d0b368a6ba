// The options of an installation change what happens to packets, never that each of them is accounted for, nor that both
// kernels and any number of workers agree.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DatapathConfig, DatapathTables } from "../../src/control/tables.ts";
import type { OutputKind, ReplayOptions } from "../../src/engine/replay-options.ts";
import { brokenSums } from "../../src/observe/conservation.ts";
import type { RunResult } from "../../src/observe/run-result.ts";
import { runTool, toolIsMissing } from "../io/capture-tools.ts";
import { errorsAndFragments } from "./hard-traffic.ts";
import { hardTraffic6 } from "./hard-traffic6.ts";
import { captureAt, captureOf, udp } from "./packets.ts";
import { CLUSTER, DUAL_STACK, edge, FIXTURES, replay, Scratch, tablesOf, UNBUILT, withoutTiming } from "./replayed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const STREAMS: ReadonlySet<OutputKind> = new Set<OutputKind>(["pod", "overlay", "external", "trace"]);

/** The model, its hard traffic, and a defect that the traffic meets. */
const FAMILIES = [
  ["IPv4", CLUSTER, () => [...readdirSync(join(FIXTURES, "edge")).map(edge), scratch.file("hard.pcap", errorsAndFragments(400))], "podErrorChecksum"],
  ["IPv6", DUAL_STACK, () => [scratch.file("hard6.pcap", captureAt(hardTraffic6(400)))], "errorNotTranslated6"],
] as const;

describe.skipIf(UNBUILT !== "").each(FAMILIES)(`an installation of %s${UNBUILT === "" ? "" : ` (skipped: ${UNBUILT})`}`, (_, cluster, capturesOf, defect) => {
  let tables: DatapathTables, captures: readonly string[];
  beforeAll(async () => {
    tables = await tablesOf(cluster);
    captures = capturesOf();
  });

  async function replayAlike(config: Partial<DatapathConfig>, changes: Partial<ReplayOptions> = {}, point: "pod" | "node" = "pod"): Promise<RunResult> {
    const changed = { ...tables, config: { ...tables.config, ...config } }, inputs = captures.map((path) => ({ path, point }));
    const { result } = await replay(changed, inputs, { outDir: scratch.place(), write: STREAMS, tracePackets: 1e9, ...changes });
    expect(brokenSums(result)).toEqual([]);
    expect(withoutTiming((await replay(changed, inputs, { workers: 3, kernel: "ts", ...changes })).result)).toEqual(withoutTiming(result));
    return result;
  }

  const codes = ({ drops }: RunResult): number[] => [...new Set(drops.map(({ code }) => code))].sort((a, b) => a - b);

  it("with legacy host routing, at either capture point", async () => {
    const result = await replayAlike({ hostRouting: "legacy" });
    expect([result.forwarded.packets > 0, result.delivered.packets > 0]).toEqual([true, true]);
    await replayAlike({ hostRouting: "legacy" }, {}, "node");
  });

  it("with native routing, at either capture point", async () => {
    expect((await replayAlike({ routingMode: "native" })).policyUse.length).toBeGreaterThan(0);
    await replayAlike({ routingMode: "native", hostRouting: "legacy", remoteNodeMasquerade: true }, {}, "node");
  });

  it("without egress gateways or without masquerading", async () => {
    expect((await replayAlike({ egressGateway: false })).policyUse).toEqual([]);
    const plain = await replayAlike({ ipv4Masquerade: false, ipv6Masquerade: false });
    expect([plain.masqueradeUse, plain.natEntries]).toEqual([[], 0]);
  });

  it("without fragment tracking drops what it would have tracked", async () => {
    expect(codes(await replayAlike({ fragmentTracking: false, fragmentTracking6: false }))).toContain(157);
    expect(codes(await replayAlike({}))).not.toContain(157);
  });

  it("with SCTP, accounting, an ip-masq-agent and lenient sources", async () => {
    await replayAlike({
      sctp: true, conntrackAccounting: true, sourceIpVerification: false, ipMasqAgent: true, nonMasqueradeCidrs: [{ address: 0xcb007100, bits: 25 }],
      nonMasqueradeCidrs6: [{ address: 0x20010db8_0113n << 80n, bits: 49 }],
    });
  });

  it("with a handful of SNAT ports runs out of them, and says so", async () => {
    const result = await replayAlike({ snatMinPort: 65_530, snatMaxPort: 65_533 });
    expect(codes(result)).toContain(167);
    expect(result.natRetriesOverHalf).toBeGreaterThan(0);
    for (const { inUse, capacity, protocol } of result.snatPorts) if (protocol !== 1 && protocol !== 58) expect(inUse).toBeLessThanOrEqual(capacity);
  });

  it("in the intended semantics has no known defect left", async () => {
    const result = await replayAlike({}, { semantics: "intent" });
    expect(new Set(Object.values(result.defects))).toEqual(new Set([0]));
    expect(result.replies.knownDefect).toBe(0);
    expect((await replayAlike({})).defects[defect]).toBeGreaterThan(0);
  });

  it("that assumes openers outside, or takes another seed, accounts for the same packets", async () => {
    const first = await replayAlike({}), outside = await replayAlike({}, { assumeOpener: "outside" }), other = await replayAlike({}, { seed: 0xffff_ffff });
    expect(outside.received).toEqual(first.received);
    // Every flow of the IPv6 traffic shows who opened it.
    expect(outside.openersAssumed > 0).toBe(defect === "podErrorChecksum");
    expect([other.forwarded, other.delivered, other.dropped]).toEqual([first.forwarded, first.delivered, first.dropped]);
  });

});

describe.skipIf(UNBUILT !== "")(UNBUILT === "" ? "Geneve" : `Geneve (skipped: ${UNBUILT})`, () => {
  const missing = toolIsMissing("tshark");
  it.skipIf(missing !== "")(`with Geneve writes tunnels that tshark decodes${missing === "" ? "" : ` (skipped: ${missing})`}`, async () => {
    const folder = scratch.place(), capture = scratch.file("one.pcap", captureOf([udp({ from: "10.244.1.10", to: "198.51.100.10" }, 40_000, 20_053)]));
    const tables = await tablesOf(CLUSTER);
    await replay({ ...tables, config: { ...tables.config, tunnelProtocol: "geneve", tunnelPort: 6081 } }, [capture], { outDir: folder, write: STREAMS });
    const { stdout } = runTool("tshark", ["-n", "-r", join(folder, "overlay.pcap"), "-T", "fields", "-e", "frame.protocols", "-e", "geneve.vni", "-e", "ip.src"]);
    expect(stdout.trim()).toMatch(/^eth:ethertype:ip:udp:geneve:eth:ethertype:ip:udp:data\t0x[0-9a-f]+\t192\.168\.60\.11,10\.244\.1\.10$/);
  });
});
