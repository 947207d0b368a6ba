// What `explain` is asked: NAMESPACE/POD[:PORT] and IP[:PORT][/tcp|udp|icmp].
import { parseIpv4 } from "../cluster/cidr.ts";
import { InputError } from "../cluster/input-error.ts";
import { closestName } from "../cluster/spelling.ts";
import type { DatapathTables, LocalEndpoint } from "../control/tables.ts";

export const TCP = 6, UDP = 17, ICMP = 1;
const PROTOCOLS: ReadonlyMap<string, number> = new Map([["tcp", TCP], ["udp", UDP], ["icmp", ICMP]]);
/** A source port in the range that SNAT keeps, as most kernels pick one. */
const DEFAULT_SOURCE_PORT = 43_210;
const DEFAULT_PORT = 443;

export interface PacketRequest {
  readonly pod: LocalEndpoint;
  /** Index of the pod's node. */
  readonly node: number;
  /** Echo identifier for ICMP. */
  readonly sourcePort: number;
  readonly destination: number;
  /** 0 for ICMP. */
  readonly destinationPort: number;
  readonly protocol: number;
}

export function readPacketRequest(from: string, to: string, tables: DatapathTables): PacketRequest {
  const source = /^([^/:]+)\/([^/:]+)(?::(\d+))?$/.exec(from);
  if (source === null) throw problem("--from", `"${from}" is not NAMESPACE/POD or NAMESPACE/POD:PORT`, "for example --from production/pay-1");
  const name = `${source[1] ?? ""}/${source[2] ?? ""}`;
  const found = findPod(tables, name);
  const target = /^([0-9.]+)(?::(\d+))?(?:\/([a-z]+))?$/i.exec(to);
  if (target === null) throw problem("--to", `"${to}" is not IP, IP:PORT or IP:PORT/PROTOCOL`, "for example --to 203.0.113.10:443/tcp");
  const protocol = PROTOCOLS.get((target[3] ?? (target[2] === undefined ? "icmp" : "tcp")).toLowerCase());
  if (protocol === undefined) throw problem("--to", `"${target[3] ?? ""}" is none of tcp, udp, icmp`, "name one of them after the slash");
  const destination = parseIpv4(target[1] ?? "");
  if (!destination.ok) throw problem("--to", `"${target[1] ?? ""}": ${destination.why}`, "for example --to 203.0.113.10:443/tcp");
  return {
    ...found, protocol, destination: destination.value,
    sourcePort: port("--from", source[3], DEFAULT_SOURCE_PORT),
    destinationPort: protocol === ICMP ? 0 : port("--to", target[2], DEFAULT_PORT),
  };
}

function findPod(tables: DatapathTables, name: string): { pod: LocalEndpoint; node: number } {
  const names: string[] = [];
  for (const [node, table] of tables.nodes.entries()) {
    for (const endpoint of table.endpoints) {
      if (endpoint.host) continue;
      if (endpoint.label === name) return { pod: endpoint, node };
      names.push(endpoint.label);
    }
  }
  const near = closestName(name, names);
  throw problem("--from", `no endpoint ${name} in the model (pods on the host's network and finished ones are none)`,
    near === null ? `the model has ${names.length} pods` : `did you mean ${near}?`);
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
