// What the engine and takeRecords() (intake.ts) tell each other. Words.
/** First byte to look at, then the first not taken; end of the bytes there are. */
export const IN_AT: i32 = 0;
export const IN_END: i32 = 4;
/** Packets that the chunk has room for; bytes of frames with which it is full. */
export const IN_ROOM: i32 = 8;
export const IN_LEAST_BYTES: i32 = 12;
/** Static hash of the cluster's addresses (A_…); not 0: captured at the pods. */
export const IN_ADDRESSES: i32 = 16;
export const IN_AT_PODS: i32 = 20;
/** Fractions of the file's second, and nanoseconds of one. */
export const IN_PER_SECOND: i32 = 24;
export const IN_SCALE: i32 = 28;
/** Capture's first second; the datapath's clock, before and after; the clock's reading that must not be reached. */
export const IN_FIRST_SECOND: i32 = 32;
export const IN_NOW: i32 = 36;
export const IN_DUE: i32 = 40;
/** Number of the packet before the first. */
export const IN_SEQ_LO: i32 = 44;
export const IN_SEQ_HI: i32 = 48;
/** A byte for each packet: the number of its worker. */
export const IN_OWNERS: i32 = 52;
export const IN_SHARD_MASK: i32 = 56;
/** Out: packets and bytes taken, time stamp of the last. */
export const IN_PACKETS: i32 = 60;
export const IN_BYTES: i32 = 64;
export const IN_LAST_SEC: i32 = 68;
export const IN_LAST_NSEC: i32 = 72;
/** For each worker, 16 at most: its descriptors in this chunk, and how many are filled. */
export const IN_WORKER: i32 = 80;
export const INW_FIRST: i32 = 0;
export const INW_COUNT: i32 = 4;
export const INW_SIZE: i32 = 8;
/** For each shard a byte: the number of its worker. */
export const IN_SHARD_OWNERS: i32 = 208;
export const IN_SIZE: i32 = 272;
