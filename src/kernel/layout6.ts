// Offsets of what IPv6 adds to the structures of layout.ts. An IPv6 address is 16 bytes in wire order; functions take the
// address in memory of those bytes. "Words" of it are little-endian loads, as for IPv4.

// ── Packet: scratch behind P_SIZE ────────────────────────────────────────────────────────────────────────────────────
// A hook writes each field before it reads it, but for P_SPARE and P_LEFTOVER_PORT: whoever allocates the structure sets
// them.
/** Next hop of a TO_NEIGH6. */
export const P_NEXTHOP6: i32 = 224;
/** Next hop that the last IPv6 FIB look-up found. */
export const P_FIB_NEXTHOP6: i32 = 240;
/** SNAT target of the packet under way, and the policy's egress device (0: the FIB decides). */
export const P_SNAT_ADDR6: i32 = 256;
export const P_SNAT_IFINDEX: i32 = 272;
/** Result of the last walk over the packet's own headers (W_…), and over a quoted packet's. */
export const P_WALK: i32 = 276;
export const P_INNER_WALK: i32 = 292;
/** Offset of the upper-layer header from the start of the frame. */
export const P_L4: i32 = 308;
/** MAC and device that answers of the program's own making carry. */
export const P_SELF_MAC: i32 = 312;
export const P_SELF_IFINDEX: i32 = 316;
/** Address kept while tables change: an entry it came from may be evicted meanwhile. */
export const P_KEPT6: i32 = 320;
/** SPARE_BYTES bytes that a frame which must grow may move to; 0 for none. */
export const P_SPARE: i32 = 336;
/** Source port (raw) that the last packet on this CPU left in the real programs' scratch tuple; 0 is the clean case. */
export const P_LEFTOVER_PORT: i32 = 340;

/** Longest frame that a hook lets grow; the kernel's own bound (BPF_SKB_MAX_LEN) is about as large. */
export const SPARE_BYTES: i32 = 16384;

// ── Walk over extension headers ──────────────────────────────────────────────────────────────────────────────────────
/** The first header that is none: the upper-layer protocol. */
export const W_PROTO: i32 = 0;
/** WF_… bits, identification (raw) and next header of the last fragment header; all 0 without one. */
export const W_FLAGS: i32 = 4;
export const W_ID: i32 = 8;
export const W_FRAG_PROTO: i32 = 12;
export const WF_FRAGMENT: i32 = 1;
export const WF_NO_L4: i32 = 2;

// ── Node ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
export const N_POLICY6: i32 = 104;
export const N_IPCACHE6: i32 = 108;
export const N_ENDPOINTS6: i32 = 112;
export const N_FIB6: i32 = 116;
export const N_IPMASQ6: i32 = 120;
/** Direct-routing address, router address (cilium_host), service loopback. */
export const N_ADDRESS6: i32 = 128;
export const N_ROUTER6: i32 = 144;
export const N_LOOPBACK6: i32 = 160;
export const N_EXCLUSION6_ADDR: i32 = 176;
export const N_EXCLUSION6_MASK: i32 = 192;

// ── Endpoint record: as for IPv4, and the IPv6 address (the key of its hash) behind ─────────────────────────────────
export const EP_ADDRESS6: i32 = 40;
export const EP6_SIZE: i32 = 56;

// ── Static hash with 16-byte keys: the key is the last 16 bytes of a slot ───────────────────────────────────────────
export const KEY6_BYTES: i32 = 16;
/** Policy source slot: prefix table of its destinations, then the key. */
export const PS6_TABLE: i32 = 0;
export const PS6_SIZE: i32 = 24;

// ── Egress policy record: as for IPv4 (the gateway is an IPv4 address, E_EGRESS stays 0), then ──────────────────────
export const E_EGRESS6: i32 = 24;
export const E_IFINDEX: i32 = 40;
export const E6_SIZE: i32 = 48;

// ── Prefix table: header as for IPv4 (no root); an interval's start is four words in host order, highest first ───────
export const START6_SHIFT: i32 = 4;

// ── FIB: header as for IPv4; rules and routes with 16-byte addresses ────────────────────────────────────────────────
export const FR6_ADDR: i32 = 0;
export const FR6_MASK: i32 = 16;
export const FR6_TABLE: i32 = 32;
export const FR6_SIZE: i32 = 40;
export const RT6_IFINDEX: i32 = 0;
/** All zero: the destination itself. */
export const RT6_VIA: i32 = 4;
export const RT6_SIZE: i32 = 24;

// ── Growing tables: K1 and K2 hold the addresses' last words, the entry's tail (T_TAIL) both whole addresses ────────
export const TAIL_DADDR: i32 = 0;
export const TAIL_SADDR: i32 = 16;
export const TAIL_BYTES: i32 = 32;
/** Conntrack: payload as for IPv4. */
export const C6_TAIL: i32 = 64;
export const C6_STRIDE: i32 = 96;
/** NAT: address and port to translate to. */
export const X6_ADDR: i32 = 24;
export const X6_PORT: i32 = 40;
export const X6_CREATED: i32 = 44;
export const X6_NEEDS_CT: i32 = 48;
export const X6_TAIL: i32 = 52;
export const X6_STRIDE: i32 = 88;
/** Fragments: payload as for IPv4; K3 is the 32-bit identification. */
export const G6_TAIL: i32 = 28;
export const G6_STRIDE: i32 = 64;

// ── Shard ────────────────────────────────────────────────────────────────────────────────────────────────────────────
export const S_CT6: i32 = 344;
export const S_NAT6: i32 = 392;
export const S_FRAG6: i32 = 440;
/** Histogram of SNAT tries, 33 words (cilium_snat_v6_alloc_retries). */
export const S_RETRIES6: i32 = 488;
export const S_FLOW6: i32 = 624;

// ── Flow record: as for IPv4 (layout-flow.ts; F_NAT_ADDR and F_BACKEND stay 0), then the address after translation and the
// service's backend, all zero for none ────────────────────────────────────────────────────────────────────────────────
export const F6_NAT_ADDR: i32 = 168;
export const F6_BACKEND: i32 = 184;
export const F6_TAIL: i32 = 200;
export const F6_STRIDE: i32 = 256;
