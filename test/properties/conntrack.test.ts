// The kernel's connection tracking against a model with a Map, packet by packet: what a pod sends through its own program,
// what it gets through local delivery from the tunnel.
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { wireWord } from "../../src/engine/image/arena.ts";
import {
  P_CT_STATUS, P_ENDPOINT, P_FRAME, P_IFINDEX, P_LEN, P_NODE, P_NOW, P_SHARD, P_SIZE, P_TUNNEL_REMOTE, P_TUNNEL_VNI, P_WIRE_LEN, TUPLE_IN, TUPLE_RELATED,
} from "../../src/kernel/layout.ts";
import { CT_ESTABLISHED, CT_NEW, CT_RELATED, CT_REPLY } from "../../src/kernel/verdict.ts";
import { FlowTables } from "../../src/vectors/flow-tables.ts";
import { LabMaps } from "../../src/vectors/lab-maps.ts";
import { type CaseMemory, LabMemory } from "../../src/vectors/lab-memory.ts";
import { labSettings } from "../../src/vectors/lab-settings.ts";
import { LAB_NODES, labPod } from "../../src/vectors/laboratory.ts";
import type { RecordedCase } from "../../src/vectors/recording.ts";
import { addressNumber, echo, ethernet, ICMP, ICMP6, icmp6Error, icmpError, TCP, tcp, UDP, udp } from "../e2e/packets.ts";
import { recordedCaseOf, WASM, WASM_IS_BUILT } from "../vectors/recorded-files.ts";
import { ConntrackModel, FLAG_ACK, FLAG_FIN, FLAG_RST, FLAG_SYN, keyOf, type ModelPacket } from "./conntrack-model.ts";
import { seeded, settings } from "./seed.ts";

/** The laboratory's gateway, from which the tunnel comes in either family. */
const TUNNEL_PEER = "192.168.1.12", SOURCE = 0, WORLD = 2, START = 1000;

/** The laboratory's first pod and what it talks with, and a recording whose maps are the family's. */
const FAMILIES = {
  IPv4: { pod: "10.0.1.10", remotes: ["203.0.113.5", "203.0.113.6"], icmp: ICMP, recording: ["tcp.jsonl.gz", "tcp_lifecycle"] },
  IPv6: { pod: "fd00:10:1::10", remotes: ["2001:db8:113::5", "2001:db8:113::6"], icmp: ICMP6, recording: ["tcp6.jsonl.gz", "tcp6_lifecycle"] },
} as const;
type Family = (typeof FAMILIES)[keyof typeof FAMILIES];
const STATUS = { new: CT_NEW, established: CT_ESTABLISHED, reply: CT_REPLY, related: CT_RELATED } as const;

const flags = fc.constantFrom(FLAG_SYN, FLAG_SYN | FLAG_ACK, FLAG_ACK, FLAG_ACK | 8, FLAG_FIN | FLAG_ACK, FLAG_FIN, FLAG_RST, FLAG_RST | FLAG_ACK, FLAG_SYN | FLAG_FIN, 0);
const step = fc.record({
  kind: fc.constantFrom("tcp", "tcp", "tcp", "udp", "request", "answer", "error"), fromPod: fc.boolean(), remote: fc.constantFrom(0, 1),
  podPort: fc.constantFrom(40_000, 80), remotePort: fc.constantFrom(443, 40_000), flags, gap: fc.constantFrom(0, 0, 1, 4, 6, 61, 9000),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The packet of a step, and what the model is to know of it. */
function packetOf(each: Step, { pod, remotes, icmp }: Family): { readonly packet: Uint8Array; readonly model: ModelPacket } {
  const { fromPod, podPort, remotePort } = each, remote = remotes[each.remote] ?? remotes[0], ends = fromPod ? { from: pod, to: remote } : { from: remote, to: pod };
  const ports: readonly [number, number] = fromPod ? [podPort, remotePort] : [remotePort, podPort];
  const known = { fromPod, remote, podPort, remotePort, flags: 0, isError: false, protocol: icmp };
  switch (each.kind) {
    case "tcp": return { packet: tcp(ends, ...ports, each.flags), model: { ...known, protocol: TCP, flags: each.flags } };
    case "udp": return { packet: udp(ends, ...ports), model: { ...known, protocol: UDP } };
    // An identifier stands at the end that asked.
    case "request": return { packet: echo(ends, podPort), model: { ...known, podPort: fromPod ? podPort : 0, remotePort: fromPod ? 0 : podPort } };
    case "answer": return { packet: echo(ends, podPort, true), model: { ...known, podPort: fromPod ? 0 : podPort, remotePort: fromPod ? podPort : 0 } };
    default: {
      const quoted = udp({ from: ends.to, to: ends.from }, ports[1], ports[0]);
      return { packet: icmp === ICMP ? icmpError(ends.from, quoted) : icmp6Error(ends.from, quoted, 1, 4), model: { ...known, isError: true } };
    }
  }
}

const KERNELS = ["ts", ...(WASM_IS_BUILT ? ["wasm"] as const : [])] as const;

describe.each(KERNELS.flatMap((kind) => [[kind, "IPv4"], [kind, "IPv6"]] as const))(`connection tracking, %s kernel, %s, ${seeded}`, (kind, name) => {
  const family = FAMILIES[name];
  let template: RecordedCase;
  beforeAll(() => { template = recordedCaseOf(family.recording[0], family.recording[1]).recorded; });

  /** Runs a packet through the hook that it meets at its pod's node; conntrack's answer. */
  function track(lab: LabMemory, memory: CaseMemory, { packet, model }: ReturnType<typeof packetOf>, now: number): number {
    const { arena, packet: structure, frame } = memory, bytes = ethernet(packet), pod = labPod("lxc1", undefined);
    if (pod === undefined) throw new Error("the laboratory has no pod");
    arena.bytes.fill(0, structure, structure + P_SIZE);
    arena.bytes.set(bytes, frame);
    for (const [field, value] of [
      [P_FRAME, frame], [P_LEN, bytes.length], [P_WIRE_LEN, bytes.length], [P_IFINDEX, pod.ifindex], [P_NOW, now], [P_NODE, memory.node("src")], [P_SHARD, memory.shard],
      [P_TUNNEL_VNI, WORLD], [P_TUNNEL_REMOTE, wireWord(addressNumber(TUNNEL_PEER))], [P_ENDPOINT, memory.pod(pod)],
    ] as const) arena.put32(structure + field, value);
    const verdict = model.fromPod ? lab.kernel.fromContainer(structure) : lab.kernel.fromOverlay(structure);
    expect(verdict).toBeGreaterThanOrEqual(0);
    return arena.get32(structure + P_CT_STATUS);
  }

  it("does what a map of states and lifetimes does", () => {
    const labSettingsOf = labSettings(template);
    if (typeof labSettingsOf === "string") throw new Error(labSettingsOf);
    const lab = kind === "wasm" ? new LabMemory("wasm", WASM) : new LabMemory("ts"), answers = new Map<string, number>();
    fc.assert(fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const room = { conntrack: 256, nat: 16, fragments: 1, flows: 1 }, memory = lab.fresh({ ...room, ipv6: room }), tables = new FlowTables(memory.arena, memory.shard, lab.kernel);
      for (const node of LAB_NODES) memory.publish(node, labSettingsOf, new LabMaps(node === "src" ? template.maps.source : template.maps.gateway));
      const model = new ConntrackModel();
      let now = START;
      for (const [k, each] of steps.entries()) {
        now += each.gap;
        const made = packetOf(each, family), said = model.see(made.model, now), told = `step ${k}: ${JSON.stringify(each)}`;
        expect(track(lab, memory, made, now), told).toBe(STATUS[said]);
        answers.set(said, (answers.get(said) ?? 0) + 1);
        const rows = tables.conntrack(SOURCE, now).map((row) => {
          const isIn = (row.flags & TUPLE_IN) !== 0;
          // Cilium stores an entry's addresses exchanged: an outgoing one has the pod as its destination.
          const [podPort, remotePort, remote] = isIn ? [row.dport, row.sport, row.daddr] : [row.sport, row.dport, row.saddr];
          return [keyOf({ protocol: row.nexthdr, podPort, remote, remotePort, isError: (row.flags & TUPLE_RELATED) !== 0 }, isIn ? "in" : "out"), {
            expires: now + row.lifetime_left_s, podClosed: row.tx_closing === 1, remoteClosed: row.rx_closing === 1, seenNonSyn: row.seen_non_syn === 1,
            podFlags: row.tx_flags, remoteFlags: row.rx_flags,
          }] as const;
        });
        expect(new Map(rows), told).toEqual(model.entries);
        expect(rows.length).toBe(model.entries.size);
      }
    }), settings(60));
    for (const said of Object.keys(STATUS)) expect(answers.get(said), said).toBeGreaterThan(50);
  });
});
