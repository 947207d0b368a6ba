// Offsets of what service translation adds (bpf/lib/lb.h): the read-only maps of one address family, the table of session
// affinity, and the packet's and node's fields for them. Ports are raw 16-bit halves in wire order.

// ── Packet ───────────────────────────────────────────────────────────────────────────────────────────────────────────
/** Service and backend record that translated the packet in the pod's program, 0 for none. */
export const P_SERVICE: i32 = 192;
export const P_BACKEND: i32 = 196;
/** Reverse NAT index that the request's conntrack entry gets, 0 for none. */
export const P_REV_NAT: i32 = 200;
/** 1: the pod reaches itself by a service, and its source address is the service loopback now. */
export const P_LOOPBACK: i32 = 204;

// ── Node ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
/** SM_… structures of IPv4 and IPv6; 0 where the pod's program translates no services (no services, or socket level). */
export const N_SERVICES: i32 = 224;
export const N_SERVICES6: i32 = 228;
/** The IPv4 service loopback, a wire word (169.254.42.1 by default). */
export const N_LOOPBACK: i32 = 232;

// ── Maps of one family ───────────────────────────────────────────────────────────────────────────────────────────────
/** Static hash of service addresses; its slots name a static hash of that address's ports. */
export const SM_ADDRESSES: i32 = 0;
/** Static hashes: backends by their id, service addresses by reverse NAT index. */
export const SM_BACKENDS: i32 = 4;
export const SM_REV_NAT: i32 = 8;
/** Seed of the backend draws: one for all shards, so that whoever steers a packet draws the same. */
export const SM_SEED: i32 = 12;
export const SM_SIZE: i32 = 16;

/** Slot of a service address: IPv4 begins with the key, IPv6 ends with it. */
export const VA_ADDRESS: i32 = 0;
export const VA_PORTS: i32 = 4;
export const VA_SIZE: i32 = 8;
export const VA6_PORTS: i32 = 0;
export const VA6_SIZE: i32 = 24;

/** Service record, the slot of a port; the key is port and protocol (port low, protocol from bit 16). */
export const SV_KEY: i32 = 0;
/** Address of the backend ids, a word each; never 0. */
export const SV_SLOTS: i32 = 4;
export const SV_COUNT: i32 = 8;
export const SV_REV_NAT: i32 = 12;
/** struct lb4_service's flags in bits 0-7, flags2 in 8-15. */
export const SV_FLAGS: i32 = 16;
/** Seconds of session affinity. */
export const SV_AFFINITY: i32 = 20;
/** SEL_…: how a new connection gets its backend. */
export const SV_SELECTION: i32 = 24;
/** Maglev table: its size, then backend ids; 0 for none. */
export const SV_MAGLEV: i32 = 28;
/** Backends that affinity may lead to: their number, then ids. */
export const SV_MATCHES: i32 = 32;
/** Number of the service in the control plane's list. */
export const SV_INDEX: i32 = 36;
export const SV_SIZE: i32 = 40;

export const SVF_EXTERNAL_IP: i32 = 1;
export const SVF_NODE_PORT: i32 = 2;
export const SVF_EXTERNAL_LOCAL: i32 = 4;
export const SVF_AFFINITY: i32 = 16;
export const SVF_LOAD_BALANCER: i32 = 32;
/** internalTrafficPolicy: Local, of flags2. */
export const SVF_INTERNAL_LOCAL: i32 = 0x1000;

export const SEL_RANDOM: i32 = 1;
export const SEL_MAGLEV: i32 = 2;

/** Backend record. */
export const BE_ID: i32 = 0;
/** BE_USED and the state: 0 active, 1 terminating, 2 quarantined, 3 in maintenance. */
export const BE_STATE: i32 = 4;
export const BE_PORT: i32 = 8;
/** Number of the backend in the control plane's list. */
export const BE_INDEX: i32 = 12;
/** 16 bytes; IPv4 uses the first word. */
export const BE_ADDRESS: i32 = 16;
export const BE_SIZE: i32 = 32;
export const BE_USED: i32 = 0x100;
export const BE_STATE_MASK: i32 = 0xff;

/** Reverse NAT record. */
export const RN_INDEX: i32 = 0;
export const RN_USED: i32 = 4;
export const RN_PORT: i32 = 8;
export const RN_ADDRESS: i32 = 16;
export const RN_SIZE: i32 = 32;

// ── Session affinity: growing tables; key (node<<16 | reverse NAT index, client, 0, 0) ───────────────────────────────
export const AF_BACKEND: i32 = 24;
export const AF_LAST_USED: i32 = 28;
export const AF_STRIDE: i32 = 32;
/** IPv6: the client's address lies in the tail, twice. */
export const AF6_TAIL: i32 = 32;
export const AF6_STRIDE: i32 = 64;
export const S_AFFINITY: i32 = 896;
export const S_AFFINITY6: i32 = 944;

// ── Conntrack entries of services: key as for other entries, TUPLE_SERVICE in the flags ──────────────────────────────
export const TUPLE_SERVICE: i32 = 4;
/** Backend id, in the place of C_RX_REPORT: a service's entry sees requests only. */
export const C_BACKEND: i32 = 44;
