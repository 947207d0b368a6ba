// Offsets of every structure the kernel keeps in its memory. TypeScript outside the kernel builds and reads these
// structures with the same names. Unless said otherwise a field is a 32-bit word. Addresses are "wire words": what a
// little-endian load of the four bytes in network order gives. Ports likewise are raw 16-bit halves in wire order.

// ── Packet: what a hook gets and gives back (the stand-in for __sk_buff and its metadata) ────────────────────────────
/** Address of the first byte of the Ethernet header. */
export const P_FRAME: i32 = 0;
/** Bytes in memory from P_FRAME on, and the frame's length on the wire (larger in a snapped capture). */
export const P_LEN: i32 = 4;
export const P_WIRE_LEN: i32 = 8;
export const P_MARK: i32 = 12;
/** Device the hook is attached to. */
export const P_IFINDEX: i32 = 16;
/** Seconds on the datapath's clock. */
export const P_NOW: i32 = 20;
/** Tunnel metadata: set by a redirect into the tunnel, read by from-overlay. */
export const P_TUNNEL_VNI: i32 = 24;
export const P_TUNNEL_REMOTE: i32 = 28;
/** How a VERDICT_REDIRECT goes on: a TO_… value, the device, and the next hop's address. */
export const P_TO: i32 = 32;
export const P_TO_IFINDEX: i32 = 36;
export const P_TO_NEXTHOP: i32 = 40;
/** PF_… bits. */
export const P_FLAGS: i32 = 44;
/** Tag in the packet's metadata, 0 for none. */
export const P_VLAN_TCI: i32 = 48;
export const P_NODE: i32 = 52;
export const P_SHARD: i32 = 56;
/** Results of the last ctExtractPorts / loadPorts: ports (dport in the low half as conntrack has it) and related flag. */
export const P_PORTS: i32 = 60;
export const P_RELATED: i32 = 64;
/** Last conntrack answer of from-container or local delivery (CT_…), for events. */
export const P_CT_STATUS: i32 = 68;
/** Policy record (L_…/E_…) that the last egress-gateway lookup hit, 0 for none. */
export const P_POLICY: i32 = 72;
/** NAT entry that translated the packet last, 0 for none. */
export const P_NAT: i32 = 76;
/** Result of the last ipcache lookup: identity, tunnel endpoint, IPC_… flags, 1 when something was found. */
export const P_INFO_IDENTITY: i32 = 80;
export const P_INFO_TUNNEL: i32 = 84;
export const P_INFO_FLAGS: i32 = 88;
/** Result of the last FIB lookup. */
export const P_FIB_IFINDEX: i32 = 92;
export const P_FIB_NEXTHOP: i32 = 96;
/** SNAT target of the packet under way. */
export const P_SNAT_ADDR: i32 = 100;
export const P_SNAT_MIN: i32 = 104;
export const P_SNAT_MAX: i32 = 108;
/** ST_… bits. */
export const P_SNAT_FLAGS: i32 = 112;
/** NOTE_… bits: what happened that a report wants to name. */
export const P_NOTES: i32 = 116;
/** Identity of the source as the hook knew it. */
export const P_IDENTITY: i32 = 120;
/** Endpoint record of the pod whose program runs (from-container, local delivery). */
export const P_ENDPOINT: i32 = 124;
/** Conntrack entry that the last lookup matched. */
export const P_CT_ENTRY: i32 = 128;
/** Difference for the outer ICMP checksum, left by the ICMP error path (16-bit one's-complement sum). */
export const P_CSUM_DIFF: i32 = 132;
/** Bytes that the packet counts for, whatever a program makes of it: its length on the wire when it entered. */
export const P_COUNTED: i32 = 136;
/** Number of the packet in the capture, low and high word; time stamp. */
export const P_SEQ_LO: i32 = 140;
export const P_SEQ_HI: i32 = 144;
export const P_TIME_SEC: i32 = 148;
export const P_TIME_NSEC: i32 = 152;
export const P_FLOW: i32 = 156;
export const P_SIZE: i32 = 224;
/** Bytes to allocate: behind P_SIZE lie the IPv6 scratch area (layout6.ts), which no packet starts by clearing, and answers of
 * read-only tables (layout-asked.ts). */
export const P_ROOM: i32 = 416;

export const PF_SYNTHETIC: i32 = 1;
/** nodeport/NAT already looked at this packet on this hook (Cilium's skip-nodeport). */
export const PF_SKIP_NODEPORT: i32 = 2;
export const PF_SNAPPED: i32 = 4;
/** The frame's EtherType is IPv6; set by the pipeline, not read by hooks. */
export const PF_IPV6: i32 = 8;

export const TO_NONE: i32 = 0;
/** Into the tunnel device with the packet's tunnel key. */
export const TO_TUNNEL: i32 = 1;
/** To a device with the neighbour resolved for P_TO_NEXTHOP. */
export const TO_NEIGH: i32 = 2;
/** To a pod's device: delivered. */
export const TO_ENDPOINT: i32 = 3;
/** To cilium_host, i.e. the node's own stack. */
export const TO_HOST: i32 = 4;
/** To a device with the neighbour resolved for P_NEXTHOP6. */
export const TO_NEIGH6: i32 = 5;
/** To a device; the kernel resolves the neighbour for the packet's own destination. */
export const TO_DEVICE: i32 = 6;
/** Back out of the device that the hook is attached to: an answer of the program's own making. */
export const TO_SELF: i32 = 7;

export const NOTE_FRAGMENT: i32 = 1;
/** The outer ICMP checksum was left wrong the way Cilium 1.19 does (error about an echo, on the way in). */
export const NOTE_DEFECT_ECHO_ERROR_CSUM: i32 = 2;
/** An error sent by a pod about TCP or UDP kept its old outer checksum. */
export const NOTE_DEFECT_POD_ERROR_CSUM: i32 = 4;
export const NOTE_NAT_RETRIES_OVER_HALF: i32 = 8;
export const NOTE_EXCLUDED: i32 = 16;
export const NOTE_REPLY: i32 = 32;
export const NOTE_NAT_RESTORED: i32 = 64;
/** The program answered by itself: ARP reply, neighbour advertisement, Time Exceeded. */
export const NOTE_ANSWERED: i32 = 128;
/** Defects of 1.19's IPv6 side, repeated unless NF_REPAIR is set. An error from outside about a translated flow was not
 * translated, since it is no packet-too-big. */
export const NOTE_DEFECT6_ERROR_NOT_TRANSLATED: i32 = 256;
/** A Time Exceeded was redirected into the tunnel device without a tunnel key, where it is lost. */
export const NOTE_DEFECT6_TIME_EXCEEDED_LOST: i32 = 512;
/** An error that quotes too little of TCP to hold its checksum was dropped (154). */
export const NOTE_DEFECT6_SHORT_QUOTE: i32 = 1024;
/** An error's own checksum does not follow what changed in a quote without (or with a foreign) checksum. */
export const NOTE_DEFECT6_QUOTE_CSUM: i32 = 2048;
/** A packet-too-big that quotes an echo reply was dropped (134). */
export const NOTE_DEFECT6_QUOTED_REPLY: i32 = 4096;
/** A packet to or from the unspecified address was taken for a lost scratch entry and dropped (184). */
export const NOTE_DEFECT6_UNSPECIFIED: i32 = 8192;
/** A pod's error was damaged by the source port that another packet had left in a scratch tuple. */
export const NOTE_DEFECT6_LEFTOVER_PORT: i32 = 16384;

// ── Node: one simulated node's configuration ─────────────────────────────────────────────────────────────────────────
export const N_INDEX: i32 = 0;
export const N_ADDRESS: i32 = 4;
/** NF_… bits. */
export const N_FLAGS: i32 = 8;
export const N_POLICY: i32 = 12;
export const N_IPCACHE: i32 = 16;
export const N_ENDPOINTS: i32 = 20;
export const N_FIB: i32 = 24;
export const N_DEVICES: i32 = 28;
export const N_DEVICE_COUNT: i32 = 32;
/** SNAT exclusion prefix as address and mask (wire words). */
export const N_EXCLUSION_ADDR: i32 = 36;
export const N_EXCLUSION_MASK: i32 = 40;
export const N_IPMASQ: i32 = 44;
export const N_SNAT_MIN: i32 = 48;
export const N_SNAT_MAX: i32 = 52;
/** Lifetimes in seconds. */
export const N_LIFE_TCP: i32 = 56;
export const N_LIFE_SYN: i32 = 60;
export const N_LIFE_FIN: i32 = 64;
export const N_LIFE_ANY: i32 = 68;
export const N_WORLD: i32 = 72;
export const N_TUNNEL_IFINDEX: i32 = 76;
export const N_TUNNEL_PORT: i32 = 80;
/** VLAN ids allowed on the devices: none, or one (enough for what is configured today). */
export const N_VLAN_ALLOWED: i32 = 84;
/** MACs of the tunnel device and of cilium_host, six bytes each, padded to eight. */
export const N_TUNNEL_MAC: i32 = 88;
export const N_HOST_MAC: i32 = 96;
/** What IPv6 adds begins at 104 (layout6.ts), services at 224 (layout-services.ts). */
export const N_SIZE: i32 = 256;

export const NF_HOST_ROUTING: i32 = 1;
export const NF_TUNNEL_MODE: i32 = 2;
export const NF_FRAGMENTS: i32 = 4;
export const NF_SCTP: i32 = 8;
export const NF_ACCOUNTING: i32 = 16;
export const NF_EGRESS_GATEWAY: i32 = 32;
export const NF_MASQUERADE: i32 = 64;
export const NF_SIP_CHECK: i32 = 128;
export const NF_EXCLUSION: i32 = 256;
export const NF_IPMASQ: i32 = 512;
export const NF_REMOTE_NODE_MASQ: i32 = 1024;
/** IPv4 and IPv6: the world has an identity for each. */
export const NF_DUAL_STACK: i32 = 2048;
/** Repair the recorded defects of the real programs (--semantics intent). */
export const NF_REPAIR: i32 = 4096;
export const NF_GENEVE: i32 = 8192;
export const NF_FRAGMENTS6: i32 = 16384;
export const NF_MASQUERADE6: i32 = 32768;
export const NF_EXCLUSION6: i32 = 65536;
export const NF_IPMASQ6: i32 = 131072;
/** Without it IPv6 frames are an unknown protocol. */
export const NF_IPV6: i32 = 262144;
/** A service without backends: the pod gets an ICMP error (service-no-backend-response: reject). */
export const NF_NO_BACKEND_REJECT: i32 = 0x1000000;
/** Such a service's packets are dropped or answered; without it they go to the stack (enable-no-service-endpoints-routable). */
export const NF_NO_BACKEND_ROUTABLE: i32 = 0x2000000;

// ── Device of a node ─────────────────────────────────────────────────────────────────────────────────────────────────
export const D_IFINDEX: i32 = 0;
export const D_MASQUERADE: i32 = 4;
/** Six bytes, padded to eight. */
export const D_MAC: i32 = 8;
export const D_MTU: i32 = 16;
/** Index of the device's counters of masqueraded traffic; those of the node's own address follow the last device's. */
export const D_USE: i32 = 20;
/** IPv6 masquerade address, 16 bytes, all zero for none. */
export const D_MASQUERADE6: i32 = 24;
export const D_SIZE: i32 = 40;

// ── Endpoint record: cilium_lxc ──────────────────────────────────────────────────────────────────────────────────────
export const EP_ADDRESS: i32 = 0;
/** EPF_… bits; EPF_USED marks a filled slot. */
export const EP_FLAGS: i32 = 4;
export const EP_IFINDEX: i32 = 8;
export const EP_ID: i32 = 12;
export const EP_IDENTITY: i32 = 16;
export const EP_MAC: i32 = 20;
export const EP_NODE_MAC: i32 = 28;
export const EP_SIZE: i32 = 40;
export const EPF_HOST: i32 = 1;
export const EPF_AT_HOST_NS: i32 = 2;
export const EPF_NO_SNAT: i32 = 4;
export const EPF_NO_SNAT6: i32 = 8;
export const EPF_USED: i32 = 0x100;

// ── Static hash (endpoints, policy sources, neighbours): header, then slots of a fixed stride whose first word is the key
export const SH_MASK: i32 = 0;
export const SH_SLOTS: i32 = 4;
export const SH_STRIDE: i32 = 8;
/** Offset inside a slot of the word that is not 0 in a used one. */
export const SH_USED: i32 = 12;
export const SH_SIZE: i32 = 16;

/** Policy source slot: source address, then the prefix table of its destinations. */
export const PS_SOURCE: i32 = 0;
export const PS_TABLE: i32 = 4;
export const PS_SIZE: i32 = 8;

// ── Prefix table: sorted interval starts (numbers in host order) and a value word per interval ───────────────────────
export const L_COUNT: i32 = 0;
export const L_STARTS: i32 = 4;
export const L_VALUES: i32 = 8;
/** 65,537 words, first interval of each 16-bit chunk, or 0 where the table is small. */
export const L_ROOT: i32 = 12;
export const L_SIZE: i32 = 16;

// ── Egress policy record (value of a prefix table) ───────────────────────────────────────────────────────────────────
export const E_GATEWAY: i32 = 0;
export const E_EGRESS: i32 = 4;
/** Index of the node whose map holds E_EGRESS, -1: every node's does. */
export const E_GATEWAY_NODE: i32 = 8;
export const E_POLICY: i32 = 12;
/** Index of the use counters. */
export const E_USE: i32 = 16;
export const E_SIZE: i32 = 24;
/** Gateway values with a meaning of their own, as wire words (pkg/egressgateway/manager.go). */
export const GATEWAY_NONE: i32 = 0;
export const GATEWAY_EXCLUDED: i32 = 0x01000000;

// ── ipcache record ───────────────────────────────────────────────────────────────────────────────────────────────────
export const IC_IDENTITY: i32 = 0;
export const IC_TUNNEL: i32 = 4;
export const IC_FLAGS: i32 = 8;
/** Index of the node the address lives on, -1 for none. */
export const IC_OWNER: i32 = 12;
/** Record of the same or the next shorter prefix, for entries that only the owner has. */
export const IC_COVER: i32 = 16;
export const IC_SIZE: i32 = 24;
export const IPC_SKIP_TUNNEL: i32 = 1;
export const IPC_HAS_TUNNEL: i32 = 2;
export const IPC_NODE: i32 = 4;
export const IPC_OWNER_ONLY: i32 = 8;

// ── FIB: rules in order, each a source prefix and a table; the main table last ───────────────────────────────────────
export const FIB_MAIN: i32 = 0;
export const FIB_RULES: i32 = 4;
export const FIB_RULE_COUNT: i32 = 8;
export const FIB_SIZE: i32 = 16;
export const FR_ADDR: i32 = 0;
export const FR_MASK: i32 = 4;
export const FR_TABLE: i32 = 8;
export const FR_SIZE: i32 = 16;
/** Route record (value of a prefix table): device, next hop (0: the destination itself). */
export const RT_IFINDEX: i32 = 0;
export const RT_VIA: i32 = 4;
export const RT_SIZE: i32 = 8;

// ── Growing hash table over dense entries (conntrack, NAT, fragments, flows) ─────────────────────────────────────────
export const T_INDEX: i32 = 0;
export const T_MASK: i32 = 4;
export const T_MAX_MASK: i32 = 8;
export const T_ENTRIES: i32 = 12;
export const T_STRIDE: i32 = 16;
export const T_CAPACITY: i32 = 20;
/** Entries ever touched; the ones beyond were never used. */
export const T_USED: i32 = 24;
export const T_FREE: i32 = 28;
export const T_LIVE: i32 = 32;
export const T_HAND: i32 = 36;
export const T_EVICTED: i32 = 40;
/** Offset inside an entry of the two 16-byte addresses of its key, 0 for keys of four words. */
export const T_TAIL: i32 = 44;
export const T_SIZE: i32 = 48;
/** First words of every entry: four key words, the hash, the state. */
export const K0: i32 = 0;
export const K1: i32 = 4;
export const K2: i32 = 8;
export const K3: i32 = 12;
export const E_HASH: i32 = 16;
/** ES_… bits; of a free entry, the next free one. */
export const E_STATE: i32 = 20;
export const E_NEXT: i32 = 0;
export const ES_LIVE: i32 = 1;
export const ES_USED_LATELY: i32 = 2;

// ── Conntrack entry: key (node<<16 | proto<<8 | flags, daddr, saddr, ports: dport low, sport high) ───────────────────
export const C_LIFETIME: i32 = 24;
export const C_FLAGS: i32 = 28;
/** tx flags seen in bits 0-7, rx in 8-15; a half of its own has the reverse NAT index. */
export const C_SEEN: i32 = 32;
export const C_REV_NAT: i32 = 34;
export const C_IDENTITY: i32 = 36;
export const C_TX_REPORT: i32 = 40;
export const C_RX_REPORT: i32 = 44;
export const C_PACKETS: i32 = 48;
export const C_BYTES: i32 = 56;
export const C_STRIDE: i32 = 64;
/** struct ct_entry's bit field (bpf/lib/conntrack.h). */
export const CF_RX_CLOSING: i32 = 1;
export const CF_TX_CLOSING: i32 = 2;
/** A pod that reaches itself by a service. */
export const CF_LOOPBACK: i32 = 8;
export const CF_SEEN_NON_SYN: i32 = 16;
export const CF_PROXY_REDIRECT: i32 = 64;
export const CF_FROM_TUNNEL: i32 = 1024;
/** Tuple directions (bpf/lib/common.h). */
export const TUPLE_OUT: i32 = 0;
export const TUPLE_IN: i32 = 1;
export const TUPLE_RELATED: i32 = 2;

// ── NAT entry: same key, ports as in the packet (sport high, dport low) ──────────────────────────────────────────────
export const X_ADDR: i32 = 24;
export const X_PORT: i32 = 28;
export const X_CREATED: i32 = 32;
export const X_NEEDS_CT: i32 = 36;
export const X_STRIDE: i32 = 40;

// ── Fragment entry: key (node<<16 | proto<<8, daddr, saddr, id) ──────────────────────────────────────────────────────
export const G_PORTS: i32 = 24;
export const G_STRIDE: i32 = 32;

// ── Shard: the tables of one virtual shard ───────────────────────────────────────────────────────────────────────────
export const S_CT: i32 = 0;
export const S_NAT: i32 = 48;
export const S_FRAG: i32 = 96;
export const S_FLOW: i32 = 144;
/** Seed of the port draws; address, count and position of forced draws (32-bit words). */
export const S_SEED: i32 = 192;
export const S_FORCED: i32 = 196;
export const S_FORCED_COUNT: i32 = 200;
export const S_FORCED_NEXT: i32 = 204;
/** Histogram of SNAT tries, 33 words (cilium_snat_v4_alloc_retries). */
export const S_RETRIES: i32 = 208;
/** IPv6 tables (layout6.ts) begin at 344, session affinity (layout-services.ts) at 896, ways (layout-way.ts) at 992. */
export const S_SIZE: i32 = 1024;
