// ICMPv6 (RFC 4443) and neighbour discovery (RFC 4861): types, codes and the few offsets that the datapath touches. The
// checksum, identifier and header size lie where ICMP has them (l4.ts).
export const ICMP6_UNREACHABLE: i32 = 1;
export const ICMP6_TOO_BIG: i32 = 2;
export const ICMP6_TIME_EXCEEDED: i32 = 3;
export const ICMP6_PARAMETER: i32 = 4;
export const ICMP6_ECHO: i32 = 128;
export const ICMP6_ECHO_REPLY: i32 = 129;
export const ICMP6_SOLICITATION: i32 = 135;
export const ICMP6_ADVERTISEMENT: i32 = 136;
export const ICMP6_REDIRECT: i32 = 137;
/** ICMPV6_REJECT_ROUTE: the last code of type 1 that Linux knows. */
export const ICMP6_UNREACHABLE_LAST_CODE: i32 = 6;
/** ICMPV6_EXC_FRAGTIME. */
export const ICMP6_TIME_EXCEEDED_LAST_CODE: i32 = 1;

/** Offsets from the start of a solicitation without extension headers. */
export const ND_TARGET: i32 = 8;
export const ND_OPTION: i32 = 24;
export const ND_OPTION_LEN: i32 = 8;
export const ND_FLAGS: i32 = 4;
export const ND_FLAG_ROUTER: i32 = 0x80;
export const ND_FLAG_SOLICITED: i32 = 0x40;
export const ND_FLAG_OVERRIDE: i32 = 0x20;
/** Target link-layer address (RFC 4861 section 4.6.1), its length in units of eight bytes. */
export const ND_OPTION_TARGET_MAC: i32 = 2;

export function isIcmp6Error(type: i32): boolean { return type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAMETER; }
