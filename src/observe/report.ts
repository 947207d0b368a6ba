import type { Assumption, Finding, IgnoredKind } from "../cluster/finding.ts";
import type { SourceRef } from "../cluster/source.ts";
import type { DatapathTables } from "../control/tables.ts";
import { brokenSums } from "./conservation.ts";
import { dropCure } from "./drop-cures.ts";
import { dropReason } from "./drop-reasons.ts";
import type { FlowTotals } from "./flow-totals.ts";
import { formatAddress, formatAddressOrNull, formatProtocol } from "./ip-text.ts";
import { printableJson } from "./printable.ts";
import type { Report, ReportPortUse } from "./report-shape.ts";
import type { Address, LiveSummary, RunResult, SnatPortUse, Tally } from "./run-result.ts";
import { reportServices } from "./service-lines.ts";
import { tableNames, type TableNames } from "./table-names.ts";

/** Everything that a report is made of. */
export interface ReportInput {
  readonly version: string;
  readonly semantics: Report["semantics"];
  readonly options: Report["options"];
  readonly tables: DatapathTables;
  readonly clusterFileCount: number;
  readonly result: RunResult;
  readonly flowTotals: FlowTotals;
  readonly findings: readonly Finding[];
  readonly assumptions: readonly Assumption[];
  readonly ignoredKinds: readonly IgnoredKind[];
  readonly files: readonly string[];
  readonly kernel: "ts" | "wasm";
  readonly workers: number;
  readonly nodeVersion: string;
}

const tally = ({ packets, bytes }: Tally): { packets: number; bytes: number } => ({ packets, bytes });
const place = (at: SourceRef | null): SourceRef | null => at && { file: at.file, line: at.line, column: at.column };
const packetOrNull = (packet: number): number | null => (packet === 0 ? null : packet);

/** IPv4 before IPv6, as numbers within a family. */
function byAddress(a: Address, b: Address): number {
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function portUse(use: SnatPortUse, names: TableNames): ReportPortUse {
  return {
    egressIp: formatAddress(use.egressIp), node: names.node(use.node), remote: formatAddress(use.remote), remotePort: use.remotePort,
    protocol: formatProtocol(use.protocol), inUse: use.inUse, capacity: use.capacity,
  };
}

function drops(result: RunResult, names: TableNames): Report["drops"] {
  return [...result.drops]
    .sort((a, b) => b.packets - a.packets || a.firstPacket - b.firstPacket)
    .map((drop) => {
      const { code, text, name } = dropReason(drop.code);
      const node = names.node(drop.node), policy = names.policy(drop.policy), networkPolicy = names.networkPolicy(drop.networkPolicy);
      return {
        code, text, name, hook: drop.hook, node, policy, networkPolicy, ...tally(drop), firstPacket: drop.firstPacket,
        cure: dropCure(code, { node, policy, networkPolicy }),
      };
    });
}

function policyUse(result: RunResult, names: TableNames): Report["policyUse"] {
  return [...result.policyUse]
    .sort((a, b) => b.forward.packets - a.forward.packets || a.policy - b.policy || a.gatewayNode - b.gatewayNode || byAddress(a.egressIp, b.egressIp))
    .map((use) => {
      const fullest = result.snatPorts.find((ports) => ports.egressIp === use.egressIp && ports.node === use.gatewayNode);
      return {
        policy: names.policy(use.policy), gateway: names.node(use.gatewayNode), egressIp: formatAddressOrNull(use.egressIp),
        flows: use.flows, forward: tally(use.forward), reply: tally(use.reply),
        fullestRemote: fullest === undefined ? null : portUse(fullest, names),
      };
    });
}

function clusterCounts(input: ReportInput): Report["cluster"] {
  const { tables } = input;
  const pods = new Set<string>();
  // A pod with an address of either family is one pod.
  for (const node of tables.nodes) for (const { host, label } of [...node.endpoints, ...node.endpoints6]) if (!host) pods.add(label);
  return {
    files: input.clusterFileCount, nodes: tables.nodes.length, pods: pods.size, policies: tables.policies.length,
    policiesIgnored: tables.policies.filter((policy) => !policy.accepted).length, policyEntries: tables.policyEntries.length + tables.policyEntries6.length,
  };
}

function livePart(live: LiveSummary, names: TableNames): Report["live"] {
  return {
    role: live.role, nodes: live.nodes.map((node) => names.node(node) ?? ""), emission: live.emission,
    sides: live.sides.map(({ side, devices, received, sent }) => ({ side, devices: [...devices], received: tally(received), sent: tally(sent) })),
    lost: { ...live.lost }, arp: { ...live.arp }, neighbourDiscovery: { ...live.neighbourDiscovery }, epochs: live.epochs, batches: live.batches,
    handedOver: live.handedOver,
  };
}

/** The report of a run; keys always in the same order, `timing` last and the only part that differs between runs. */
export function buildReport(input: ReportInput): Report {
  const { result, tables } = input;
  const names = tableNames(tables);
  const broken = brokenSums(result);
  const usedPolicies = new Set([...input.flowTotals.policies, ...[...result.policyUse, ...result.drops].map((use) => use.policy)]);
  return {
    schema: "egwsim-report/1",
    version: input.version,
    semantics: input.semantics,
    options: input.options,
    interrupted: result.interrupted,
    cluster: clusterCounts(input),
    captures: result.captures.map(({ name, format, compressed, packets, bytes, firstTime, lastTime, fault }) =>
      ({ name, format, compressed, packets, bytes, firstTime, lastTime, fault })),
    outcomes: {
      received: tally(result.received), forwarded: tally(result.forwarded), delivered: tally(result.delivered),
      passed: tally(result.passed), dropped: tally(result.dropped), ignored: tally(result.ignored),
    },
    conservation: { holds: broken.length === 0, broken },
    drops: drops(result, names),
    passes: [...result.passes]
      .sort((a, b) => b.packets - a.packets || a.firstPacket - b.firstPacket)
      .map((pass) => ({ hook: pass.hook, node: names.node(pass.node), ...tally(pass), firstPacket: pass.firstPacket })),
    ignored: [...result.ignoredBy]
      .sort((a, b) => b.packets - a.packets || (a.reason < b.reason ? -1 : 1))
      .map((ignored) => ({ reason: ignored.reason, ...tally(ignored) })),
    policies: tables.policies.map((policy, index) =>
      ({ name: policy.name, at: place(policy.at), accepted: policy.accepted, used: usedPolicies.has(index) })),
    policyUse: policyUse(result, names),
    services: reportServices(tables, input.flowTotals.serviceUse, input.flowTotals.untranslatedServiceFlows, names),
    masqueradeUse: [...result.masqueradeUse]
      .sort((a, b) => b.forward.packets - a.forward.packets || a.node - b.node || byAddress(a.sourceIp, b.sourceIp))
      .map((use) => ({
        node: names.node(use.node), sourceIp: formatAddressOrNull(use.sourceIp), excluded: use.excluded,
        flows: use.flows, forward: tally(use.forward), reply: tally(use.reply),
      })),
    snatPorts: result.snatPorts.map((use) => portUse(use, names)),
    replies: {
      restored: result.replies.restored, identical: result.replies.identical, knownDefect: result.replies.knownDefect,
      different: result.replies.different, firstDifferent: packetOrNull(result.replies.firstDifferent),
    },
    frames: {
      partialChecksumsCompleted: result.partialChecksumsCompleted, oversized: result.oversizedFrames,
      snapped: result.snappedFrames, repeated: result.repeatedFrames,
    },
    flows: {
      total: result.flowCount, listed: input.flowTotals.listed, notListed: result.flowsNotListed, packetsWithoutFlow: result.packetsWithoutFlow,
      openersAssumed: result.openersAssumed, byOutcome: { ...input.flowTotals.byOutcome }, withDrops: input.flowTotals.withDrops,
    },
    answered: result.answered,
    defects: { ...result.defects },
    maps: {
      conntrackEntries: result.conntrackEntries, natEntries: result.natEntries, conntrackEvicted: result.evictions.conntrack,
      natEvicted: result.evictions.nat, garbageCollected: result.garbageCollected, natRetriesOverHalf: result.natRetriesOverHalf,
    },
    findings: input.findings.map(({ rule, severity, object, at, message, effect, fix }) =>
      ({ rule, severity, object, at: place(at), message, effect, fix })),
    assumptions: input.assumptions.map(({ rule, message, count }) => ({ rule, message, count })),
    ignoredKinds: input.ignoredKinds.map(({ kind, count, firstAt }) => ({
      kind, count, firstAt: { file: firstAt.file, line: firstAt.line, column: firstAt.column },
    })),
    ...(result.live === undefined ? {} : { live: livePart(result.live, names) }),
    files: [...input.files],
    timing: {
      kernel: input.kernel, workers: input.workers, node: input.nodeVersion,
      wallSeconds: result.timing.wall, readSeconds: result.timing.read, steerSeconds: result.timing.steer, orderSeconds: result.timing.order,
      writeSeconds: result.timing.write, idleSeconds: result.timing.idle, kernelSeconds: result.timing.kernel, workerIdleSeconds: result.timing.workerIdle,
      batchSeconds999: result.timing.batch999, packetsPerSecond: result.timing.packetsPerSecond, packetsOnWays: result.timing.packetsOnWays,
    },
  };
}

/** What report.json holds and `--format json` prints. */
export function reportJson(report: Report): string {
  return printableJson(`${JSON.stringify(report, null, 2)}\n`);
}
