// Peers that are a program which reads a capture and writes one: egwsim itself, a C loop, plain Node.js, tcprewrite.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileC } from "../lib/compile-c.ts";
import { fileDigest } from "./output-digest.ts";
import {
  C_LOOP, EGWSIM, EGWSIM_BOTH_HOPS, type Found, type Measured, OTHER_WORK, type Peer, type PeerInput, type Reference, SAME,
} from "./peer.ts";

/** Seconds of CPU that a program may take, and for each packet. */
const LIMIT = 60, SLOWEST_PACKET = 60e-6;

/** Its arguments, the capture that it writes, and what else it writes. */
interface Command {
  readonly args: readonly string[];
  readonly output: string;
  readonly others?: readonly string[];
}

interface Program {
  readonly who: string;
  readonly sameWork?: boolean;
  command(input: PeerInput, folder: string): Command;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const main = here("../../../dist/bin/main.js");

const replay = ({ capture, cluster }: PeerInput, out: string, write: string): string[] =>
  [process.execPath, main, "replay", capture, "--cluster", cluster, "--out", out, "--force", "--write", write, "--quiet"];

const egwsim = (who: string, kernel: "wasm" | "ts", write: string): Program => ({
  who,
  command: (input, folder) => {
    const out = join(folder, "egwsim");
    return { args: [...replay(input, out, write), "--workers", "1", "--kernel", kernel], output: join(out, "overlay.pcap"), others: [out] };
  },
});

/** Writes both of egwsim's captures into `out` and says what stands where. */
export function egwsimCaptures(input: PeerInput, out: string): { readonly overlay: string; readonly external: string } {
  const [file = "", ...args] = replay(input, out, "overlay,external"), { status, stderr } = spawnSync(file, args, { encoding: "utf8" });
  if (status === null || status > 1) throw new Error(`egwsim ended with ${status}: ${stderr}`);
  return { overlay: join(out, "overlay.pcap"), external: join(out, "external.pcap") };
}

const PROGRAMS: readonly Program[] = [
  egwsim(EGWSIM, "wasm", "overlay"), egwsim(EGWSIM_BOTH_HOPS, "wasm", "overlay,external"), egwsim("egwsim, ts", "ts", "overlay"),
  {
    who: "plain Node.js, Buffers and Maps",
    command: ({ capture, plan }, folder) => written(folder, "node.pcap", (output) => [process.execPath, here("./plain-node.js"), plan, capture, output]),
  },
];
const TCPREWRITE: Program = {
  who: "tcprewrite --srcipmap --fixcsum, no state", sameWork: false,
  command: ({ capture }, folder) => written(folder, "tcprewrite.pcap", (output) =>
    ["tcprewrite", "--srcipmap=10.0.0.0/8:192.168.0.0/16", "--fixcsum", `--infile=${capture}`, `--outfile=${output}`]),
};

/** The programs that are here; those that can be built are built into `folder`. */
export function programs(folder: string): Found[] {
  const noBash = spawnSync("bash", ["-c", "time true"]).status !== 0;
  if (noBash) return [{ what: "programs from file to file", why: "bash is not installed, which takes their time" }];
  const found: Found[] = PROGRAMS.map((program) => ({ peer: asPeer(program) }));
  const loop = join(folder, "plain"), refused = compileC("peers/plain.c", loop, "-O3", "-march=native");
  const cLoop: Program = { who: C_LOOP, command: ({ capture, plan }, out) => written(out, "c.pcap", (output) => [loop, plan, capture, output]) };
  found.push(refused === "" ? { peer: asPeer(cLoop) } : { what: C_LOOP, why: refused });
  if (spawnSync("tcprewrite", ["--version"]).error !== undefined) found.push({ what: "tcprewrite", why: "it is not installed (Debian: tcpreplay)" });
  else found.push({ peer: asPeer(TCPREWRITE) });
  return found;
}

function written(folder: string, name: string, args: (output: string) => readonly string[]): Command {
  const output = join(folder, name);
  return { args: args(output), output };
}

function asPeer(program: Program): Peer {
  return { who: program.who, startsWithin: true, measure: (input, folder, reference) => measured(program, input, folder, reference) };
}

async function measured({ command, sameWork = true }: Program, input: PeerInput, folder: string, reference: Reference | null): Promise<Measured> {
  const { args, output, others = [] } = command(input, folder);
  // bash takes the time of what it waits for to the millisecond; /proc has hundredths.
  const limit = Math.ceil(LIMIT + input.packets * SLOWEST_PACKET);
  const timed = `ulimit -t ${limit}; TIMEFORMAT="%R %U %S"; time "$@"`;
  const { status, stderr, error } = spawnSync("bash", ["-c", timed, "bash", ...args], { encoding: "utf8", env: { ...process.env, LC_ALL: "C" } });
  if (status === null || status > 1) throw new Error(error === undefined ? `it ended with ${status}: ${stderr.trim().slice(0, 300)}` : error.message);
  const [seconds = 0, user = 0, system = 0] = (stderr.trim().split("\n").at(-1) ?? "").split(" ").map(Number);
  const same = !sameWork ? OTHER_WORK : reference === null ? null : (await fileDigest(output)) === reference.overlay ? SAME : "no";
  for (const path of [output, ...others]) rmSync(path, { recursive: true, force: true });
  return { seconds, cpuSeconds: user + system, startSeconds: null, output: same };
}
