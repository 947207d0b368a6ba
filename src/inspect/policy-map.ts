// `bpf policy get` (cilium-dbg/cmd/bpf_policy_get.go, pkg/maps/policymap): an endpoint's network policy map.
import { UNRESTRICTED } from "../control/network-policy/map-state.ts";
import type { NetworkPolicyTables } from "../control/network-policy/network-policy-tables.ts";
import { type EndpointPolicyMap, mapEntries, type PolicyMapEntry, PORT_PREFIX, PROTOCOL_PREFIX } from "../control/network-policy/policy-map.ts";
import type { IdentityLabels } from "./identity-labels.ts";
import { mapTable } from "./map-table.ts";
import { protocolName } from "./protocol-names.ts";

const HEADER = ["POLICY", "DIRECTION", "LABELS (source:key[=value])", "PORT/PROTO", "PROXY PORT", "AUTH TYPE", "BYTES", "PACKETS", "PREFIX", "COOKIE"];
const NUMERIC_HEADER = HEADER.map((title, column) => (column === 2 ? "IDENTITY" : title));
/** pkg/policy/types, by number. */
const AUTH_TYPES = ["disabled", "spire", "test-always-fail"];
/** The key's bits before protocol and port: identity and direction. */
const STATIC_PREFIX = 40;

/** The map of an endpoint with this identity; pods of one identity have one. */
export function policyMapOf({ byIdentity }: NetworkPolicyTables, identity: number): EndpointPolicyMap {
  return byIdentity.get(identity)?.map ?? UNRESTRICTED;
}

/** `labels` null: identities as numbers. Packets and bytes are not counted by entry, which the agent shows as "-". */
export function policyMapLines(map: EndpointPolicyMap, labels: IdentityLabels | null): readonly string[] {
  const rows = inOrder(map).flatMap((entry) => {
    const { identity, deny, direction, proxyPort, authType, prefix, cookie } = entry;
    const [first = String(identity), ...further] = labels?.of(identity) ?? [];
    return [
      [
        deny ? "Deny" : "Allow", direction === "ingress" ? "Ingress" : "Egress", first, portText(entry), proxyPort === 0 ? "NONE" : String(proxyPort),
        AUTH_TYPES[authType] ?? "", "-", "-", String(prefix), String(cookie),
      ],
      ...further.map((label) => ["", "", label]),
    ];
  });
  return mapTable(labels === null ? NUMERIC_HEADER : HEADER, rows);
}

/** By the field names of Go's structs, which have no tags; without Packets and Bytes. */
export function policyMapRecords(map: EndpointPolicyMap): readonly unknown[] {
  return inOrder(map).map(({ identity, direction, protocol, port, prefix, deny, precedence, authType, authExplicit, proxyPort, cookie }) => ({
    ProxyPortNetwork: networkOrder(proxyPort), Flags: (deny ? 1 : 0) | (prefix << 3), AuthRequirement: authType | (authExplicit ? 0x80 : 0),
    Precedence: precedence, Cookie: cookie,
    Key: {
      Prefixlen: STATIC_PREFIX + prefix, Identity: identity, TrafficDirection: direction === "ingress" ? 0 : 1, Nexthdr: protocol,
      DestPortNetwork: networkOrder(port),
    },
  }));
}

/** Denials first, then ingress, then by identity, as the agent sorts. */
function inOrder(map: EndpointPolicyMap): readonly PolicyMapEntry[] {
  const rank = ({ deny, direction }: PolicyMapEntry): number => (deny ? 0 : 2) + (direction === "ingress" ? 0 : 1);
  return [...mapEntries(map)].sort((a, b) => rank(a) - rank(b) || a.identity - b.identity);
}

/** `443/TCP`, `8000-8015/TCP`, `UDP` or `ANY`. */
function portText({ protocol, port, prefix }: PolicyMapEntry): string {
  const name = protocolName(protocol);
  if (prefix <= PROTOCOL_PREFIX) return name;
  return prefix === PORT_PREFIX ? `${port}/${name}` : `${port}-${port + (0xffff >>> (prefix - PROTOCOL_PREFIX))}/${name}`;
}

/** The number that two bytes in network order are on a little-endian machine. */
function networkOrder(port: number): number { return ((port & 0xff) << 8) | (port >>> 8); }
