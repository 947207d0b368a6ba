// Flow records: what a run wants to know of each flow. Key: (source node<<16 | proto<<8 | kind, pod address, remote
// address, ports as the pod sends them: source port low, destination port high, raw).

/** FK_… in the key's low byte: a flow that begins at a pod, or one named by its tuple as seen outside. */
export const FK_POD: i32 = 0;
export const FK_OUTSIDE: i32 = 1;

// The first cache line is all that a packet on its flow's way (pipeline/way.ts) touches.
/** OUT_… of the last packet, and (below) the first drop's number. */
export const F_OUTCOME: i32 = 24;
/** The flow's ways forth and back (W_…), 0 for none yet. */
export const F_WAYS: i32 = 28;
/** Counters and packet numbers are f64; seconds and nanoseconds of first and last packet. */
export const F_LAST: i32 = 32;
export const F_LAST_SEC: i32 = 40;
export const F_LAST_NSEC: i32 = 44;
export const F_FWD_PACKETS: i32 = 48;
export const F_FWD_BYTES: i32 = 56;
export const F_REPLY_PACKETS: i32 = 64;
export const F_REPLY_BYTES: i32 = 72;
export const F_FLAGS: i32 = 80;
export const F_POLICY: i32 = 84;
/** Address and port after translation, 0 for none. */
export const F_NAT_ADDR: i32 = 88;
export const F_NAT_PORT: i32 = 92;
export const F_GATEWAY_NODE: i32 = 96;
export const F_IDENTITY: i32 = 100;
export const F_DROP: i32 = 104;
export const F_FIRST_SEC: i32 = 108;
export const F_FIRST_NSEC: i32 = 112;
export const F_FIRST: i32 = 120;
export const F_DROP_PACKETS: i32 = 128;
export const F_DROP_BYTES: i32 = 136;
export const F_FIRST_DROP: i32 = 144;
/** Index of the network policy behind the first drop + 1, 0 for none. */
export const F_DENIED_BY: i32 = 152;
/** Number of the service (SV_INDEX) plus one, 0 for none; the backend's address and port, 0 where there was none. */
export const F_SERVICE: i32 = 156;
export const F_BACKEND: i32 = 160;
export const F_BACKEND_PORT: i32 = 164;
/** Whole cache lines. */
export const F_STRIDE: i32 = 192;

export const FF_OPENER_OUTSIDE: i32 = 1;
export const FF_OPENER_ASSUMED: i32 = 2;
export const FF_EXCLUDED: i32 = 4;
/** Masqueraded with the node's own address. */
export const FF_MASQUERADED: i32 = 8;
/** Translated by an egress policy. */
export const FF_EGRESS_GATEWAY: i32 = 16;
/** Its opener has been settled. */
export const FF_OPENED: i32 = 32;

export const OUT_FORWARDED: i32 = 1;
export const OUT_DELIVERED: i32 = 2;
export const OUT_PASSED: i32 = 3;
export const OUT_DROPPED: i32 = 4;
export const OUT_IGNORED: i32 = 5;
