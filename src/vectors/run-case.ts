// Runs one recorded case on fresh tables and compares every step.
import { formatIpv6 } from "../cluster/cidr.ts";
import { getAddress6 } from "../engine/image/address6.ts";
import { addressOf, wirePort, wireWord } from "../engine/image/arena.ts";
import type { Kernel } from "../engine/kernel-instance.ts";
import {
  P_ENDPOINT, P_FRAME, P_IFINDEX, P_LEN, P_MARK, P_NODE, P_NOW, P_SHARD, P_TO, P_TO_IFINDEX, P_TO_NEXTHOP, P_TUNNEL_REMOTE, P_TUNNEL_VNI,
  P_VLAN_TCI, P_WIRE_LEN, TO_DEVICE, TO_ENDPOINT, TO_HOST, TO_NEIGH, TO_NEIGH6, TO_SELF, TO_TUNNEL,
} from "../kernel/layout.ts";
import { P_LEFTOVER_PORT, P_NEXTHOP6 } from "../kernel/layout6.ts";
import { TUPLE_SERVICE } from "../kernel/layout-services.ts";
import { VERDICT_OK, VERDICT_REDIRECT } from "../kernel/verdict.ts";
import { ETH_LEN } from "../kernel/wire/ipv4.ts";
import { Comparison, type Difference, type HookOutcome, natKey } from "./comparison.ts";
import { FlowTables, isFlowMap } from "./flow-tables.ts";
import { dotted, ipv4 } from "./lab-addresses.ts";
import { LabMaps } from "./lab-maps.ts";
import { type CaseMemory, type LabMemory, roomFor } from "./lab-memory.ts";
import { type LabSettings, labSettings } from "./lab-settings.ts";
import { deviceIndex, deviceName, LAB_NODES, type LabNodeName, labPod } from "./laboratory.ts";
import { LabPolicyStats, sentVerdict } from "./lab-policy-verdict.ts";
import { type RecordedDraw, isRequestEntry, recordedChoice, recordedDraw } from "./recorded-draw.ts";
import type { RecordedCase, RecordedMapChange, RecordedStep } from "./recording.ts";

/** The clock stands still during a case: all steps of one were recorded within two seconds, and `lifetime_left_s` is
 * compared with a tolerance of one. */
const NOW = 1_000_000;

/** How a case says that its first step was not the first packet. */
const EARLIER_CONNECTIONS = /^\d+ earlier connections \(not recorded as steps\)/;

export interface StepResult {
  /** From 1. */
  readonly number: number;
  readonly node: string;
  readonly hook: string;
  /** Why the step was not run; null when it was. */
  readonly skipped: string | null;
  readonly differences: readonly Difference[];
}

export interface CaseResult {
  readonly name: string;
  readonly steps: readonly StepResult[];
  readonly comparison: Comparison;
}

export function runCase(memory: LabMemory, recorded: RecordedCase): CaseResult {
  const comparison = new Comparison();
  const settings = labSettings(recorded);
  if (typeof settings === "string") return { name: recorded.name, steps: recorded.steps.map((step, k) => skippedStep(step, k, settings)), comparison };
  const run = new CaseRun(memory, recorded, settings, comparison);
  return { name: recorded.name, steps: recorded.steps.map((step, k) => run.step(step, k)), comparison };
}

function skippedStep(step: RecordedStep, k: number, why: string): StepResult {
  return { number: k + 1, node: step.node, hook: step.hook, skipped: why, differences: [] };
}

class CaseRun {
  readonly #kernel: Kernel;
  readonly #memory: CaseMemory;
  readonly #settings: LabSettings;
  readonly #maps: Readonly<Record<LabNodeName, LabMaps>>;
  readonly #flows: FlowTables;
  readonly #comparison: Comparison;
  /** Map sizes are small on purpose: what the kernel's LRU evicts is taken from the recording. */
  readonly #evicts: boolean;
  readonly #policyStats = new LabPolicyStats();
  #unknownChange: string | null = null;

  constructor(memory: LabMemory, recorded: RecordedCase, settings: LabSettings, comparison: Comparison) {
    this.#kernel = memory.kernel;
    this.#memory = memory.fresh(roomFor(settings));
    this.#settings = settings;
    this.#comparison = comparison;
    this.#evicts = recorded.max_entries !== undefined;
    this.#maps = { src: new LabMaps(recorded.maps.source), gw: new LabMaps(recorded.maps.gateway) };
    this.#flows = new FlowTables(this.#memory.arena, this.#memory.shard, this.#kernel);
    for (const name of LAB_NODES) this.#memory.publish(name, settings, this.#maps[name]);
    const prefills = [...(recorded.prefill ?? []), ...(recorded.nat_prefill === undefined ? [] : [recorded.nat_prefill])];
    for (const rows of prefills) for (const name of nodesOf(rows.node)) this.#flows.prefill(LAB_NODES.indexOf(name), rows);
    const [first] = recorded.steps;
    if (first !== undefined && recorded.notes?.some((note) => EARLIER_CONNECTIONS.test(note)) === true) this.#openEarlier(first);
  }

  /** Connections to a service that were opened before the first step and are not steps themselves: their entries tell
   * the requests, which were the first step's but for the source port. */
  #openEarlier(first: RecordedStep): void {
    const hook = this.#hook(first), packet = first.in;
    if (typeof hook === "string" || packet?.dst === undefined) return;
    const { services } = this.#maps[first.node];
    for (const entry of first.ct_after ?? []) {
      if (entry.backend_id === undefined || entry.flags !== TUPLE_SERVICE || isRequestEntry(entry, packet)) continue;
      this.#load(first);
      this.#memory.arena.view.setUint16(this.#memory.frame + l4Start(first), entry.dport, false);
      this.#memory.forceDraw(services.slots(entry.daddr, entry.sport, entry.nexthdr).indexOf(entry.backend_id) + 1);
      hook(this.#memory.packet);
    }
  }

  step(step: RecordedStep, k: number): StepResult {
    for (const change of step.map_changes_before ?? []) this.#change(change);
    if (this.#unknownChange !== null) return skippedStep(step, k, `the change ${this.#unknownChange} came before, of a table that the hooks do not have`);
    const hook = this.#hook(step);
    if (typeof hook === "string") return skippedStep(step, k, hook);
    const node = LAB_NODES.indexOf(step.node), before = this.#comparison.differences.length;
    const draw = recordedChoice(step, this.#maps[step.node].services, () => this.#flows.conntrack(node, NOW)) ??
      recordedDraw(step, () => this.#flows.nat(node), this.#settings.snatMin, this.#settings.snatMax);
    this.#load(step);
    this.#memory.forceDraw(draw === null ? null : draw.value);
    const verdict = hook(this.#memory.packet);
    if (draw !== null) this.#compareDraw(draw);
    if (this.#evicts) this.#evict(step, node);
    this.#comparison.outcome(step, this.#outcome(step, node, verdict));
    return { number: k + 1, node: step.node, hook: step.hook, skipped: null, differences: this.#comparison.differences.slice(before) };
  }

  #change(change: RecordedMapChange): void {
    for (const name of nodesOf(change.node)) {
      const node = LAB_NODES.indexOf(name);
      if (isFlowMap(change.map) && change.op === "clear") this.#flows.clear(node, change.map);
      else if (change.map === "nat") this.#changeNat(change, node);
      // What a CPU's scratch tuple holds is told with each step that it matters to.
      else if (change.map === "percpu_ct_tuple") continue;
      else if (this.#maps[name].apply(change)) this.#memory.publish(name, this.#settings, this.#maps[name]);
      else this.#unknownChange = `${change.op} ${change.map}`;
    }
  }

  #changeNat(change: RecordedMapChange, node: number): void {
    const { op, dir, saddr, daddr, sport, dport, dport_from, dport_to, nexthdr, to_addr, to_port } = change;
    if (dir === undefined || saddr === undefined || daddr === undefined || sport === undefined || nexthdr === undefined) this.#unknownChange = `${op} nat`;
    else if (op === "delete" && dport !== undefined) {
      // A mapping that we do not have is one that we should have made: the steps before and after it show that.
      this.#flows.delete(node, { dir, saddr, daddr, sport, dport, nexthdr });
    } else if (op === "fill" && dport_from !== undefined && dport_to !== undefined && to_addr !== undefined && to_port !== undefined)
      this.#flows.prefill(node, { dir, saddr, daddr, sport, nexthdr, to_addr, to_port, dports: [dport_from, dport_to], except_ports: [] });
    else this.#unknownChange = `${op} nat`;
  }

  /** The hook that the step ran, or the sentence why it cannot run here. */
  #hook(step: RecordedStep): ((packet: number) => number) | string {
    if (deviceIndex(step.node, step.dev) === undefined) return `the laboratory has no device ${step.dev} on ${step.node}`;
    switch (step.hook) {
      case "from_container": return labPod(step.dev, step.endpoint) === undefined ? `no pod is known behind ${step.dev}` : this.#kernel.fromContainer;
      case "to_netdev": case "to_netdev_eth1": return this.#kernel.toNetdev;
      case "from_netdev": case "from_netdev_eth1": return this.#kernel.fromNetdev;
      case "from_overlay": return this.#kernel.fromOverlay;
      default: return `the kernel has no hook "${step.hook}"`;
    }
  }

  #load(step: RecordedStep): void {
    const { arena, packet, frame, shard } = this.#memory;
    const bytes = Buffer.from(step.in_hex, "hex");
    this.#memory.clearPacket();
    arena.put32(packet + P_LEFTOVER_PORT, wirePort(step.percpu_ct_tuple_before?.sport ?? 0));
    arena.bytes.set(bytes, frame);
    arena.put32(packet + P_FRAME, frame);
    arena.put32(packet + P_LEN, bytes.length);
    arena.put32(packet + P_WIRE_LEN, bytes.length);
    arena.put32(packet + P_MARK, Number(step.in_mark));
    arena.put32(packet + P_IFINDEX, deviceIndex(step.node, step.dev) ?? 0);
    arena.put32(packet + P_NOW, NOW);
    arena.put32(packet + P_NODE, this.#memory.node(step.node));
    arena.put32(packet + P_SHARD, shard);
    arena.put32(packet + P_VLAN_TCI, step.vlan_tci ?? 0);
    if (step.in_tunnel !== undefined) {
      arena.put32(packet + P_TUNNEL_VNI, step.in_tunnel.vni);
      arena.put32(packet + P_TUNNEL_REMOTE, wireWord(ipv4(step.in_tunnel.remote)));
    }
    const pod = step.hook === "from_container" ? labPod(step.dev, step.endpoint) : undefined;
    if (pod !== undefined) arena.put32(packet + P_ENDPOINT, this.#memory.pod(pod));
  }

  #compareDraw(draw: RecordedDraw): void {
    this.#comparison.field("draw", "in range", draw.inRange ? "yes" : "no", "yes");
    this.#comparison.field("draw", "free before", draw.free ? "yes" : "no", "yes");
    if (draw.certain) this.#comparison.field("draw", "taken from the recording", "yes", this.#memory.drawsTaken > 0 ? "yes" : "no");
  }

  #evict(step: RecordedStep, node: number): void {
    const nat = new Set((step.nat_after ?? []).map(natKey));
    const flows = new Set((step.ct_after ?? []).map((entry) => `${entry.nexthdr} ${entry.flags} ${entry.saddr} ${entry.sport} ${entry.daddr} ${entry.dport}`));
    this.#flows.evict(node, NOW,
      (entry) => flows.has(`${entry.nexthdr} ${entry.flags} ${entry.saddr} ${entry.sport} ${entry.daddr} ${entry.dport}`), (entry) => nat.has(natKey(entry)));
  }

  #outcome(step: RecordedStep, node: number, verdict: number): HookOutcome {
    const { arena, packet } = this.#memory, frame = arena.get32(packet + P_FRAME), bytesIn = Buffer.from(step.in_hex, "hex");
    this.#policyStats.count(arena, packet, bytesIn);
    const redirected = verdict === VERDICT_REDIRECT;
    const to = arena.get32(packet + P_TO);
    return {
      verdict: verdict < 0 ? "DROP" : redirected ? "REDIRECT" : verdict === VERDICT_OK ? "OK" : "DROP",
      dropCode: verdict < 0 ? -verdict : null,
      frameHex: Buffer.from(arena.bytes.subarray(frame, frame + arena.get32(packet + P_LEN))).toString("hex"),
      mark: arena.get32(packet + P_MARK),
      redirect: redirected ? this.#redirect(step.node, to) : null,
      tunnelKey: redirected && to === TO_TUNNEL
        ? { vni: arena.get32(packet + P_TUNNEL_VNI), remote: dotted(addressOf(arena.get32(packet + P_TUNNEL_REMOTE))) } : null,
      conntrack: step.ct_after == null ? [] : this.#flows.conntrack(node, NOW),
      nat: step.nat_after == null ? [] : this.#flows.nat(node),
      affinity: step.affinity_after == null ? [] : this.#flows.affinity(node),
      policyVerdict: sentVerdict(arena, packet, bytesIn),
      policyStats: this.#policyStats.rows,
    };
  }

  #redirect(node: LabNodeName, to: number): NonNullable<HookOutcome["redirect"]> {
    const { arena, packet } = this.#memory;
    const dev = deviceName(node, arena.get32(packet + P_TO_IFINDEX));
    switch (to) {
      case TO_NEIGH: return { kind: "bpf_redirect_neigh", dev, nexthop: dotted(addressOf(arena.get32(packet + P_TO_NEXTHOP))) };
      case TO_NEIGH6: return { kind: "bpf_redirect_neigh", dev, nexthop: formatIpv6(getAddress6(arena.view, packet + P_NEXTHOP6)) };
      case TO_DEVICE: return { kind: "bpf_redirect_neigh", dev, nexthop: null };
      case TO_TUNNEL: case TO_ENDPOINT: case TO_SELF: return { kind: "bpf_redirect", dev, nexthop: null };
      case TO_HOST: return { kind: "bpf_redirect", dev: "cilium_host", nexthop: null };
      default: return { kind: `unknown way out ${to}`, dev, nexthop: null };
    }
  }
}

/** Offset of the ports in a step's frame, which is IPv4. */
function l4Start(step: RecordedStep): number { return ETH_LEN + 4 * (Number.parseInt(step.in_hex.slice(2 * ETH_LEN, 2 * ETH_LEN + 2), 16) & 0x0f); }

function nodesOf(name: RecordedMapChange["node"]): readonly LabNodeName[] {
  switch (name) {
    case "src": case "source": return ["src"];
    case "gw": case "gateway": return ["gw"];
    case "both": return LAB_NODES;
  }
}
