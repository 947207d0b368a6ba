// Runs the steps of a recorded case on fresh tables and hands back what the hooks did, for tests that ask other questions
// than whether it is what was recorded.
import { wireWord } from "../../../src/engine/image/arena.ts";
import {
  P_ENDPOINT, P_FRAME, P_IFINDEX, P_LEN, P_MARK, P_NODE, P_NOTES, P_NOW, P_SHARD, P_TO, P_TUNNEL_REMOTE, P_TUNNEL_VNI, P_VLAN_TCI, P_WIRE_LEN,
} from "../../../src/kernel/layout.ts";
import { P_LEFTOVER_PORT } from "../../../src/kernel/layout6.ts";
import { FlowTables } from "../../../src/vectors/flow-tables.ts";
import { ipv4 } from "../../../src/vectors/lab-addresses.ts";
import { LabMaps } from "../../../src/vectors/lab-maps.ts";
import { type CaseMemory, type LabMemory, roomFor } from "../../../src/vectors/lab-memory.ts";
import { type LabSettings, labSettings } from "../../../src/vectors/lab-settings.ts";
import { deviceIndex, LAB_NODES, labPod } from "../../../src/vectors/laboratory.ts";
import { recordedDraw } from "../../../src/vectors/recorded-draw.ts";
import type { RecordedCase, RecordedStep } from "../../../src/vectors/recording.ts";

export interface Done {
  readonly step: RecordedStep;
  readonly verdict: number;
  readonly input: Uint8Array;
  readonly frame: Uint8Array;
  readonly notes: number;
  /** TO_…, and the tunnel's remote as an IPv4 address in host order. */
  readonly to: number;
  readonly remote: number;
}

const NOW = 1_000_000;

export function runSteps(memory: LabMemory, recorded: RecordedCase, extraFlags: number): Done[] {
  const found = labSettings(recorded);
  if (typeof found === "string") return [];
  const settings: LabSettings = { ...found, flags: found.flags | extraFlags }, lab = memory.fresh(roomFor(settings));
  const flows = new FlowTables(lab.arena, lab.shard, memory.kernel);
  const maps = { src: new LabMaps(recorded.maps.source), gw: new LabMaps(recorded.maps.gateway) };
  for (const name of LAB_NODES) lab.publish(name, settings, maps[name]);
  return recorded.steps.map((step) => {
    for (const change of step.map_changes_before ?? [])
      for (const name of LAB_NODES)
        if ((change.node === "both" || change.node === name) && maps[name].apply(change)) lab.publish(name, settings, maps[name]);
    const draw = recordedDraw(step, () => flows.nat(LAB_NODES.indexOf(step.node)), settings.snatMin, settings.snatMax);
    load(lab, step);
    lab.forceDraw(draw?.value ?? null);
    const { kernel } = memory, { arena, packet } = lab;
    const hook = step.hook.startsWith("to_netdev") ? kernel.toNetdev : step.hook.startsWith("from_netdev") ? kernel.fromNetdev
      : step.hook === "from_overlay" ? kernel.fromOverlay : kernel.fromContainer;
    const verdict = hook(packet), frame = arena.get32(packet + P_FRAME);
    return {
      step, verdict, input: Uint8Array.from(Buffer.from(step.in_hex, "hex")), frame: arena.bytes.slice(frame, frame + arena.get32(packet + P_LEN)),
      notes: arena.get32(packet + P_NOTES), to: arena.get32(packet + P_TO), remote: wireWord(arena.get32(packet + P_TUNNEL_REMOTE)) >>> 0,
    };
  });
}

function load(lab: CaseMemory, step: RecordedStep): void {
  const { arena, packet, frame } = lab, bytes = Buffer.from(step.in_hex, "hex"), pod = labPod(step.dev, step.endpoint);
  lab.clearPacket();
  arena.bytes.set(bytes, frame);
  const fields: readonly (readonly [number, number])[] = [
    [P_FRAME, frame], [P_LEN, bytes.length], [P_WIRE_LEN, bytes.length], [P_MARK, Number(step.in_mark)], [P_IFINDEX, deviceIndex(step.node, step.dev) ?? 0],
    [P_NOW, NOW], [P_NODE, lab.node(step.node)], [P_SHARD, lab.shard], [P_VLAN_TCI, step.vlan_tci ?? 0], [P_TUNNEL_VNI, step.in_tunnel?.vni ?? 0],
    [P_TUNNEL_REMOTE, step.in_tunnel === undefined ? 0 : wireWord(ipv4(step.in_tunnel.remote))], [P_ENDPOINT, pod === undefined ? 0 : lab.pod(pod)],
    [P_LEFTOVER_PORT, swap16(step.percpu_ct_tuple_before?.sport ?? 0)],
  ];
  for (const [field, value] of fields) arena.put32(packet + field, value);
}

function swap16(port: number): number { return ((port & 0xff) << 8) | (port >>> 8); }
