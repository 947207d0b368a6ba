// Offsets of what the engine hands the pipeline: the context of a worker and the descriptor of a packet.

// ── Context ──────────────────────────────────────────────────────────────────────────────────────────────────────────
/** The packet structure that this worker reuses. */
export const X_PACKET: i32 = 0;
/** Array of node addresses, by index; array of shard addresses, by number. */
export const X_NODES: i32 = 4;
export const X_SHARDS: i32 = 8;
/** Static hash of the cluster's addresses (A_…). */
export const X_ADDRESSES: i32 = 12;
/** OUT-stream cursors: next free byte of each stream, STREAM_… words. */
export const X_CURSORS: i32 = 16;
/** STREAMS bits: which streams are written. */
export const X_WRITE: i32 = 32;
/** Packets up to this number (f64) are traced. */
export const X_TRACE_UNTIL: i32 = 40;
/** XO_… bits. */
export const X_OPTIONS: i32 = 48;
/** Room for one frame and its headers: what a reply looked like when captured. */
export const X_SAVED: i32 = 52;
/** Room for a frame of the pipeline's own making. */
export const X_MADE: i32 = 56;
/** Totals (f64 pairs packets, bytes) by OUT_… outcome. */
export const X_TOTALS: i32 = 60;
/** Counters of policy use and of masquerading, U_SIZE each. */
export const X_USE: i32 = 64;
export const X_MASQUERADE: i32 = 68;
/** Growing table of tallies (TL_…). */
export const X_TALLIES: i32 = 72;
/** Plain counters (f64), N… below. */
export const X_NOTES: i32 = 76;
export const X_NODE_COUNT: i32 = 80;
/** End of each stream's block, STREAM_… words; a record that does not fit any more is left out. */
export const X_LIMITS: i32 = 84;
/** Static hash of the cluster's IPv6 addresses (A_…, the key behind), and counters of masquerading IPv6. */
export const X_ADDRESSES6: i32 = 100;
export const X_MASQUERADE6: i32 = 104;
/** EXIT_… of the packet under way. */
export const X_EXIT: i32 = 108;
/** Routes of tunnels (layout-way.ts), a growing table; room for the sketch of a walk, 0: every packet is walked. */
export const X_ROUTES: i32 = 112;
export const X_SKETCH: i32 = 116;
/** What fetch-ahead.ts has loaded; nobody reads it. */
export const X_FETCHED: i32 = 120;
/** Live: the IPv6 next hop that the packet under way was last handed to, 16 bytes; zeroes for none, or a simulated node. */
export const X_NEXTHOP6: i32 = 128;
export const X_SIZE: i32 = 144;

export const STREAM_POD: i32 = 0;
export const STREAM_OVERLAY: i32 = 1;
export const STREAM_EXTERNAL: i32 = 2;
export const STREAM_TRACE: i32 = 3;
export const STREAM_COUNT: i32 = 4;

export const XO_ASSUME_OUTSIDE: i32 = 1;
/** Packets come from live devices: what was not seen did not happen, and nothing is made up for it. */
export const XO_LIVE: i32 = 2;
/** Bytes behind a live frame by which an answer that a program makes of it may be longer: at most 72 (deny-response.ts). */
export const LIVE_GROWTH: i32 = 96;

// ── Cluster address (slot of X_ADDRESSES) ────────────────────────────────────────────────────────────────────────────
export const A_ADDRESS: i32 = 0;
/** Index of the owning node plus one (the slot's used word). */
export const A_NODE: i32 = 4;
/** 1 a pod, 2 the node's own address, 3 a further address of the node. */
export const A_KIND: i32 = 8;
/** Device and MAC that frames to this address arrive at. */
export const A_IFINDEX: i32 = 12;
export const A_MAC: i32 = 16;
export const A_SIZE: i32 = 24;
/** With an IPv6 address as key in the slot's last 16 bytes; A_ADDRESS stays 0. */
export const A6_SIZE: i32 = 40;
export const A_POD: i32 = 1;
export const A_FURTHER: i32 = 3;

// ── Descriptor of one packet ─────────────────────────────────────────────────────────────────────────────────────────
export const B_FRAME: i32 = 0;
export const B_LEN: i32 = 4;
export const B_WIRE_LEN: i32 = 8;
export const B_SEC: i32 = 12;
export const B_NSEC: i32 = 16;
export const B_SEQ_LO: i32 = 20;
export const B_SEQ_HI: i32 = 24;
/** ENTRY_…, and the node at which it enters. */
export const B_ENTRY: i32 = 28;
export const B_NODE: i32 = 32;
export const B_SHARD: i32 = 36;
/** Seconds on the datapath's clock. */
export const B_NOW: i32 = 40;
/** Tunnel metadata of ENTRY_OVERLAY. */
export const B_VNI: i32 = 44;
export const B_REMOTE: i32 = 48;
/** Out: bytes written to each stream, in STREAM_… order, and the outcome. */
export const B_WROTE: i32 = 52;
export const B_OUTCOME: i32 = 68;
/** Out: EXIT_…; B_FRAME and B_LEN then tell of the frame as it left. */
export const B_EXIT: i32 = 72;
/** Out, live, EXIT_DEVICE: X_NEXTHOP6, in the place of B_SHARD to B_REMOTE, which have been read. */
export const B_NEXTHOP6: i32 = 36;
export const B_SIZE: i32 = 76;

/** Where a forwarded or delivered packet left the simulated nodes: at a pod, by a device, or into the tunnel to a node that is
 * none of them (its encapsulated form is the last record in the overlay stream). 0: nowhere. */
export const EXIT_POD: i32 = 1;
export const EXIT_DEVICE: i32 = 2;
export const EXIT_TUNNEL: i32 = 3;

/** Sent by a pod. */
export const ENTRY_POD: i32 = 1;
/** On its way to a pod, captured there in its final form. */
export const ENTRY_REPLY: i32 = 2;
/** Arrives at a node's device. */
export const ENTRY_NETDEV: i32 = 3;
/** Comes out of the tunnel on a node. */
export const ENTRY_OVERLAY: i32 = 4;
/** Sent by a node itself. */
export const ENTRY_HOST: i32 = 5;

// ── Counters ─────────────────────────────────────────────────────────────────────────────────────────────────────────
export const U_FWD_PACKETS: i32 = 0;
export const U_FWD_BYTES: i32 = 8;
export const U_REPLY_PACKETS: i32 = 16;
export const U_REPLY_BYTES: i32 = 24;
export const U_FLOWS: i32 = 32;
export const U_SIZE: i32 = 40;

/** Tally: key (kind<<16 | hook<<8 | drop number, node, policy, index of the network policy that denied + 1 or 0). */
export const TL_PACKETS: i32 = 24;
export const TL_BYTES: i32 = 32;
export const TL_FIRST: i32 = 40;
export const TL_STRIDE: i32 = 48;
export const TL_DROP: i32 = 1;
export const TL_PASS: i32 = 2;
export const TALLY_CAPACITY: i32 = 65536;

// Plain counters, index of the f64 in X_NOTES.
export const NC_PARTIAL_CSUM: i32 = 0;
export const NC_OVERSIZED: i32 = 1;
export const NC_SNAPPED: i32 = 2;
export const NC_OPENERS_ASSUMED: i32 = 3;
export const NC_PACKETS_WITHOUT_FLOW: i32 = 4;
export const NC_REPLY_RESTORED: i32 = 5;
export const NC_REPLY_IDENTICAL: i32 = 6;
export const NC_REPLY_DEFECT: i32 = 7;
export const NC_REPLY_DIFFERENT: i32 = 8;
/** Number of the first reply that differs, 0 for none. */
export const NC_REPLY_FIRST_DIFFERENT: i32 = 9;
export const NC_NAT_RETRIES: i32 = 10;
export const NC_DEFECT_ECHO: i32 = 11;
export const NC_DEFECT_POD_ERROR: i32 = 12;
/** Packets that a program turned into an answer of its own. */
export const NC_ANSWERED: i32 = 13;
/** Counters of NOTE_DEFECT6_…, in the order of their bits. */
export const NC_DEFECT6: i32 = 14;
export const DEFECTS6: i32 = 7;
/** Packets whose flow's way was known (way.ts). */
export const NC_ON_WAY: i32 = 21;
export const NC_COUNT: i32 = 22;

/** Maps that are counted apart, by node: conntrack of TCP, of anything else, NAT; the same of IPv6. */
export const QUOTA_MAPS: i32 = 6;
export const QUOTA_MAPS_OF_FAMILY: i32 = 3;
/** Conntrack maps that garbage is collected from, by node: of anything but TCP, of TCP; the same of IPv6. */
export const GARBAGE_MAPS: i32 = 4;

// ── Hooks, as tallies and traces name them ───────────────────────────────────────────────────────────────────────────
export const HOOK_FROM_CONTAINER: i32 = 0;
export const HOOK_TO_NETDEV: i32 = 1;
export const HOOK_FROM_OVERLAY: i32 = 2;
export const HOOK_FROM_NETDEV: i32 = 3;
export const HOOK_TO_CONTAINER: i32 = 4;

// ── Trace record: a pcap record header, then this, then the frame ────────────────────────────────────────────────────
export const TR_SEC: i32 = 0;
export const TR_NSEC: i32 = 4;
export const TR_LEN: i32 = 8;
export const TR_WIRE_LEN: i32 = 12;
export const TR_HOOK: i32 = 16;
export const TR_NODE: i32 = 20;
export const TR_VERDICT: i32 = 24;
/** Index of the policy, -1 for none. */
export const TR_POLICY: i32 = 28;
export const TR_TO: i32 = 32;
/** Family of the address in TR_NAT_ADDR: 4, 6, or 0 where nothing was translated. */
export const TR_NAT_FAMILY: i32 = 36;
export const TR_NAT_PORT: i32 = 40;
export const TR_CT: i32 = 44;
export const TR_SEQ_LO: i32 = 48;
export const TR_SEQ_HI: i32 = 52;
export const TR_REMOTE: i32 = 56;
export const TR_VNI: i32 = 60;
/** 4 or 16 bytes in wire order. */
export const TR_NAT_ADDR: i32 = 64;
/** Network policy: PV_… bits (0: it was not asked), identity of the other end, MATCH_…, and the index of the rule that decided,
 * -1 for none. */
export const TR_PV_FLAGS: i32 = 80;
export const TR_PV_REMOTE: i32 = 84;
export const TR_PV_MATCH: i32 = 88;
export const TR_PV_RULE: i32 = 92;
export const TR_SIZE: i32 = 96;
