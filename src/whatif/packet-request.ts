// What `explain` is asked: NAMESPACE/POD[:PORT] and IP[:PORT][/tcp|udp|icmp], an IPv6 address with a port in brackets.
import { parseAddress } from "../cluster/cidr.ts";
import { InputError } from "../cluster/input-error.ts";
import { closestName } from "../cluster/spelling.ts";
import type { DatapathTables, LocalEndpointOf } from "../control/tables.ts";
import type { Address } from "../observe/run-result.ts";

export const TCP = 6, UDP = 17, ICMP = 1, ICMP6 = 58;
const PROTOCOLS: ReadonlyMap<string, number> = new Map([["tcp", TCP], ["udp", UDP], ["icmp", ICMP]]);
/** A source port in the range that SNAT keeps, as most kernels pick one. */
const DEFAULT_SOURCE_PORT = 43_210;
const DEFAULT_PORT = 443;
/** [IPV6]:PORT, IPV4:PORT or either without a port; then a protocol. */
const TARGET = /^(?:\[([0-9a-f:.]+)\](?::(\d+))?|([0-9.]+)(?::(\d+))?|([0-9a-f]*:[0-9a-f:.]*))(?:\/([a-z]+))?$/i;
const EXAMPLES = "for example --to 203.0.113.10:443/tcp or --to [2001:db8:113::10]:443/tcp";

export function isIcmp(protocol: number): boolean { return protocol === ICMP || protocol === ICMP6; }

export interface PacketRequest {
  /** With its address of the destination's family. */
  readonly pod: LocalEndpointOf<Address>;
  /** Index of the pod's node. */
  readonly node: number;
  /** Echo identifier for ICMP. */
  readonly sourcePort: number;
  readonly destination: Address;
  /** 0 for ICMP. */
  readonly destinationPort: number;
  readonly protocol: number;
}

export function readPacketRequest(from: string, to: string, tables: DatapathTables): PacketRequest {
  const source = /^([^/:]+)\/([^/:]+)(?::(\d+))?$/.exec(from);
  if (source === null) throw problem("--from", `"${from}" is not NAMESPACE/POD or NAMESPACE/POD:PORT`, "for example --from production/pay-1");
  const target = TARGET.exec(to);
  if (target === null) throw problem("--to", `"${to}" is not IP, IP:PORT or IP:PORT/PROTOCOL`, EXAMPLES);
  const [, six, sixPort, four, fourPort, bare, word] = target, text = six ?? four ?? bare ?? "", toPort = sixPort ?? fourPort;
  const named = PROTOCOLS.get((word ?? (toPort === undefined ? "icmp" : "tcp")).toLowerCase());
  if (named === undefined) throw problem("--to", `"${word ?? ""}" is none of tcp, udp, icmp`, "name one of them after the slash");
  const destination = parseAddress(text);
  if (!destination.ok) throw problem("--to", `"${text}": ${destination.why}`, EXAMPLES);
  const { family, value } = destination.value, protocol = named === ICMP && family === 6 ? ICMP6 : named;
  return {
    ...findPod(tables, `${source[1] ?? ""}/${source[2] ?? ""}`, family), protocol, destination: value,
    sourcePort: port("--from", source[3], DEFAULT_SOURCE_PORT),
    destinationPort: isIcmp(protocol) ? 0 : port("--to", toPort, DEFAULT_PORT),
  };
}

function findPod(tables: DatapathTables, name: string, family: 4 | 6): { pod: LocalEndpointOf<Address>; node: number } {
  const names = new Set<string>();
  for (const [node, table] of tables.nodes.entries()) {
    for (const endpoint of family === 6 ? table.endpoints6 : table.endpoints) if (!endpoint.host && endpoint.label === name) return { pod: endpoint, node };
    for (const { host, label } of [...table.endpoints, ...table.endpoints6]) if (!host) names.add(label);
  }
  if (names.has(name)) throw problem("--from", `${name} has no IPv${family} address`, family === 6 && !tables.config.ipv6 ? "is enable-ipv6 set in the configuration?" : "ask for the other family");
  const near = closestName(name, [...names]);
  throw problem("--from", `no endpoint ${name} in the model (pods on the host's network and finished ones are none)`,
    near === null ? `the model has ${names.size} pods` : `did you mean ${near}?`);
}

function port(subject: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const number = Number(text);
  if (number >= 1 && number <= 65_535) return number;
  throw problem(subject, `${text} is no port`, "give a number from 1 to 65535");
}

function problem(subject: string, message: string, cure: string): InputError {
  return new InputError([{ at: null, subject, message, cure }]);
}
