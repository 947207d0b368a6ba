// Hostile frames at every hook, on the kernel whose every memory access is checked: nothing outside the frame and the
// tables is touched, nothing loops, every verdict has a name, and the WebAssembly build does the same to the last byte.
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Arena, sharedMemory } from "../../src/engine/image/arena.ts";
import { type Kernel, kernelOn } from "../../src/engine/kernel-instance.ts";
import {
  NF_NO_BACKEND_REJECT, NF_NO_BACKEND_ROUTABLE, NF_REPAIR, NF_SCTP, P_ENDPOINT, P_FRAME, P_IFINDEX, P_LEN, P_MARK, P_NODE, P_NOW, P_SHARD, P_SIZE, P_TUNNEL_VNI, P_VLAN_TCI, P_WIRE_LEN,
} from "../../src/kernel/layout.ts";
import * as verdicts from "../../src/kernel/verdict.ts";
import type * as CheckedMemory from "../../src/kernel/mem.checked.ts";
import { LabMaps } from "../../src/vectors/lab-maps.ts";
import { CaseMemory, FRAME_BYTES } from "../../src/vectors/lab-memory.ts";
import { labSettings } from "../../src/vectors/lab-settings.ts";
import { LAB_NODES, labPod } from "../../src/vectors/laboratory.ts";
import type { RecordedCase } from "../../src/vectors/recording.ts";
import { recordedCaseOf, recordings, WASM, WASM_IS_BUILT } from "../vectors/recorded-files.ts";
import { hostile } from "./hostile-frames.ts";
import { hostile6 } from "./hostile-frames6.ts";
import { below, seeded, word32 } from "./seeded.ts";

const CHECKED = new URL("../../dist/kernel-checked/", import.meta.url);
const IS_BUILT = existsSync(new URL("mem.js", CHECKED)) && WASM_IS_BUILT;
/** FUZZ_ROUNDS and FUZZ_SEED make a longer or another run. */
const ROUNDS = Number(process.env["FUZZ_ROUNDS"] ?? 2000), SEED = Number(process.env["FUZZ_SEED"] ?? 0);
/** The longest way through a hook is some hundred accesses, and an eviction's walk over the tiny tables some more. */
const ACCESSES_PER_HOOK = 20_000;
const FIRST_ADDRESS = 1024;

const KNOWN = new Set(Object.entries(verdicts).filter(([name]) => name.startsWith("DROP_") || name.startsWith("VERDICT_")).map(([, value]) => value));
const HOOKS = ["fromContainer", "toNetdev", "fromOverlay", "fromNetdev"] as const;

interface Laboratory {
  readonly kernel: Kernel;
  readonly memory: CaseMemory;
}

/** Small tables, so that they overflow and evict. */
function laboratory(kernel: Kernel, arena: Arena, recorded: RecordedCase, extraFlags: number): Laboratory {
  const small = { conntrack: 48, nat: 24, fragments: 4, flows: 1 };
  const memory = new CaseMemory(arena, { ...small, ipv6: small }, () => undefined);
  const found = labSettings(recorded);
  if (typeof found === "string") throw new Error(found);
  const settings = { ...found, flags: found.flags | extraFlags };
  for (const name of LAB_NODES) memory.publish(name, settings, new LabMaps(name === "src" ? recorded.maps.source : recorded.maps.gateway));
  const pod = labPod("lxc1", undefined);
  if (pod !== undefined) memory.pod(pod);
  return { kernel, memory };
}

/** One packet into a hook; `at` is where its frame lies. */
function run({ kernel, memory }: Laboratory, hook: (typeof HOOKS)[number], at: number, frame: Uint8Array, fields: readonly (readonly [number, number])[]): number {
  const { arena, packet } = memory;
  arena.bytes.fill(0xa5, memory.frame, memory.frame + FRAME_BYTES);
  arena.bytes.set(frame, at);
  arena.bytes.fill(0, packet, packet + P_SIZE);
  for (const [field, value] of fields) arena.put32(packet + field, value);
  return kernel[hook](packet);
}

const FRAMES = framesOf(["tcp.jsonl.gz", "udp.jsonl", "icmp_error.jsonl.gz", "fragments.jsonl", "ip_options.jsonl", "masq.jsonl.gz"]);
const FRAMES6 = framesOf(["tcp6.jsonl.gz", "udp6.jsonl.gz", "icmp6.jsonl.gz", "icmp6_error.jsonl.gz", "fragments6.jsonl.gz", "exthdr6.jsonl.gz", "arp_nd.jsonl.gz"]);

const SERVICE_FRAMES = framesOf(["services.jsonl.gz"]), SERVICE_FRAMES6 = framesOf(["services6.jsonl.gz"]);

function framesOf(files: readonly string[]): Uint8Array<ArrayBuffer>[] {
  return files.flatMap((file) => recordings(file).flatMap(({ recorded }) => recorded.steps.map((step) => Uint8Array.from(Buffer.from(step.in_hex, "hex")))));
}

/** Name, recordings file, case (empty: the first), flags beside the build's. */
const LABORATORIES: readonly (readonly [string, string, string, number])[] = [
  ["default", "tcp.jsonl.gz", "tcp_lifecycle", 0],
  ["without fragment tracking", "variant_nofrag.jsonl", "", 0],
  ["SCTP", "variant_sctp.jsonl", "", 0],
  ["network policy", "random-netpol-a.jsonl.gz", "", 0],
  ["network policy, answers to denied packets", "netpol.jsonl.gz", "deny_response", 0],
  ["two devices", "multinic.jsonl", "multi_nic_gateway", 0],
  ["native routing", "native.jsonl.gz", "", 0],
  ["dual stack", "geneve.jsonl.gz", "", 0],
  ["dual stack, defects repaired", "tcp6.jsonl.gz", "", NF_REPAIR],
  ["dual stack without fragment tracking", "variant6.jsonl.gz", "", 0],
  ["services, affinity, refused without backends", "services.jsonl.gz", "affinity_tcp_reject", 0],
  ["services, Maglev, SCTP", "services.jsonl.gz", "maglev_tcp_3_affinity", NF_SCTP],
  ["services of IPv6, no backend", "services6.jsonl.gz", "no_backend_udp", NF_NO_BACKEND_REJECT | NF_NO_BACKEND_ROUTABLE],
  ["services of IPv6, a pod that reaches itself", "services6.jsonl.gz", "hairpin_tcp", 0],
  ["dual stack, native routing, SCTP", "masq6.jsonl.gz", "pod_to_2001:db8:113::10_tcp_40000_native", NF_SCTP],
];

describe.skipIf(!IS_BUILT)("hostile frames (skipped unless built: npm run build)", () => {
  test.each(LABORATORIES)("keep every hook inside its memory, %s", async (_, file, caseName, extraFlags) => {
    const recorded = caseName === "" ? recordings(file)[0]?.recorded : recordedCaseOf(file, caseName).recorded;
    if (recorded === undefined) throw new Error(`${file} is empty`);
    const mem = await import(new URL("mem.js", CHECKED).href) as typeof CheckedMemory;
    const checkedKernel = await import(new URL("index.js", CHECKED).href) as Kernel;

    const arena = new Arena(sharedMemory(1024 * 1024)), wasmMemory = sharedMemory(1024 * 1024);
    mem.attach(arena.memory.buffer);
    mem.forbidAll();
    mem.budget(Infinity);
    const checked = laboratory(checkedKernel, arena, recorded, extraFlags);
    const wasm = laboratory(kernelOn(wasmMemory, "wasm", WASM), new Arena(wasmMemory), recorded, extraFlags);
    const { packet, frame: room, shard } = checked.memory;
    const pod = labPod("lxc1", undefined);
    if (pod === undefined) throw new Error("the laboratory has no pod");

    const dual = /6|geneve/.test(file);
    const random = seeded(SEED * 104_729 + recorded.name.length * 7919 + file.length), seen = new Set<number>();
    for (let round = 0; round < ROUNDS; round++) {
      const six = dual && random() < 0.7, toService = file.startsWith("services") && random() < 0.7;
      const from = six ? (toService ? SERVICE_FRAMES6 : FRAMES6) : toService ? SERVICE_FRAMES : FRAMES, whole = from[below(random, from.length)] ?? new Uint8Array(0);
      const frame = six ? hostile6(whole, random) : hostile(whole, random);
      const at = room + below(random, 8), node = LAB_NODES[below(random, 2)] ?? "src";
      const fields = [
        [P_FRAME, at], [P_LEN, frame.length], [P_WIRE_LEN, frame.length + (random() < 0.2 ? below(random, 1500) : 0)],
        [P_MARK, random() < 0.5 ? 0 : [0x300, 0x4e210500, 0x4e210f00, word32(random)][below(random, 4)] ?? 0],
        [P_IFINDEX, 10 + below(random, 3)], [P_NOW, 1000 + round], [P_NODE, checked.memory.node(node)], [P_SHARD, shard],
        [P_TUNNEL_VNI, [2, 1, 20001][below(random, 3)] ?? 0], [P_VLAN_TCI, random() < 0.05 ? below(random, 65536) : 0],
        [P_ENDPOINT, checked.memory.pod(pod)],
      ] as const;
      mem.forbidAll();
      mem.allow(FIRST_ADDRESS, room);
      mem.allow(at, at + frame.length);
      mem.allow(room + FRAME_BYTES, arena.used);
      for (const hook of HOOKS) {
        mem.budget(ACCESSES_PER_HOOK);
        const told = `round ${round} ${hook} ${Buffer.from(frame).toString("hex")}`;
        let verdict = 0;
        expect(() => { verdict = run(checked, hook, at, frame, fields); }, told).not.toThrow();
        if (!KNOWN.has(verdict)) expect.fail(`verdict ${verdict} is none: ${told}`);
        seen.add(verdict);
        if (run(wasm, hook, at, frame, fields) !== verdict) expect.fail(`the WebAssembly kernel differs: ${told}`);
      }
      if (round % 100 === 99) {
        const whole = arena.bytes.subarray(0, arena.used), other = wasm.memory.arena.bytes.subarray(0, arena.used);
        expect(Buffer.compare(whole, other), `memory after round ${round}`).toBe(0);
      }
    }
    expect(packet).toBe(wasm.memory.packet);
    // Frames that all die at the first look would prove little.
    expect(seen.has(verdicts.VERDICT_OK) && seen.has(verdicts.VERDICT_REDIRECT)).toBe(true);
    expect(seen.size).toBeGreaterThanOrEqual(6);
  }, Math.max(60_000, ROUNDS * 20));
});
