// What the engine hands over when a run ends: numbers and indexes, no text. The report, the screen and flows.jsonl are
// made from this and from the tables that the run used.

/** In host order: IPv4 an unsigned 32-bit number, IPv6 a bigint. */
export type Address = number | bigint;

export interface Tally {
  readonly packets: number;
  readonly bytes: number;
}

/** One input file as the reader saw it. */
export interface CaptureSummary {
  readonly name: string;
  /** live: a device. */
  readonly format: "pcap" | "pcapng" | "live";
  readonly compressed: boolean;
  readonly packets: number;
  readonly bytes: number;
  /** Seconds since 1970 with fraction; null for an empty capture. */
  readonly firstTime: number | null;
  readonly lastTime: number | null;
  /** The fault that ended it early, with file and offset; everything before it was processed. */
  readonly fault: string | null;
}

/** Why a packet never entered a hook. */
export type IgnoredReason =
  | "arp" | "lldp" | "ipv6" | "not-ip" | "not-of-the-model" | "too-short" | "link-type" | "other-interface" | "too-long" | "other-mac"
  | "neighbour-discovery";

/** Hook in which a packet ended, in the order a packet meets them. */
export type HookName = "from-container" | "to-netdev" | "from-overlay" | "from-netdev" | "to-container";

export interface DropCount extends Tally {
  /** Cilium's number, e.g. 194. */
  readonly code: number;
  readonly hook: HookName;
  /** Index into the tables' nodes: the node on which it happened. */
  readonly node: number;
  /** Index into the tables' policies, -1 where none was involved. */
  readonly policy: number;
  /** Index into the tables' network policies of the one behind the drop, -1 for none. */
  readonly networkPolicy: number;
  /** Number of the first such packet in the (merged) input, from 1. */
  readonly firstPacket: number;
}

export interface PassedCount extends Tally {
  readonly hook: HookName;
  readonly node: number;
  readonly firstPacket: number;
}

/** Traffic that one policy sent through one gateway with one egress IP; egressIp 0 or 0n where it was dropped for lack of one. */
export interface PolicyUse {
  readonly policy: number;
  readonly gatewayNode: number;
  readonly egressIp: Address;
  readonly flows: number;
  readonly forward: Tally;
  readonly reply: Tally;
}

/** Traffic that left with a node's own address: no policy matched (or an exclusion did) and the node masqueraded it. */
export interface MasqueradeUse {
  readonly node: number;
  readonly sourceIp: Address;
  /** True where a policy's excludedCIDRs sent it here. */
  readonly excluded: boolean;
  readonly flows: number;
  readonly forward: Tally;
  readonly reply: Tally;
}

export type FlowOutcome = "forwarded" | "delivered" | "passed" | "dropped";

/** One flow as its first packet in the pod's direction names it. Ports are 0 for protocols without; ICMP echo has the
 * identifier as source port. */
export interface FlowRecord {
  readonly protocol: number;
  readonly source: Address;
  readonly sourcePort: number;
  readonly destination: Address;
  readonly destinationPort: number;
  /** The tuple as it leaves the cluster; null where it never left or left unchanged. */
  readonly translated: { readonly source: Address; readonly sourcePort: number } | null;
  /** The entry in the services of the destination's family that translated it, and where to; null for none, a backend of null
   * for a service without one. */
  readonly service: { readonly index: number; readonly backend: { readonly address: Address; readonly port: number } | null } | null;
  readonly sourceNode: number;
  readonly gatewayNode: number;
  readonly policy: number;
  readonly excluded: boolean;
  /** Security identity of the pod's side. */
  readonly identity: number;
  readonly opener: "pod" | "outside" | "assumed-pod" | "assumed-outside";
  /** Outcome of the flow's last packet; dropped packets are counted apart. */
  readonly outcome: FlowOutcome;
  readonly forward: Tally;
  readonly reply: Tally;
  readonly dropped: Tally;
  /** Cilium's number of the first drop, 0 for none. */
  readonly dropCode: number;
  /** Index of the network policy behind the first drop, -1 for none. */
  readonly networkPolicy: number;
  readonly firstPacket: number;
  readonly lastPacket: number;
  /** 0 for none. */
  readonly firstDroppedPacket: number;
  readonly firstTime: number;
  readonly lastTime: number;
}

export interface SnatPortUse {
  readonly egressIp: Address;
  readonly node: number;
  readonly remote: Address;
  readonly remotePort: number;
  readonly protocol: number;
  /** Ports taken at the end of the run, of `capacity`. */
  readonly inUse: number;
  readonly capacity: number;
}

/** Replies of a capture taken at the pods, put back into the outside's form and compared at the pod again. */
export interface ReplyCheck {
  readonly restored: number;
  /** Came out as captured but for MAC addresses and TTL. */
  readonly identical: number;
  /** Differ only by a checksum defect that Cilium 1.19 has too. */
  readonly knownDefect: number;
  readonly different: number;
  /** Number of the first packet that differs otherwise, 0 for none. */
  readonly firstDifferent: number;
}

export interface RunResult {
  readonly captures: readonly CaptureSummary[];
  readonly received: Tally;
  readonly forwarded: Tally;
  readonly delivered: Tally;
  readonly passed: Tally;
  readonly dropped: Tally;
  readonly ignored: Tally;
  readonly drops: readonly DropCount[];
  readonly passes: readonly PassedCount[];
  readonly ignoredBy: readonly { readonly reason: IgnoredReason; readonly packets: number; readonly bytes: number }[];
  readonly policyUse: readonly PolicyUse[];
  readonly masqueradeUse: readonly MasqueradeUse[];
  /** Fullest first, at most 32 (what Cilium's nat-stats shows). */
  readonly snatPorts: readonly SnatPortUse[];
  readonly replies: ReplyCheck;
  readonly partialChecksumsCompleted: number;
  readonly oversizedFrames: number;
  readonly snappedFrames: number;
  /** Flows whose opener was decided by --assume-opener. */
  readonly openersAssumed: number;
  /** Same packet seen on several interfaces: what made it look so, 0 for not. */
  readonly repeatedFrames: number;
  readonly flowCount: number;
  /** Flows beyond the flow table's size: their packets are counted, they have no line of their own. */
  readonly flowsNotListed: number;
  /** Packets of flows that found the flow table full. */
  readonly packetsWithoutFlow: number;
  /** Times that a known defect of Cilium 1.19's programs was repeated (docs: observed behaviour). */
  readonly defects: {
    /** Incoming ICMP error about a translated echo: its outer checksum is left wrong. */
    readonly echoErrorChecksum: number;
    /** ICMP error that a pod sends about translated TCP or UDP: its outer checksum stays the old one. */
    readonly podErrorChecksum: number;
    /** IPv6: an error from outside about a translated flow went to the stack, since it was no packet-too-big. */
    readonly errorNotTranslated6: number;
    /** IPv6: a Time Exceeded that a node made went into the tunnel device without a tunnel key. */
    readonly timeExceededLost6: number;
    /** IPv6: a packet-too-big that quotes too little of TCP was dropped (154). */
    readonly shortQuote6: number;
    /** IPv6: a packet-too-big about UDP without checksum, or about SCTP, left with a wrong checksum. */
    readonly quoteChecksum6: number;
    /** IPv6: a packet-too-big that quotes an echo reply was dropped (134). */
    readonly quotedReply6: number;
    /** IPv6: a packet from or to the unspecified address was dropped (184). */
    readonly unspecifiedAddress6: number;
    /** IPv6: an error of a pod was damaged by what another packet left behind. */
    readonly leftoverPort6: number;
  };
  /** Packets that a program turned into an answer of its own: Time Exceeded, neighbour advertisement. */
  readonly answered: number;
  readonly conntrackEntries: number;
  readonly natEntries: number;
  readonly evictions: { readonly conntrack: number; readonly nat: number };
  readonly garbageCollected: number;
  readonly natRetriesOverHalf: number;
  /** True where SIGINT or a fault ended the run before its input did. */
  readonly interrupted: boolean;
  readonly timing: RunTiming;
  /** Absent for a replay. */
  readonly live?: LiveSummary;
}

/** What a live run has beside a replay. */
export interface LiveSummary {
  readonly role: "source" | "gateway" | "both";
  /** Indexes into the tables' nodes: those whose part was played. */
  readonly nodes: readonly number[];
  readonly emission: "udp" | "raw" | "tap";
  readonly sides: readonly { readonly side: "pods" | "outside" | "tunnel"; readonly devices: readonly string[]; readonly received: Tally; readonly sent: Tally }[];
  /** Packets that left the simulated nodes and did not get onto a wire. */
  readonly lost: { readonly queueFull: number; readonly refused: number; readonly unresolved: number; readonly noDevice: number };
  readonly arp: { readonly answered: number; readonly asked: number };
  readonly neighbourDiscovery: { readonly answered: number; readonly asked: number };
  /** Times that manifests took effect, the start included. */
  readonly epochs: number;
  readonly batches: number;
  /** Frames that one worker read and another one's shards own. */
  readonly handedOver: number;
}

/** The only part that differs between two runs of the same input. Seconds. */
export interface RunTiming {
  readonly wall: number;
  /** The main thread: waiting for the input, finding a worker for each packet, putting results in order, writing them, waiting
   * for workers. */
  readonly read: number;
  readonly steer: number;
  readonly order: number;
  readonly write: number;
  readonly idle: number;
  /** The workers, summed: at work in the kernel, and waiting for the main thread. */
  readonly kernel: number;
  readonly workerIdle: number;
  /** Time that 99.9 % of the batches (1,024 packets at most) stayed below. */
  readonly batch999: number;
  readonly packetsPerSecond: number;
  /** Packets that took the way of their flow, learnt from an earlier one; the others were walked through every hook. */
  readonly packetsOnWays: number;
}
