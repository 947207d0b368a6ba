// The documented shape of report.json. Only tests and scripts load zod through this file: the program takes the types.
import * as z from "zod";

const count = z.int().nonnegative();
const seconds = z.number().nonnegative();
const time = z.number().describe("Seconds since 1970-01-01T00:00:00Z with fraction");
const address = z.union([z.ipv4(), z.ipv6()]);
const nodeName = z.string().nullable().describe("Name of the node; null where none was involved");
const policyName = z.string().nullable().describe("Name of the CiliumEgressGatewayPolicy; null where none was involved");
const packetNumber = z.int().positive().describe("Number of the packet in the merged input, from 1");
const hook = z.enum(["from-container", "to-netdev", "from-overlay", "from-netdev", "to-container"]);
const tally = z.strictObject({ packets: count, bytes: count });
const sourceRef = z.strictObject({ file: z.string(), line: z.int().positive(), column: z.int().positive() });
const outputKind = z.enum(["pod", "overlay", "external", "trace", "flows", "state"]);

const portUse = z.strictObject({
  egressIp: address,
  node: nodeName,
  remote: address,
  remotePort: count.max(65535),
  protocol: z.string(),
  inUse: count.describe("Ports towards this remote that are taken at the end of the run"),
  capacity: count,
});

export const reportSchema = z.strictObject({
  schema: z.literal("egwsim-report/1"),
  version: z.string().describe("Version of egwsim that ran"),
  semantics: z.enum(["cilium-1.19", "intent"]),
  options: z.strictObject({
    captures: z.array(z.strictObject({ path: z.string(), point: z.enum(["pod", "node"]) })),
    cluster: z.array(z.string()),
    captureInterface: z.string().nullable(),
    assumeOpener: z.enum(["pod", "outside"]),
    seed: count,
    write: z.array(outputKind),
    tracePackets: count.nullable().describe("Packets that trace.pcapng holds at most; null for all"),
    maxFlows: count,
    stateEntries: count,
  }).describe("What was asked for"),
  interrupted: z.boolean().describe("The run ended before its input did: by a signal, or by a broken capture (then `captures` says which)"),
  cluster: z.strictObject({ files: count, nodes: count, pods: count, policies: count, policiesIgnored: count, policyEntries: count }),
  captures: z.array(z.strictObject({
    name: z.string(),
    format: z.enum(["pcap", "pcapng", "live"]),
    compressed: z.boolean(),
    packets: count,
    bytes: count,
    firstTime: time.nullable(),
    lastTime: time.nullable(),
    fault: z.string().nullable().describe("What was broken, with the offset; everything before it was processed"),
  })),
  outcomes: z.strictObject({
    received: tally,
    forwarded: tally.describe("Left a simulated outside device"),
    delivered: tally.describe("Reached a pod"),
    passed: tally.describe("Handed to a node's host stack"),
    dropped: tally.describe("Ended with one of Cilium's drop numbers"),
    ignored: tally.describe("Never entered a hook"),
  }),
  conservation: z.strictObject({
    holds: z.boolean().describe("received = forwarded + delivered + passed + dropped + ignored, and every total is the sum of its parts"),
    broken: z.array(z.string()),
  }),
  drops: z.array(z.strictObject({
    code: count.describe("Cilium's number"),
    text: z.string().describe("As the agent's metrics spell it"),
    name: z.string().describe("As Hubble spells it"),
    hook, node: nodeName, policy: policyName,
    networkPolicy: z.string().nullable().describe("Kind, namespace and name of the network policy behind it; null where none was"),
    packets: count, bytes: count, firstPacket: packetNumber,
    cure: z.string().describe("What to do about it; empty where nothing useful is known"),
  })),
  passes: z.array(z.strictObject({ hook, node: nodeName, packets: count, bytes: count, firstPacket: packetNumber })),
  ignored: z.array(z.strictObject({
    reason: z.enum(["arp", "lldp", "ipv6", "not-ip", "not-of-the-model", "too-short", "link-type", "other-interface", "too-long", "other-mac", "neighbour-discovery"]),
    packets: count, bytes: count,
  })),
  policies: z.array(z.strictObject({
    name: z.string(),
    at: sourceRef.nullable(),
    accepted: z.boolean().describe("False: the agent ignores the object"),
    used: z.boolean().describe("At least one flow met it"),
  })),
  policyUse: z.array(z.strictObject({
    policy: policyName,
    gateway: nodeName,
    egressIp: address.nullable().describe("null: the traffic was dropped for lack of one"),
    flows: count, forward: tally, reply: tally,
    fullestRemote: portUse.nullable().describe("The remote end towards which most SNAT ports of this egress IP are taken"),
  })),
  services: z.strictObject({
    translation: z.enum(["per-packet", "socket"]).describe("per-packet: by the pods' programs; socket: when a socket connects, so that packets carry the backend's address already"),
    withoutBackend: z.enum(["reject", "drop", "stack"]).describe("What becomes of packets to a service without a backend"),
    objects: count.describe("Services with an address"),
    frontends: count, backends: count,
    untranslatedFlows: count.describe("Listed flows to a service's address that nothing translated: sockets would have been, before the capture"),
    use: z.array(z.strictObject({
      service: z.string(), at: z.string().nullable().describe("file:line:column"), address, port: count.max(65535),
      backend: z.strictObject({ address, port: count.max(65535), pod: z.string().nullable() }).nullable().describe("null: the service has none"),
      flows: count, forward: tally, reply: tally,
    })).describe("Listed flows by service and backend, busiest first, at most 256"),
  }),
  masqueradeUse: z.array(z.strictObject({
    node: nodeName,
    sourceIp: address.nullable(),
    excluded: z.boolean().describe("True: excludedCIDRs of a policy sent it here; false: no policy matched"),
    flows: count, forward: tally, reply: tally,
  })).describe("Traffic that left with a node's own address"),
  snatPorts: z.array(portUse).describe("Fullest first, at most 32"),
  replies: z.strictObject({
    restored: count.describe("Replies of a capture taken at the pods that were put back into the outside's form"),
    identical: count.describe("Came out at the pod as captured, but for MAC addresses and TTL"),
    knownDefect: count.describe("Differ by a checksum defect that Cilium 1.19 has too"),
    different: count,
    firstDifferent: packetNumber.nullable(),
  }),
  frames: z.strictObject({
    partialChecksumsCompleted: count,
    oversized: count.describe("Larger than the MTU: offloaded in the recording host"),
    snapped: count.describe("Captured only in part"),
    repeated: count.describe("Seen on several interfaces of the recording host"),
  }),
  flows: z.strictObject({
    total: count,
    listed: count.describe("Flows with a record of their own, which are the lines of flows.jsonl"),
    notListed: count,
    packetsWithoutFlow: count.describe("Packets of flows that found the flow table full"),
    openersAssumed: count,
    byOutcome: z.strictObject({ forwarded: count, delivered: count, passed: count, dropped: count })
      .describe("Listed flows by the outcome of their last packet"),
    withDrops: count.describe("Listed flows of which at least one packet was dropped"),
  }),
  answered: count.describe("Packets that a program turned into an answer of its own: ICMPv6 Time Exceeded, neighbour advertisements"),
  defects: z.strictObject({
    echoErrorChecksum: count.describe("Incoming ICMP errors about a translated echo, left with a wrong outer checksum as Cilium 1.19 does"),
    podErrorChecksum: count.describe("ICMP errors of pods about translated TCP or UDP that kept their old outer checksum, as in Cilium 1.19"),
    errorNotTranslated6: count.describe("ICMPv6 errors from outside about translated flows that went to the node's stack: 1.19 translates packet-too-big only"),
    timeExceededLost6: count.describe("ICMPv6 Time Exceeded of a node that went into the tunnel device without a tunnel key"),
    shortQuote6: count.describe("ICMPv6 packet-too-big dropped (154), since they quote too little of TCP"),
    quoteChecksum6: count.describe("ICMPv6 packet-too-big about UDP without checksum or SCTP, left with a wrong checksum"),
    quotedReply6: count.describe("ICMPv6 packet-too-big dropped (134), since they quote an echo reply"),
    unspecifiedAddress6: count.describe("IPv6 packets from or to the unspecified address, dropped (184)"),
    leftoverPort6: count.describe("ICMPv6 errors of pods damaged by what another packet left behind; 0 as long as replay takes the clean case"),
  }),
  maps: z.strictObject({
    conntrackEntries: count,
    natEntries: count,
    conntrackEvicted: count,
    natEvicted: count,
    garbageCollected: count,
    natRetriesOverHalf: count.describe("Port searches that took more than 16 of the 32 tries"),
  }),
  findings: z.array(z.strictObject({
    rule: z.string(), severity: z.enum(["error", "warning", "info"]), object: z.string(), at: sourceRef.nullable(),
    message: z.string(), effect: z.string(), fix: z.string(),
  })),
  assumptions: z.array(z.strictObject({ rule: z.string(), message: z.string(), count })),
  ignoredKinds: z.array(z.strictObject({ kind: z.string(), count, firstAt: sourceRef })),
  live: z.strictObject({
    role: z.enum(["source", "gateway", "both"]),
    nodes: z.array(z.string()).describe("Nodes whose part was played"),
    emission: z.enum(["udp", "raw", "tap"]).describe("How encapsulated packets left"),
    sides: z.array(z.strictObject({ side: z.enum(["pods", "outside", "tunnel"]), devices: z.array(z.string()), received: tally, sent: tally })),
    lost: z.strictObject({
      queueFull: count.describe("The device's queue was full"),
      refused: count.describe("The kernel refused them"),
      unresolved: count.describe("The neighbour did not answer ARP or neighbour discovery"),
      noDevice: count.describe("There is no device on that side"),
    }).describe("Packets that left the simulated nodes and did not get onto a wire"),
    arp: z.strictObject({ answered: count, asked: count }),
    neighbourDiscovery: z.strictObject({ answered: count, asked: count }).describe("IPv6, beside what the programs answer themselves"),
    epochs: count.describe("Times that manifests took effect, the start included"),
    batches: count,
    handedOver: count.describe("Frames that one worker read and another one processed, which has their flow"),
  }).optional().describe("egwsim tap only"),
  files: z.array(z.string()).describe("Written into --out, report.json included"),
  timing: z.strictObject({
    kernel: z.enum(["ts", "wasm"]),
    workers: z.int().positive(),
    node: z.string().describe("Version of Node.js"),
    wallSeconds: seconds,
    readSeconds: seconds.describe("Main thread: waiting for the input"),
    steerSeconds: seconds.describe("Main thread: finding a worker for each packet"),
    orderSeconds: seconds.describe("Main thread: putting what the workers wrote in order"),
    writeSeconds: seconds.describe("Main thread: writing it"),
    idleSeconds: seconds.describe("Main thread: waiting for workers"),
    kernelSeconds: seconds.describe("Workers, summed: at work"),
    workerIdleSeconds: seconds.describe("Workers, summed: waiting for the main thread"),
    batchSeconds999: seconds.describe("What 99.9 % of the batches stayed below"),
    packetsPerSecond: z.number().nonnegative(),
    packetsOnWays: z.int().nonnegative().describe("Packets that took the known way of their flow instead of a walk through every hook"),
  }).describe("The only part that differs between two runs of the same input with the same options"),
}).describe("report.json of egwsim replay");

export type Report = z.infer<typeof reportSchema>;
export type ReportPortUse = z.infer<typeof portUse>;
