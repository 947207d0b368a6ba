// state.jsonl: what a replay leaves of the nodes' maps, and what becomes of a file that is not one.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatAddress } from "../../src/cluster/cidr.ts";
import { InputError } from "../../src/cluster/input-error.ts";
import { runCommandLine } from "../../src/cli/program.ts";
import { readState } from "../../src/inspect/saved-state.ts";
import { tableDigest } from "../../src/inspect/table-digest.ts";
import { fakeTerminal } from "../cli/fake-replay.ts";
import { captureOf, echo, SYN, tcp } from "../e2e/packets.ts";
import { CLUSTER, DUAL_STACK, FIXTURES, replayInto, Scratch, tablesOf, UNBUILT, type Written } from "../e2e/replayed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = fakeTerminal(process.cwd());
  const code = await runCommandLine(args, terminal);
  return { code, ...terminal.said };
}

const HEADER = {
  schema: "egwsim-state/1", version: "0", semantics: "cilium-1.19", cluster: ["x"], tables: "0".repeat(64), clock: 1000,
  maps: [{ node: "gw", map: "cilium_snat_v4_external", entries: 2, listed: 1 }],
};
const ENTRY = {
  map: "cilium_snat_v4_external", node: "gw", protocol: 6, flags: 0, source: "10.0.0.1", sourcePort: 1, destination: "192.0.2.1", destinationPort: 2, toAddress: "192.0.2.9",
  toPort: 3, created: 990, needsCt: 1,
};

async function faultOf(...lines: readonly unknown[]): Promise<string> {
  const folder = scratch.place();
  writeFileSync(join(folder, "state.jsonl"), lines.map((line) => (typeof line === "string" ? line : `${JSON.stringify(line)}\n`)).join(""));
  try {
    await readState(folder);
  } catch (error) {
    if (error instanceof InputError) return error.problems.map(({ at, message }) => `${at?.line ?? "-"}: ${message}`).join();
    throw error;
  }
  return "";
}

describe("a state file", () => {
  it("is read back", async () => {
    expect(await faultOf(HEADER, ENTRY)).toBe("");
    expect(await faultOf(HEADER, JSON.stringify(ENTRY))).toBe("");
  });

  it.each([
    ["nothing", [], "0: the file is empty"],
    ["another first line", [{ ...HEADER, schema: "egwsim-state/9" }], "1: the first line is not that of a state file of this version: schema: "],
    ["no JSON", ["pod.pcap\n"], "1: the first line is not that"],
    ["a broken address", [HEADER, { ...ENTRY, source: "10.0.0.256" }], "2: not an entry of a conntrack or NAT map: source"],
    ["a port that is none", [HEADER, { ...ENTRY, toPort: 65_536 }], "2: not an entry of a conntrack or NAT map: toPort"],
    ["a map that is none", [HEADER, { ...ENTRY, map: "cilium_lxc" }], "2: not an entry"],
    ["an early end", [HEADER], "1: the file ends early: 1 entries are missing"],
    ["more than announced", [HEADER, ENTRY, ENTRY], "3: more entries follow than the first line announces"],
    ["a promise of too much", [{ ...HEADER, maps: [{ ...HEADER.maps[0], listed: 30_000_000 }] }], "1: 30000000 entries are announced"],
    ["a line without end", [HEADER, "x".repeat(17 * 1024 * 1024)], "2: the line is too long"],
  ])("of %s is refused with its line", async (_what, lines, expected) => {
    expect(await faultOf(...lines)).toContain(expected);
  });

  it("that is not there is told", async () => {
    await expect(readState(scratch.place())).rejects.toThrow("the folder holds no state.jsonl");
    await expect(readState(join(scratch.folder, "nowhere"))).rejects.toThrow("there is no such folder");
  });
});

it("the digest of the tables is the same for the same manifests, wherever they lie, and another for others", async () => {
  const copy = join(scratch.folder, "copy");
  cpSync(CLUSTER, copy, { recursive: true });
  const first = tableDigest(await tablesOf(CLUSTER));
  expect(tableDigest(await tablesOf(copy))).toBe(first);
  const file = join(copy, "policies/production.yaml");
  writeFileSync(file, readFileSync(file, "utf8").replace("203.0.113.0/24", "203.0.113.0/25"));
  expect(tableDigest(await tablesOf(copy))).not.toBe(first);
});

it("the digest sees what network policy allows, down to a port", async () => {
  const policies = join(scratch.folder, "policies");
  cpSync(join(FIXTURES, "network-policy"), policies, { recursive: true });
  const before = tableDigest(await tablesOf(CLUSTER, policies)), file = join(policies, "payment.yaml");
  writeFileSync(file, readFileSync(file, "utf8").replace('port: "443"', 'port: "444"'));
  expect(tableDigest(await tablesOf(CLUSTER, policies))).not.toBe(before);
});

describe.skipIf(UNBUILT !== "")(`what a replay leaves${UNBUILT === "" ? "" : ` (skipped: ${UNBUILT})`}`, () => {
  let written: Written;
  beforeAll(async () => {
    written = await replayInto(scratch.place(), [join(FIXTURES, "captures")], CLUSTER);
  });

  it("holds as many entries as the report counts, each mapping with both halves", async () => {
    const { header, conntrack, nat } = await readState(written.folder);
    const size = (lists: ReadonlyMap<string, readonly unknown[]>): number => [...lists.values()].reduce((sum, list) => sum + list.length, 0);
    expect(size(conntrack)).toBe(written.report.maps.conntrackEntries);
    expect(size(nat)).toBe(written.report.maps.natEntries);
    expect(header.maps.reduce((sum, { entries }) => sum + entries, 0)).toBe(written.report.maps.conntrackEntries + written.report.maps.natEntries);
    for (const list of nat.values()) {
      const forward = list.filter(({ flags }) => flags === 0), back = list.filter(({ flags }) => flags === 1);
      expect(back.map(({ toAddress, toPort }) => `${toAddress}:${toPort}`).sort()).toEqual(forward.map(({ source, sourcePort }) => `${source}:${sourcePort}`).sort());
    }
  });

  it("is listed: the gateway's mappings have its egress IPs, and a node alone is printed as its agent would", async () => {
    const all = await run("bpf", "nat", "list", "--state", written.folder);
    expect(all.code).toBe(0);
    expect(all.out).toMatch(/^node gateway-node-1\nTCP /);
    const { out } = await run("bpf", "nat", "list", "--state", written.folder, "--node", "gateway-node-2");
    const egressIps = new Set([...out.matchAll(/XLATE_SRC ([\d.]+):/g)].map(([, address]) => address));
    expect(egressIps).toEqual(new Set(["192.168.60.112"]));
    const { out: conntrack } = await run("bpf", "ct", "list", "global", "-d", "--state", written.folder, "--node", "worker-1");
    expect(conntrack.trim().split("\n").every((line) => /^(TCP|UDP|ICMP|\d+) (OUT|IN) \S+ -> \S+ (related )?expires=\d+ \(remaining: -?\d+ sec\(s\)\) Packets=/.test(line))).toBe(true);
  });

  it("knows its manifests, and notices when they have changed", async () => {
    const { code, out } = await run("bpf", "egress", "list", "--state", written.folder, "--node", "gateway-node-1", "-o", "json");
    expect({ code, rows: (JSON.parse(out) as unknown[]).length }).toEqual({ code: 0, rows: 14 });
    const changed = await run("status", "--state", written.folder, "--cluster", join(FIXTURES, "cluster-tiny"));
    expect(changed.code).toBe(2);
    expect(changed.err).toContain("no longer say what they said in that replay");
  });

  it("of a service lists the backend that each connection was given, by its number", async () => {
    const model = join(FIXTURES, "cluster-services"), ports = [41_000, 41_001, 41_002, 41_003, 41_004, 41_005, 41_006, 41_007];
    const sent = ports.map((port) => tcp({ from: "10.244.1.10", to: "10.96.0.20" }, port, 443, SYN));
    const { folder } = await replayInto(scratch.place(), [scratch.file("service.pcap", captureOf(sent))], model);
    const { backends } = (await tablesOf(model)).services.ipv4, { conntrack } = await readState(folder);
    const entries = conntrack.get("node-a") ?? [], services = entries.filter(({ flags }) => flags === 4);
    expect(services).toHaveLength(ports.length);
    for (const { backendId, sourcePort, destinationPort, lastRxReport } of services) {
      const backend = backends.find(({ id }) => id === backendId) ?? expect.fail(`no backend ${backendId}`), port = ports.find((each) => each === sourcePort || each === destinationPort);
      expect(lastRxReport).toBe(0);
      // The connection to the backend itself has an entry too; in keys the remote end is the source.
      expect(entries).toContainEqual(expect.objectContaining({ flags: 0, source: formatAddress(backend.address), sourcePort: port, destinationPort: backend.port, backendId: 0 }));
    }
    const { out } = await run("bpf", "ct", "list", "--state", folder, "--node", "node-a");
    expect([...out.matchAll(/^TCP SVC 10\.244\.1\.10:\d+ -> 10\.96\.0\.20:443 .* BackendID=(\d+) /gm)].map(([, id]) => Number(id)).sort()).toEqual(services.map(({ backendId }) => backendId).sort());
  });

  it("of a dual-stack cluster lists the maps of both families", async () => {
    const sent = [["10.0.1.10", "203.0.113.10"], ["fd00:10:1::10", "2001:db8:113::10"]].map(([from = "", to = ""]) => tcp({ from, to }, 43_210, 443, SYN));
    const { folder } = await replayInto(scratch.place(), [scratch.file("dual.pcap", captureOf([...sent, echo({ from: "fd00:10:1::10", to: "2001:db8:113::10" }, 77)]))], DUAL_STACK);
    const { header } = await readState(folder);
    expect(new Set(header.maps.map(({ map }) => map))).toEqual(new Set(["cilium_ct4_global", "cilium_ct_any4_global", "cilium_ct6_global", "cilium_ct_any6_global", "cilium_snat_v4_external", "cilium_snat_v6_external"]));
    const { out: conntrack } = await run("bpf", "ct", "list", "--state", folder, "--node", "worker-1");
    expect(conntrack).toMatch(/^TCP OUT 10\.0\.1\.10:43210 -> 203\.0\.113\.10:443 /m);
    expect(conntrack).toMatch(/^TCP OUT \[fd00:10:1::10\]:43210 -> \[2001:db8:113::10\]:443 /m);
    expect(conntrack).toMatch(/^ICMPv6 OUT \[fd00:10:1::10\]:\d+ -> \[2001:db8:113::10\]:\d+ /m);
    const { out: nat } = await run("bpf", "nat", "list", "--state", folder, "--node", "gateway-1");
    expect(nat).toMatch(/^TCP OUT \[fd00:10:1::10\]:43210 -> \[2001:db8:113::10\]:443 XLATE_SRC \[fd00:c0a8:1::50\]:43210 /m);
    expect(nat).toMatch(/^TCP IN \[2001:db8:113::10\]:443 -> \[fd00:c0a8:1::50\]:43210 XLATE_DST \[fd00:10:1::10\]:43210 /m);
    expect(nat).toMatch(/^TCP OUT 10\.0\.1\.10:43210 -> 203\.0\.113\.10:443 XLATE_SRC 192\.168\./m);
  });

  it("says how much of a map it does not hold", async () => {
    const { folder } = await replayInto(scratch.place(), [join(FIXTURES, "captures")], CLUSTER, { "state-entries": "20" });
    const { out, err } = await run("bpf", "nat", "list", "--state", folder, "--node", "gateway-node-1");
    const shown = out.trim().split("\n").length;
    expect(shown).toBeLessThan(10);
    expect(err).toContain(`gateway-node-1: cilium_snat_v4_external had 22 entries, the state holds ${shown} of them`);
  });
});
