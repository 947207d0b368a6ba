/** Bits of a tuple (bpf/lib/common.h, TUPLE_F_…). */
export const TUPLE_IN = 1;
export const TUPLE_RELATED = 2;
export const TUPLE_SERVICE = 4;
