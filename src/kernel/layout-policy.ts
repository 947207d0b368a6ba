// Offsets of what network policy adds to the structures of layout.ts, and of a pod's policy map.

// ── Packet: the last policy verdict (struct policy_verdict_notify, bpf/lib/policy_log.h) ─────────────────────────────
/** PV_… bits; 0 where no policy was asked. */
export const P_PV_FLAGS: i32 = 168;
/** Security identity of the other end. */
export const P_PV_REMOTE: i32 = 172;
/** MATCH_…. */
export const P_PV_MATCH: i32 = 176;
/** 0, minus the drop number, or the proxy's port (raw). */
export const P_PV_VERDICT: i32 = 180;
/** Authentication that was asked for, 0 for none. */
export const P_PV_AUTH: i32 = 184;
/** Record of the entry that decided (PE_…), 0 for none. */
export const P_PV_ENTRY: i32 = 188;

/** A notification goes to the monitor: of a new connection that passes, and of every drop. */
export const PV_SENT: i32 = 1;
/** Audit mode let pass what the policy drops. */
export const PV_AUDITED: i32 = 2;
export const PV_INGRESS: i32 = 4;
/** The entry that decided holds for every identity (its stats have identity 0). */
export const PV_WILDCARD: i32 = 8;

/** POLICY_MATCH_… (bpf/lib/policy.h). */
export const MATCH_NONE: i32 = 0;
export const MATCH_L3_ONLY: i32 = 1;
export const MATCH_L3_L4: i32 = 2;
export const MATCH_L4_ONLY: i32 = 3;
export const MATCH_ALL: i32 = 4;
export const MATCH_L3_PROTO: i32 = 5;
export const MATCH_PROTO_ONLY: i32 = 6;

// ── Node ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
/** Static hash: a node's tunnel address to its node id (cilium_node_map), 0 for none. */
export const N_NODE_IDS: i32 = 236;
/** cilium_auth_map: AU_SIZE each, and how many. */
export const N_AUTH: i32 = 240;
export const N_AUTH_COUNT: i32 = 244;
/** NPF_… bits. */
export const N_POLICY_FLAGS: i32 = 248;

export const NPF_ICMP_RULES: i32 = 1;
export const NPF_FRAG_NEEDED: i32 = 2;
export const NPF_AUDIT: i32 = 4;
export const NPF_DENY_RESPONSE: i32 = 8;
export const NPF_EXTENDED_PROTOCOLS: i32 = 16;

/** Slot of N_NODE_IDS. */
export const NI_ADDRESS: i32 = 0;
export const NI_ID: i32 = 4;
export const NI_SIZE: i32 = 8;

/** An authenticated pair: identities of both ends, node id, type, and the second on the datapath's clock when it ends. */
export const AU_LOCAL: i32 = 0;
export const AU_REMOTE: i32 = 4;
export const AU_NODE: i32 = 8;
export const AU_TYPE: i32 = 12;
export const AU_EXPIRES: i32 = 16;
export const AU_SIZE: i32 = 20;

// ── Endpoint record: its policy map, 0 where no policy is enforced in either direction ───────────────────────────────
export const EP_POLICY: i32 = 36;

/** Policy map: a static hash by identity for each direction (PS_… slots), 0 for one without entries. The prefix tables
 * behind it are of numbers protocol<<24 | port<<8 with prefixes of 0, 8 and 9 to 24 bits. */
export const PM_EGRESS: i32 = 0;
export const PM_INGRESS: i32 = 4;
/** Index of the first network policy that selects the pod, -1 for none. */
export const PM_POLICY: i32 = 8;
export const PM_SIZE: i32 = 16;

// ── Policy entry (struct policy_entry) ───────────────────────────────────────────────────────────────────────────────
export const PE_PRECEDENCE: i32 = 0;
/** PEF_… bits. */
export const PE_FLAGS: i32 = 4;
/** What the value says of the key's protocol and port prefix, 0 to 24. */
export const PE_PREFIX: i32 = 8;
export const PE_AUTH: i32 = 12;
/** Raw, 0 for none. */
export const PE_PROXY: i32 = 16;
export const PE_COOKIE: i32 = 20;
/** Index of the network-policy rule behind it, -1 for none. */
export const PE_RULE: i32 = 24;
/** Index of that rule's policy, -1 for none. */
export const PE_POLICY: i32 = 28;
export const PE_SIZE: i32 = 32;

export const PEF_DENY: i32 = 1;
export const PEF_EXPLICIT_AUTH: i32 = 2;

/** The precedence that nothing is above: such an entry decides without a second look-up. */
export const PRECEDENCE_MAX: i32 = -1;
