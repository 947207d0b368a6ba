// One line of a recordings file: what was put into the real programs and what came out. The fields are described in
// fixtures/vectors/README.md; fields that nothing here compares are left out of the schema and ignored.
import * as z from "zod";

const byte16 = z.number().int().min(0).max(0xffff);
const word = z.number().int().min(0).max(0xffffffff);
/** Hex digits of the longest frame that is taken: an IPv4 packet of full length with its Ethernet header. */
const LONGEST_FRAME_DIGITS = 2 * (65_535 + 14);
const hexFrame = z.string().max(LONGEST_FRAME_DIGITS).regex(/^([0-9a-f]{2}){14,}$/, "expected the hex digits of a frame of at least 14 bytes");
const mark = z.string().regex(/^0x[0-9a-f]{1,8}$/, "expected a mark such as 0x4e210f00");

const policy = z.object({
  saddr: z.string(), dcidr: z.string(), gateway_ip: z.string(), egress_ip: z.string(), egress_ifindex: z.number().int().min(0).optional(),
});
const ipcacheEntry = z.object({
  prefix: z.string(), identity: word, tunnel_endpoint: z.string().nullable(), skip_tunnel: z.boolean(),
});
const endpoint = z.object({
  ip: z.string(), ifindex: z.number().int().min(0), lxc_id: byte16, host: z.boolean(), identity: word, flags: word.optional(),
});
/** A row of a pod's policy map; `value_prefixlen` where the value says another prefix than the key. */
const podPolicy = z.object({
  identity: word, dir: z.enum(["egress", "ingress"]), proto: z.number().int().min(0).max(255), dport: byte16, prefixlen: z.number().int().min(0).max(24),
  deny: z.boolean(), precedence: word, auth_type: z.number().int().min(0).max(127), auth_explicit: z.boolean(), proxy_port: byte16, cookie: word,
  value_prefixlen: z.number().int().min(0).max(31).optional(),
});
const authenticated = z.object({
  local_identity: word, remote_identity: word, remote_node_id: byte16, auth_type: z.number().int().min(0).max(127), expiration_unit_512ns: z.number().min(0),
});
const backend = z.object({ id: word, ip: z.string(), port: byte16 });
const serviceRow = {
  vip: z.string(), port: byte16, proto: z.number().int().min(0).max(255), flags: z.number().int().min(0).max(255),
  flags2: z.number().int().min(0).max(255), rev_nat: byte16, affinity_timeout_s: z.number().int().min(0), algorithm: z.string().nullable(),
  backends: z.array(backend).max(1000), maglev_lut_rule: z.string().optional(),
};
const service = z.object({ ...serviceRow, backends_missing_from_backend_map: z.array(word).default([]) });
const nodeMaps = z.object({
  policies: z.array(policy), ipcache: z.array(ipcacheEntry), endpoints: z.array(endpoint), ipmasq: z.array(z.string()).default([]),
  policy: z.array(podPolicy).optional(), auth: z.array(authenticated).default([]), services: z.array(service).default([]),
});

const config = z.object({
  masquerade: z.boolean(),
  ipv4_native_routing_cidr: z.string().nullable(),
  ipv6_snat_exclusion_cidr: z.string().nullable(),
  ip_masq_agent: z.boolean(),
  enable_remote_node_masquerade: z.boolean(),
  tunnel_mode: z.boolean(),
  egress_gateway: z.boolean(),
  per_packet_lb: z.boolean(),
  service_no_backend_response: z.enum(["drop", "reject"]),
  enable_no_service_endpoints_routable: z.boolean(),
  service_loopback_ipv4: z.string(),
  service_loopback_ipv6: z.string(),
  snat_port_range: z.tuple([byte16, byte16]),
  nat_ipv4_masquerade_source: z.string(),
  nat_ipv4_masquerade_gateway: z.string(),
  enable_icmp_rule: z.number(),
  allow_icmp_frag_needed: z.number(),
  enable_extended_ip_protocols: z.number(),
  policy_deny_response_enabled: z.number(),
}).partial();

const nodeName = z.enum(["src", "gw", "source", "gateway", "both"]);
/** Fields of all maps' rows; which of them a change needs, its map says. */
const anyRow = z.object({
  ...serviceRow, saddr: z.string(), dcidr: z.string(), gateway_ip: z.string(), egress_ip: z.string(), prefix: z.string(), identity: word,
  tunnel_endpoint: z.string().nullable(), skip_tunnel: z.boolean(), cidr: z.string(), ip: z.string(), ifindex: z.number().int().min(0), lxc_id: byte16,
  host: z.boolean(), flags: word, egress_ifindex: z.number().int().min(0), dir: z.enum(["INGRESS", "EGRESS"]), daddr: z.string(), sport: byte16,
  backends_missing_from_backend_map: z.array(word), backends_deleted: z.array(word), backend_state: z.record(z.string(), z.string()),
  rev_nat_deleted: z.boolean(), backend_id: word,
  dport: byte16, dport_from: byte16, dport_to: byte16, nexthdr: z.number().int().min(0).max(255), to_addr: z.string(), to_port: byte16,
}).partial();
const mapChange = anyRow.extend({ op: z.string(), node: nodeName, map: z.string().default("policies"), entry: z.union([podPolicy, ipcacheEntry]).optional() });

const prefill = z.object({
  node: nodeName, dir: z.enum(["INGRESS", "EGRESS"]), saddr: z.string(), daddr: z.string(), sport: byte16, nexthdr: z.number().int().min(0).max(255),
  to_addr: z.string(), to_port: byte16, dports: z.tuple([byte16, byte16]).optional(), dport_range: z.tuple([byte16, byte16]).optional(),
  except_ports: z.array(byte16).default([]),
});

const conntrackEntry = z.object({
  map: z.string(), daddr: z.string(), saddr: z.string(), dport: byte16, sport: byte16, nexthdr: z.number(), flags: z.number(), packets: z.number(),
  bytes: z.number(), lifetime_left_s: z.number(), rx_closing: z.number(), tx_closing: z.number(), seen_non_syn: z.number(), from_tunnel: z.number(),
  tx_flags: z.number(), rx_flags: z.number(), src_sec_id: z.number(), rev_nat_index: z.number().optional(),
  lb_loopback: z.number().optional(), node_port: z.number().optional(), backend_id: z.number().optional(),
});
const affinityEntry = z.object({ client_ip: z.string(), rev_nat: byte16, netns_cookie: z.number().int(), backend_id: word });
const decoded = z.object({ src: z.string(), dst: z.string(), proto: z.number(), sport: byte16, dport: byte16 }).partial();
const natEntry = z.object({
  dir: z.enum(["INGRESS", "EGRESS"]), saddr: z.string(), sport: byte16, daddr: z.string(), dport: byte16, nexthdr: z.number(), to_addr: z.string(),
  to_port: byte16, needs_ct: z.number(),
});

/** The policy verdict notification; `verdict` is the proxy's port in network order where one takes over. */
const policyVerdict = z.object({
  remote_identity: word, dport: byte16, proto: z.number(), match_type: z.number(), verdict: z.number(), auth_type: z.number(), audited: z.number(), cookie: word,
});
const policyStats = z.object({
  endpoint_id: byte16, identity: word, dir: z.enum(["egress", "ingress"]), proto: z.number(), dport: byte16, prefixlen: z.number(), packets: z.number(), bytes: z.number(),
});

const step = z.object({
  node: z.enum(["src", "gw"]),
  hook: z.string(),
  dev: z.string(),
  endpoint: z.string().optional(),
  in_hex: hexFrame,
  in_mark: mark,
  in_tunnel: z.object({ vni: word, remote: z.string() }).optional(),
  vlan_tci: byte16.optional(),
  percpu_ct_tuple_before: z.object({ sport: byte16 }).nullish(),
  map_changes_before: z.array(mapChange).nullish(),
  verdict: z.enum(["OK", "DROP", "REDIRECT"]),
  drop_reason: z.object({ code: z.number(), name: z.string() }).nullish(),
  out_hex: hexFrame.nullish(),
  out_mark: mark,
  redirect: z.object({ kind: z.string(), dev: z.union([z.string(), z.number()]).transform(String), nexthop: z.string().nullish() }).nullish(),
  tunnel_key: z.object({ vni: word, remote: z.string() }).nullish(),
  ct_after: z.array(conntrackEntry).nullish(),
  nat_after: z.array(natEntry).nullish(),
  affinity_after: z.array(affinityEntry).nullish(),
  in: decoded.nullish(),
  nondeterministic: z.array(z.string()).nullish(),
  policy_verdict: policyVerdict.nullish(),
  policy_stats_after: z.array(policyStats).nullish(),
});

export const recordedCase = z.object({
  name: z.string(),
  category: z.string(),
  build: z.string(),
  notes: z.array(z.string()).nullish(),
  config: config.optional(),
  maps: z.object({ source: nodeMaps, gateway: nodeMaps }),
  prefill: z.array(prefill).optional(),
  nat_prefill: prefill.optional(),
  max_entries: z.record(z.string(), z.number().int().min(1)).optional(),
  steps: z.array(step),
});

export type RecordedCase = z.infer<typeof recordedCase>;
export type RecordedStep = RecordedCase["steps"][number];
export type RecordedMaps = z.infer<typeof nodeMaps>;
export type RecordedMapChange = z.infer<typeof mapChange>;
export type RecordedPodPolicy = z.infer<typeof podPolicy>;
export type RecordedAuthentication = z.infer<typeof authenticated>;
export type PolicyVerdict = z.infer<typeof policyVerdict>;
export type PolicyStats = z.infer<typeof policyStats>;
export type RecordedPrefill = z.infer<typeof prefill>;
export type RecordedConfig = z.infer<typeof config>;
export type ConntrackEntry = z.infer<typeof conntrackEntry>;
export type AffinityEntry = z.infer<typeof affinityEntry>;
export type RecordedService = z.infer<typeof service>;
export type NatEntry = z.infer<typeof natEntry>;
