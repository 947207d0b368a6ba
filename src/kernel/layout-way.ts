// Ways: what the packets of an established flow have in common on their way through all hooks, learnt from one packet that
// was walked, so that the next one needs a single look-up (pipeline/way.ts). A flow has two: forth, and back.

/** Packet: where the walk leaves its sketch, 0: nobody wants one. */
export const P_SKETCH: i32 = 208;

// ── Shard ────────────────────────────────────────────────────────────────────────────────────────────────────────────
/** A way counts while it bears this number: whoever takes out a conntrack or NAT entry, or clears its mark of use, raises it. */
export const S_EPOCH: i32 = 992;
/** Room for the ways of flows: address, pairs taken, pairs there are. */
export const S_WAYS: i32 = 996;
export const S_WAYS_USED: i32 = 1000;
export const S_WAYS_CAPACITY: i32 = 1004;

// ── Way: one cache line ──────────────────────────────────────────────────────────────────────────────────────────────
export const W_EPOCH: i32 = 0;
/** Second in which the conntrack entries were last touched: again in the same second changes nothing. NEVER: the next packet does. */
export const W_NOW: i32 = 4;
/** In the place of a second. */
export const NEVER: i32 = -1;
/** Outer headers (R_…), 0: no tunnel. */
export const W_ROUTE: i32 = 8;
/** Conntrack entries that each packet finds, 0 for none. */
export const W_CT_FIRST: i32 = 12;
export const W_CT_SECOND: i32 = 16;
/** Counters of use, 0 for none. */
export const W_USE: i32 = 20;
/** Translated address (0: none) and port; what they add to the L4 checksum, and to the IPv4 header's: 16 bits each. */
export const W_ADDRESS: i32 = 24;
export const W_PORT: i32 = 28;
export const W_L4_DIFF: i32 = 30;
export const W_IP_DIFF: i32 = 32;
/** Hops by which the TTL is raised at the start (replies), and lowered until the tunnel and until the end: bytes. */
export const W_RAISED: i32 = 34;
export const W_TO_TUNNEL: i32 = 35;
export const W_TO_END: i32 = 36;
/** WF_… bits, a byte. */
export const W_FLAGS: i32 = 37;
/** Source port of the outer UDP header, raw. */
export const W_OUTER_PORT: i32 = 38;
/** Ethernet addresses inside the tunnel and at the end, destination first. */
export const W_TUNNEL_MACS: i32 = 40;
export const W_END_MACS: i32 = 52;
export const W_SIZE: i32 = 64;
/** Of live traffic (pipeline/live-way.ts), in the place of what it has not: where the packet leaves (EXIT_…, a byte), the VNI and
 * remote of tunnel packets that take it, and, of a flow's first way, whose pair it is. */
export const W_EXIT: i32 = 35;
export const W_VNI: i32 = 40;
export const W_REMOTE: i32 = 44;
export const W_FLOW: i32 = 48;

/** Ends at a pod, else outside. */
export const WF_DELIVERED: i32 = 1;
/** The entry is touched in the direction of ingress, else egress. */
export const WF_FIRST_INGRESS: i32 = 2;
export const WF_SECOND_INGRESS: i32 = 4;
/** Touch the entries for every packet: they count. */
export const WF_ACCOUNTING: i32 = 8;
/** A reply of the outside, put back into its form and compared at the pod; without it no such thing. */
export const WF_RESTORED: i32 = 16;
/** Translation ends where the way does (SNAT), else it is undone at the start (replies). */
export const WF_SNAT: i32 = 32;
/** Begins outside, else at a pod. */
export const WF_FROM_OUTSIDE: i32 = 64;

// ── Route: outer headers of a tunnel, a dynamic table's entry with key (node, remote, VNI, 0) ────────────────────────
/** Sum of the outer IPv4 header without DSCP and ECN, length and identification. */
export const R_SUM: i32 = 24;
/** The 50 bytes, with 0 for what changes from packet to packet. */
export const R_HEADERS: i32 = 28;
export const R_STRIDE: i32 = 80;
export const ROUTE_CAPACITY: i32 = 4096;

// ── Sketch of a walk: what it told on its way ────────────────────────────────────────────────────────────────────────
/** SK_ONLY_LOOKED until conntrack or NAT entries are made or changed. */
export const SK_STATE: i32 = 0;
/** Conntrack entries found, in order, with their directions; how many. */
export const SK_CT_COUNT: i32 = 4;
export const SK_CT: i32 = 8;
export const SK_USES: i32 = 24;
export const SK_USE: i32 = 28;
/** Frames shown at the start and at the end, each with its headers; how many. */
export const SK_FRAMES: i32 = 32;
/** Tunnels crossed, frames shown before the last; node, remote, VNI, source port of the outer header, raw. */
export const SK_TUNNELS: i32 = 36;
export const SK_TUNNEL_AFTER: i32 = 40;
export const SK_NODE: i32 = 44;
export const SK_REMOTE: i32 = 48;
export const SK_VNI: i32 = 52;
export const SK_OUTER_PORT: i32 = 56;
/** 1 where the use was that of a reply. */
export const SK_USE_REPLY: i32 = 60;
/** Replies that were compared and found identical, before the walk (f64). */
export const SK_IDENTICAL: i32 = 64;
export const SK_RESTORED: i32 = 72;
/** Headers of a frame: Ethernet, IPv4 without options, L4 to the end of TCP's checksum. As captured; first, tunnel's, last. */
export const SK_CAPTURED: i32 = 80;
export const SK_FIRST: i32 = 144;
export const SK_TUNNEL: i32 = 208;
export const SK_LAST: i32 = 272;
/** Room in which a way's own headers are made, to compare. */
export const SK_TRIAL: i32 = 336;
export const SK_HEADERS: i32 = 52;
export const SK_SIZE: i32 = 400;

export const SK_ONLY_LOOKED: i32 = 0;
export const SK_CHANGED: i32 = 1;
