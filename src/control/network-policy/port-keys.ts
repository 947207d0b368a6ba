// What `toPorts` and `icmps` ask for, as the protocol and port part of policy map keys (pkg/policy/l4.go, NewKeyFromPolicyKey).
import type { IcmpType, PolicyPort } from "../../cluster/network-policy.ts";
import { PORT_PREFIX, PROTOCOL_PREFIX, type PolicyMapKey } from "./policy-map.ts";
import { portPrefixes } from "./port-range.ts";

export type PortKey = Pick<PolicyMapKey, "protocol" | "port" | "prefix">;

export const ANY_PORT: PortKey = { protocol: 0, port: 0, prefix: 0 };
const ICMP = 1, ICMP6 = 58;
/** What a port without protocol stands for: TCP, UDP, SCTP. */
const ANY_PROTOCOL: readonly number[] = [6, 17, 132];

export function portKeys(ports: readonly PolicyPort[]): readonly PortKey[] {
  return ports.flatMap((port) => (port.protocol === null ? ANY_PROTOCOL : [port.protocol]).flatMap((protocol) => keysOf(protocol, port)));
}

export function icmpKeys(types: readonly IcmpType[]): readonly PortKey[] {
  return types.map(({ family, type }) => portKey(family === 4 ? ICMP : ICMP6, type, 16));
}

function keysOf(protocol: number, { port, endPort, name }: PolicyPort): readonly PortKey[] {
  // A name has no number here; the finding says so.
  if (name !== "") return [];
  if (port === 0 && endPort === 0) return [portKey(protocol, 0, 0)];
  return portPrefixes(port, endPort).map((prefix) => portKey(protocol, prefix.port, prefix.bits));
}

/** 1.19 takes port 0 for "no port": a prefix that begins there covers the whole protocol, and ICMP type 0 every type. */
function portKey(protocol: number, port: number, bits: number): PortKey {
  return { protocol, port, prefix: port === 0 ? PROTOCOL_PREFIX : PORT_PREFIX - 16 + bits };
}
