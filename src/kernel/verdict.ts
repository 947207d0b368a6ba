// What a hook returns: a verdict >= 0, or minus Cilium's own drop number (bpf/lib/drop_reasons.h).
export const VERDICT_OK: i32 = 0;
export const VERDICT_REDIRECT: i32 = 7;

export const DROP_INVALID_SIP: i32 = -132;
export const DROP_POLICY: i32 = -133;
export const DROP_INVALID: i32 = -134;
export const DROP_CT_INVALID_HDR: i32 = -135;
export const DROP_CT_UNKNOWN_PROTO: i32 = -137;
export const DROP_UNKNOWN_L3: i32 = -139;
export const DROP_WRITE_ERROR: i32 = -141;
export const DROP_UNKNOWN_L4: i32 = -142;
export const DROP_UNKNOWN_ICMP4_CODE: i32 = -143;
export const DROP_UNKNOWN_ICMP6_CODE: i32 = -145;
export const DROP_UNKNOWN_TARGET: i32 = -150;
export const DROP_CSUM_L3: i32 = -153;
export const DROP_CSUM_L4: i32 = -154;
export const DROP_CT_CREATE_FAILED: i32 = -155;
export const DROP_INVALID_EXTHDR: i32 = -156;
export const DROP_FRAG_NOSUPPORT: i32 = -157;
export const DROP_NO_SERVICE: i32 = -158;
export const DROP_UNSUPPORTED_L2: i32 = -166;
export const DROP_NAT_NO_MAPPING: i32 = -167;
export const DROP_NAT_UNSUPP_PROTO: i32 = -168;
export const DROP_NO_FIB: i32 = -169;
export const DROP_ENCAP_PROHIBITED: i32 = -170;
export const DROP_INVALID_IDENTITY: i32 = -171;
/** Not a drop: the packet goes on untranslated (NAT_PUNT_TO_STACK). */
export const NAT_NOT_NEEDED: i32 = -173;
export const DROP_FRAG_NOT_FOUND: i32 = -175;
export const DROP_POLICY_DENY: i32 = -181;
export const DROP_VLAN_FILTERED: i32 = -182;
export const DROP_INVALID_TC_BUFFER: i32 = -184;
export const DROP_AUTH_REQUIRED: i32 = -189;
export const DROP_NO_EGRESS_GATEWAY: i32 = -194;
export const DROP_TTL_EXCEEDED: i32 = -196;
export const DROP_NO_NODE_ID: i32 = -197;
export const DROP_NO_EGRESS_IP: i32 = -204;

export const CT_NEW: i32 = 0;
export const CT_ESTABLISHED: i32 = 1;
export const CT_REPLY: i32 = 2;
export const CT_RELATED: i32 = 3;

export const ID_HOST: i32 = 1;
export const ID_WORLD: i32 = 2;
export const ID_REMOTE_NODE: i32 = 6;
export const ID_KUBE_APISERVER: i32 = 7;
export const ID_WORLD_IPV4: i32 = 9;
export const ID_WORLD_IPV6: i32 = 10;

// skb mark magics (bpf/lib/common.h): bits 8 to 11.
export const MARK_MASK: i32 = 0x0f00;
/** To the proxy: its port, raw, in the upper 16 bits. */
export const MARK_TO_PROXY: i32 = 0x0200;
export const MARK_SNAT_DONE: i32 = 0x0300;
export const MARK_OVERLAY: i32 = 0x0400;
export const MARK_EGW_DONE: i32 = 0x0500;
export const MARK_PROXY_EGRESS: i32 = 0x0b00;
export const MARK_HOST: i32 = 0x0c00;
export const MARK_ENCRYPT: i32 = 0x0e00;
export const MARK_IDENTITY: i32 = 0x0f00;
