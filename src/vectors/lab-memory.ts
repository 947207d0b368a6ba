// One case's laboratory in the kernel's memory: fresh tables, two nodes, one packet.
import { Arena, sharedMemory, wireWord } from "../engine/image/arena.ts";
import { writeIpcache } from "../engine/image/ipcache-image.ts";
import { writeIpcache6 } from "../engine/image/ipcache-image6.ts";
import { writeNode } from "../engine/image/node-image.ts";
import { writeEndpoint6, writeNode6 } from "../engine/image/node-image6.ts";
import { writePolicyTable } from "../engine/image/policy-image.ts";
import { writePolicyTable6 } from "../engine/image/policy-image6.ts";
import { writeServices } from "../engine/image/service-image.ts";
import { type ShardCapacity, writeShard } from "../engine/image/shard-image.ts";
import { type Kernel, kernelOn, type KernelKind } from "../engine/kernel-instance.ts";
import { NF_IPV6, P_ROOM, S_FORCED, S_FORCED_COUNT, S_FORCED_NEXT } from "../kernel/layout.ts";
import { EP_POLICY } from "../kernel/layout-policy.ts";
import { EP6_SIZE, P_SPARE, SPARE_BYTES } from "../kernel/layout6.ts";
import { N_LOOPBACK, N_SERVICES, N_SERVICES6 } from "../kernel/layout-services.ts";
import { ipv4 } from "./lab-addresses.ts";
import type { LabMaps } from "./lab-maps.ts";
import type { LabSettings } from "./lab-settings.ts";
import { hasPolicyMap, LAB_NODES, labNode, labNode6, type LabNodeName, type LabPod } from "./laboratory.ts";

const MEMORY_BYTES = 64 * 1024 * 1024;
/** Room for the longest frame. */
export const FRAME_BYTES = 65_536 + 64;
/** Room for every port of one remote end, and for what recordings add. */
const ROOMY: ShardCapacity = { conntrack: 8192, nat: 70_000, fragments: 1024, flows: 16, affinity: 256 };
const ROOMY_DUAL: ShardCapacity = { ...ROOMY, ipv6: { conntrack: 8192, nat: 70_000, fragments: 1024, flows: 16 } };

/** Room for a build of the real programs. */
export function roomFor(settings: LabSettings): ShardCapacity { return hasIpv6(settings) ? ROOMY_DUAL : ROOMY; }
function hasIpv6(settings: LabSettings): boolean { return (settings.flags & NF_IPV6) !== 0; }
/** A draw happens at most twice a packet: once for a port out of range, once after the first collision. */
const MOST_DRAWS = 2;

/** A memory with the kernel on it, used again for one case after the other. */
export class LabMemory {
  readonly kernel: Kernel;
  readonly #memory: WebAssembly.Memory;
  #used = 0;

  constructor(kind: KernelKind, wasmUrl?: URL) {
    this.#memory = sharedMemory(MEMORY_BYTES);
    this.kernel = wasmUrl === undefined ? kernelOn(this.#memory, kind) : kernelOn(this.#memory, kind, wasmUrl);
  }

  /** What the last case left: everything that was handed out. */
  get bytes(): Uint8Array { return new Uint8Array(this.#memory.buffer, 0, this.#used); }

  /** Zeroes what the last case used and begins anew with empty tables. */
  fresh(capacity: ShardCapacity = ROOMY): CaseMemory {
    new Uint8Array(this.#memory.buffer).fill(0, 0, this.#used);
    const arena = new Arena(this.#memory);
    return new CaseMemory(arena, capacity, (used) => { this.#used = used; });
  }
}

export class CaseMemory {
  readonly arena: Arena;
  readonly packet: number;
  readonly frame: number;
  readonly shard: number;
  readonly #forced: number;
  readonly #spare: number;
  readonly #nodes = new Map<LabNodeName, number>();
  readonly #pods = new Map<number, number>();
  #podPolicy = 0;
  readonly #setUsed: (used: number) => void;

  constructor(arena: Arena, capacity: ShardCapacity, setUsed: (used: number) => void) {
    this.arena = arena;
    this.#setUsed = setUsed;
    this.packet = arena.take(P_ROOM);
    this.#spare = arena.take(SPARE_BYTES);
    this.frame = arena.take(FRAME_BYTES, 64);
    this.#forced = arena.take(4 * MOST_DRAWS);
    this.shard = writeShard(arena, capacity, 0);
    arena.put32(this.shard + S_FORCED, this.#forced);
    this.clearPacket();
    setUsed(arena.used);
  }

  /** Writes a node's read-only tables, in the place of what it had before. */
  publish(name: LabNodeName, settings: LabSettings, maps: LabMaps): void {
    const policies = writePolicyTable(this.arena, maps.policies), ipcache = writeIpcache(this.arena, maps.ipcache);
    const podPolicy = maps.pod.write(this.arena), networkPolicy = maps.pod.nodePolicy(this.arena, settings);
    const at = writeNode(this.arena, { ...labNode(name, settings, maps, policies, ipcache, podPolicy), networkPolicy });
    if (hasIpv6(settings)) {
      const policies6 = writePolicyTable6(this.arena, maps.v6.policies), ipcache6 = writeIpcache6(this.arena, maps.v6.ipcache);
      writeNode6(this.arena, at, labNode6(name, settings, maps, policies6, ipcache6, podPolicy));
    }
    if (settings.perPacketServices) {
      this.arena.put32(at + N_LOOPBACK, wireWord(ipv4(settings.serviceLoopback)));
      this.arena.put32(at + N_SERVICES, writeServices(this.arena, maps.services.ipv4, 0));
      if (hasIpv6(settings)) this.arena.put32(at + N_SERVICES6, writeServices(this.arena, maps.services.ipv6, 0));
    }
    if (name === "src") this.#publishPods(podPolicy);
    this.#nodes.set(name, at);
    this.#setUsed(this.arena.used);
  }

  node(name: LabNodeName): number {
    const at = this.#nodes.get(name);
    if (at === undefined) throw new Error(`${LAB_NODES.join(" and ")} are published before a step runs`);
    return at;
  }

  /** The endpoint record that a pod's own program was compiled with, whatever the endpoint map says. */
  pod(pod: LabPod): number {
    let at = this.#pods.get(pod.ifindex);
    if (at === undefined) {
      at = this.arena.take(EP6_SIZE);
      writeEndpoint6(this.arena, at, { ...pod, flags: 0 });
      this.#pods.set(pod.ifindex, at);
      this.arena.put32(at + EP_POLICY, hasPolicyMap(pod.ifindex) ? this.#podPolicy : 0);
      this.#setUsed(this.arena.used);
    }
    return at;
  }

  #publishPods(policyMap: number): void {
    this.#podPolicy = policyMap;
    for (const [ifindex, at] of this.#pods) if (hasPolicyMap(ifindex)) this.arena.put32(at + EP_POLICY, policyMap);
  }

  /** A packet with every field 0 and nothing left over from the last. */
  clearPacket(): void {
    this.arena.bytes.fill(0, this.packet, this.packet + P_ROOM);
    this.arena.put32(this.packet + P_SPARE, this.#spare);
  }

  /** The outcome of the draws of the next step; null lets the kernel draw. */
  forceDraw(port: number | null): void {
    for (let k = 0; k < MOST_DRAWS; k++) this.arena.put32(this.#forced + 4 * k, port ?? 0);
    this.arena.put32(this.shard + S_FORCED_NEXT, 0);
    this.arena.put32(this.shard + S_FORCED_COUNT, port === null ? 0 : MOST_DRAWS);
  }

  get drawsTaken(): number { return this.arena.get32(this.shard + S_FORCED_NEXT); }
}
