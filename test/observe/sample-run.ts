// A made-up cluster and run whose numbers add up, in the shape of a real Monday: two policies that work, one without a
// gateway, one without an egress IP, one that the agent ignores and one that nothing meets.
import type { Finding } from "../../src/cluster/finding.ts";
import { NO_NETWORK_POLICY } from "../../src/control/network-policy/network-policy-tables.ts";
import { type DatapathTables, NO_SERVICES, type NodeTable, type Prefix } from "../../src/control/tables.ts";
import type { ReportInput } from "../../src/observe/report.ts";
import type { FlowRecord, RunResult } from "../../src/observe/run-result.ts";

export const ip = (text: string): number => text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);

const prefix = (text: string): Prefix => {
  const [address = "", bits = "32"] = text.split("/");
  return { address: ip(address), bits: Number(bits) };
};

const NO_MAC = [0, 0, 0, 0, 0, 0];

function node(name: string, address: string, podCidr: string, pods: readonly (readonly [name: string, address: string])[]): NodeTable {
  return {
    name, address: ip(address), podCidrs: [prefix(podCidr)],
    devices: [{ name: "eth0", ifindex: 2, mac: NO_MAC, mtu: 1500, addresses: [prefix(`${address}/24`)], masqueradeIp: ip(address), addresses6: [], masqueradeIp6: 0n }],
    routes: [], rules: [], snatExclusion: prefix("10.244.0.0/16"), address6: 0n, podCidrs6: [], routes6: [], rules6: [],
    endpoints6: [], snatExclusion6: null, routerAddress6: 0n, serviceLoopback4: ip("169.254.42.1"), serviceLoopback6: 0n,
    endpoints: [
      { address: ip(address), identity: 1, endpointId: 1, ifindex: 2, host: true, mac: NO_MAC, nodeMac: NO_MAC, label: name },
      ...pods.map(([label, podAddress], index) =>
        ({ address: ip(podAddress), identity: 20001 + index, endpointId: 10 + index, ifindex: 10 + index, host: false, mac: NO_MAC, nodeMac: NO_MAC, label })),
    ],
  };
}

const at = (file: string, line: number, column: number) => ({ file, line, column });

export const TABLES: DatapathTables = {
  config: {
    tunnelProtocol: "vxlan", tunnelPort: 8472, routingMode: "tunnel", hostRouting: "bpf", egressGateway: true, ipv4: true, ipv6: false,
    ipv4Masquerade: true, ipv6Masquerade: true, nativeRoutingCidr6: null, nonMasqueradeCidrs6: [], nativeRoutingCidr: null, ipMasqAgent: false, nonMasqueradeCidrs: [], remoteNodeMasquerade: false, fragmentTracking: true, fragmentTracking6: true, sctp: false,
    conntrackAccounting: true, sourceIpVerification: true, snatMinPort: 32768, snatMaxPort: 65535, ctLifetimeTcp: 8000, ctLifetimeTcpSyn: 60,
    ctLifetimeTcpFin: 10, ctLifetimeNonTcp: 60, policyMapMax: 16384, ctMapTcpMax: 524288, ctMapAnyMax: 262144, natMapMax: 524288,
    fragmentsMapMax: 8192, worldIdentity: 2, worldIdentity6: 2,
  },
  nodes: [
    node("worker-1", "10.0.1.11", "10.244.1.0/24", [["production/pay-1", "10.244.1.10"], ["production/pay-2", "10.244.1.11"]]),
    node("worker-2", "10.0.1.12", "10.244.2.0/24", [["analytics/loader-1", "10.244.2.20"]]),
    node("gateway-node-1", "10.0.1.5", "10.244.3.0/24", []),
  ],
  ipcache: [],
  policies: [
    { name: "payment-egress", at: at("policies/pay.yaml", 9, 3), accepted: true },
    { name: "production-ns", at: at("policies/ns.yaml", 4, 3), accepted: true },
    { name: "aws-services-egress", at: at("policies/aws.yaml", 4, 3), accepted: true },
    { name: "analytics-egress", at: at("policies/analytics.yaml", 4, 3), accepted: true },
    { name: "external-api-egress", at: at("policies/basic.yaml", 12, 3), accepted: false },
    { name: "staging-egress", at: at("policies/staging.yaml", 4, 3), accepted: true },
  ],
  policyEntries: [
    { source: ip("10.244.1.10"), destination: prefix("35.190.247.0/24"), gatewayIp: ip("10.0.1.5"), egressIp: ip("10.0.1.100"), gatewayNode: 2, policy: 0 },
  ],
  ipcache6: [],
  policyEntries6: [],
  networkPolicy: NO_NETWORK_POLICY,
  services: NO_SERVICES,
};

export const FINDINGS: readonly Finding[] = [
  {
    rule: "policy-ignored", severity: "warning", object: "CiliumEgressGatewayPolicy external-api-egress", at: at("policies/basic.yaml", 12, 3),
    message: "external-api-egress sets both interface and egressIP", effect: "the agent ignores the policy", fix: "remove one of the two",
  },
];

/** A run without anything to report: one capture, every packet forwarded or delivered. */
export const QUIET_RUN: RunResult = {
  captures: [{ name: "quiet.pcap", format: "pcap", compressed: false, packets: 10, bytes: 1000, firstTime: 1764000000, lastTime: 1764000000.5, fault: null }],
  received: { packets: 10, bytes: 1000 }, forwarded: { packets: 6, bytes: 600 }, delivered: { packets: 4, bytes: 400 },
  passed: { packets: 0, bytes: 0 }, dropped: { packets: 0, bytes: 0 }, ignored: { packets: 0, bytes: 0 },
  drops: [], passes: [], ignoredBy: [],
  policyUse: [{ policy: 0, gatewayNode: 2, egressIp: ip("10.0.1.100"), flows: 1, forward: { packets: 6, bytes: 600 }, reply: { packets: 4, bytes: 400 } }],
  masqueradeUse: [], snatPorts: [],
  replies: { restored: 4, identical: 4, knownDefect: 0, different: 0, firstDifferent: 0 },
  partialChecksumsCompleted: 0, oversizedFrames: 0, snappedFrames: 0, openersAssumed: 0, repeatedFrames: 0, flowCount: 1, flowsNotListed: 0, packetsWithoutFlow: 0, answered: 0,
  defects: {
    echoErrorChecksum: 0, podErrorChecksum: 0, errorNotTranslated6: 0, timeExceededLost6: 0, shortQuote6: 0, quoteChecksum6: 0, quotedReply6: 0, unspecifiedAddress6: 0,
    leftoverPort6: 0,
  },
  conntrackEntries: 2, natEntries: 2, evictions: { conntrack: 0, nat: 0 }, garbageCollected: 0, natRetriesOverHalf: 0, interrupted: false,
  timing: { wall: 0.0312, read: 0.004, steer: 0.006, order: 0.001, write: 0.003, idle: 0.002, kernel: 0.012, workerIdle: 0.01, batch999: 0.002, packetsPerSecond: 320.5, packetsOnWays: 3 },
};

export const MONDAY_RUN: RunResult = {
  ...QUIET_RUN,
  captures: [{
    name: "monday.pcap", format: "pcapng", compressed: true, packets: 1204881, bytes: 812345678, firstTime: 1764000000.25, lastTime: 1764000061.45, fault: null,
  }],
  received: { packets: 1204881, bytes: 812345678 }, forwarded: { packets: 1001330, bytes: 700000000 }, delivered: { packets: 198402, bytes: 112000000 },
  passed: { packets: 112, bytes: 11200 }, dropped: { packets: 4975, bytes: 330000 }, ignored: { packets: 62, bytes: 4478 },
  drops: [
    { code: 137, hook: "from-container", node: 1, policy: -1, networkPolicy: -1, firstPacket: 88211, packets: 12, bytes: 720 },
    { code: 194, hook: "to-netdev", node: 0, policy: 2, networkPolicy: -1, firstPacket: 4101, packets: 4000, bytes: 270000 },
    { code: 194, hook: "to-netdev", node: 1, policy: 2, networkPolicy: -1, firstPacket: 977, packets: 102, bytes: 8000 },
    { code: 204, hook: "from-overlay", node: 2, policy: 3, networkPolicy: -1, firstPacket: 51200, packets: 861, bytes: 51280 },
  ],
  passes: [{ hook: "from-netdev", node: 2, firstPacket: 300, packets: 112, bytes: 11200 }],
  ignoredBy: [{ reason: "lldp", packets: 22, bytes: 2000 }, { reason: "arp", packets: 40, bytes: 2478 }],
  policyUse: [
    { policy: 1, gatewayNode: 2, egressIp: ip("10.0.1.100"), flows: 7441, forward: { packets: 100118, bytes: 60000000 }, reply: { packets: 20000, bytes: 9000000 } },
    { policy: 0, gatewayNode: 2, egressIp: ip("10.0.1.100"), flows: 30022, forward: { packets: 700204, bytes: 500000000 }, reply: { packets: 111000, bytes: 90000000 } },
    { policy: 3, gatewayNode: 2, egressIp: 0, flows: 96, forward: { packets: 0, bytes: 0 }, reply: { packets: 0, bytes: 0 } },
  ],
  masqueradeUse: [
    { node: 0, sourceIp: ip("10.0.1.11"), excluded: false, flows: 4000, forward: { packets: 50000, bytes: 30000000 }, reply: { packets: 8, bytes: 800 } },
    { node: 1, sourceIp: ip("10.0.1.12"), excluded: false, flows: 414, forward: { packets: 20000, bytes: 10000000 }, reply: { packets: 0, bytes: 0 } },
    { node: 0, sourceIp: ip("10.0.1.11"), excluded: true, flows: 20, forward: { packets: 200, bytes: 20000 }, reply: { packets: 180, bytes: 90000 } },
  ],
  snatPorts: [{ egressIp: ip("10.0.1.100"), node: 2, remote: ip("35.190.247.9"), remotePort: 443, protocol: 6, inUse: 622, capacity: 32768 }],
  replies: { restored: 131188, identical: 131170, knownDefect: 18, different: 0, firstDifferent: 0 },
  partialChecksumsCompleted: 3021, oversizedFrames: 14, snappedFrames: 5, openersAssumed: 7, flowCount: 48120,
  conntrackEntries: 96240, natEntries: 83754, garbageCollected: 1200, natRetriesOverHalf: 1,
  timing: { wall: 0.4123, read: 0.04, steer: 0.06, order: 0.05, write: 0.15, idle: 0.01, kernel: 0.6, workerIdle: 0.2, batch999: 0.004, packetsPerSecond: 2922340.1, packetsOnWays: 1000000 },
};

export const FLOW: FlowRecord = {
  protocol: 6, source: ip("10.244.1.10"), sourcePort: 43210, destination: ip("35.190.247.9"), destinationPort: 443,
  translated: { source: ip("10.0.1.100"), sourcePort: 43210 }, service: null, sourceNode: 0, gatewayNode: 2, policy: 0, excluded: false, identity: 20001,
  opener: "pod", outcome: "delivered", forward: { packets: 6, bytes: 600 }, reply: { packets: 4, bytes: 400 }, dropped: { packets: 0, bytes: 0 },
  dropCode: 0, networkPolicy: -1, firstPacket: 1, lastPacket: 10, firstDroppedPacket: 0, firstTime: 1764000000, lastTime: 1764000000.5,
};

export function reportInput(result: RunResult, changes: Partial<ReportInput> = {}): ReportInput {
  return {
    version: "0.1.0", semantics: "cilium-1.19",
    options: {
      captures: result.captures.map(({ name }) => ({ path: name, point: "pod" })), cluster: ["./cluster"], captureInterface: null,
      assumeOpener: "pod", seed: 1, write: ["pod", "overlay", "external", "trace", "flows", "state"], tracePackets: 10000, maxFlows: 1000000, stateEntries: 100000,
    },
    tables: TABLES, clusterFileCount: 7, result,
    flowTotals: { listed: result.flowCount, byOutcome: { forwarded: 0, delivered: result.flowCount, passed: 0, dropped: 0 }, withDrops: 0, policies: new Set(), serviceUse: [], untranslatedServiceFlows: 0 },
    findings: [], assumptions: [], ignoredKinds: [], files: ["pod.pcap", "flows.jsonl", "report.json"], kernel: "wasm", workers: 2, nodeVersion: "v20.20.2",
    ...changes,
  };
}
