import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { GENERATE_OPTIONS, readGenerateWords } from "../../src/cli/generate-options.ts";
import { runCommandLine } from "../../src/cli/program.ts";
import { loadCluster } from "../../src/cluster/load.ts";
import { GENERATE_DEFAULTS } from "../../src/generate/options.ts";
import { fakeTerminal } from "./fake-replay.ts";

const folder = mkdtempSync(join(tmpdir(), "generate-command-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = fakeTerminal(folder);
  const code = await runCommandLine(["generate", ...args], terminal);
  return { code, ...terminal.said };
}

const SMALL = ["--packets", "300", "--flows", "20", "--pods", "6", "--nodes", "3", "--gateways", "1", "--policies", "2", "--prefixes", "4", "--remotes", "8"];

test("a capture and a cluster model are made, and the next command to type is named", async () => {
  const { code, out, err } = await run("--out", "first", "--frame-size", "64", ...SMALL);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toContain("300 packets in 64-byte frames, 20 flows (zipf)");
  expect(out).toContain("egwsim replay first/capture.pcap --cluster first/cluster");
  // 64 bytes with the frame check sequence are 60 in the capture; 24 bytes file header, 16 a record.
  expect(statSync(join(folder, "first/capture.pcap")).size).toBe(24 + 300 * (16 + 60));
  const model = await loadCluster([join(folder, "first/cluster")]);
  expect(JSON.stringify(model)).toContain("CiliumEgressGatewayPolicy");
});

test("the same options and seed give the same bytes, another seed others", async () => {
  const bytes = async (out: string, seed: string): Promise<Buffer> => {
    expect((await run("--out", out, "--seed", seed, "--quiet", ...SMALL)).out).toBe("");
    return readFileSync(join(folder, out, "capture.pcap"));
  };
  const first = await bytes("a", "7");
  expect((await bytes("b", "7")).equals(first)).toBe(true);
  expect((await bytes("c", "8")).equals(first)).toBe(false);
});

test("with --format json the summary is one JSON object", async () => {
  const { out } = await run("--out", "json", "--format", "json", "--protocol-mix", "0:1:0", ...SMALL);
  expect(JSON.parse(out)).toMatchObject({ packets: 300, packetsByProtocol: { tcp: 0, udp: 300, icmp: 0 } });
});

test("a folder in use is refused without --force, and nothing is written into it", async () => {
  await run("--out", "used", "--quiet", ...SMALL);
  const before = readdirSync(join(folder, "used"));
  const { code, out, err } = await run("--out", "used", ...SMALL);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain("the folder is not empty");
  expect(readdirSync(join(folder, "used"))).toEqual(before);
  expect((await run("--out", "used", "--force", ...SMALL)).code).toBe(0);
});

test.each([
  [[], "--out: no folder is named"],
  [["--out", "x", "--packets", "many", "--seed", "-1"], '--packets: "many" is no number', '--seed: "-1" is no number'],
  [["--out", "x", "--protocol-mix", "80:20"], '--protocol-mix: "80:20" is not three whole numbers'],
  [["--out", "x", "--distribution", "pareto"], '--distribution: "pareto" is none of uniform, zipf'],
  [["--out", "x", "--frame-size", "12"], "--frame-size: 12 is not a whole number from 64"],
  [["--out", "x", "--pakets", "3"], "unknown option '--pakets'", "did you mean --packets?"],
])("%j is a usage error that points to this command's help", async (args, ...said) => {
  const { code, out, err } = await run(...args);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  for (const text of said) expect(err).toContain(text);
  expect(err).toContain("egwsim: cannot run this");
  expect(err).toContain("`egwsim generate --help` lists the options");
  expect(existsSync(join(folder, "x"))).toBe(false);
});

test("the help names every option, its default and the exit codes", async () => {
  const { code, out } = await run("--help");
  expect(code).toBe(0);
  for (const { name } of GENERATE_OPTIONS) expect(out).toContain(`--${name}`);
  expect(out.replace(/\s+/g, " ")).toContain(`frames in the capture (default: ${GENERATE_DEFAULTS.packets})`);
  expect(out).toMatch(/Exit codes:\n {2}0 .+\n {2}2 .+\n {2}3 /);
});

test("options that were not given are left to the generator's defaults", () => {
  expect(readGenerateWords({ out: "somewhere" }).options).toEqual({ out: "somewhere", force: false });
  expect(Object.keys(GENERATE_DEFAULTS).length).toBe(GENERATE_OPTIONS.filter(({ name }) => !["out", "format", "quiet"].includes(name)).length);
});
