// What tshark says of a capture's frames, with every checksum verified.
import { runTool } from "../io/capture-tools.ts";

const CHECKS = ["ip.check_checksum:TRUE", "tcp.check_checksum:TRUE", "udp.check_checksum:TRUE", "tcp.desegment_tcp_streams:FALSE"].flatMap((preference) => ["-o", preference]);
/** Outermost of each; what an ICMP error quotes comes later. */
const FIELDS = [
  "frame.time_epoch", "frame.protocols", "frame.comment", "ip.src", "ip.dst", "ip.proto", "ip.checksum.status", "tcp.checksum.status", "udp.checksum.status",
  "icmp.checksum.status", "icmp.type", "_ws.malformed", "ipv6.src", "ipv6.dst", "ipv6.nxt", "icmpv6.checksum.status", "icmpv6.type",
] as const;
type Field = (typeof FIELDS)[number];

export interface Dissected {
  readonly time: string;
  readonly protocols: string;
  readonly comment: string;
  readonly source: string;
  readonly destination: string;
  readonly isIcmpError: boolean;
  /** Protocol numbers of the packet and of what it quotes. */
  readonly protocolNumbers: readonly string[];
  /** Which checksums are wrong, and "malformed". */
  readonly faults: readonly string[];
}

const BAD = "0", ICMP_ERRORS = new Set(["3", "4", "5", "11", "12"]), ICMP6_ERRORS = new Set(["1", "2", "3", "4"]);
const EXTENSIONS = new Set(["0", "43", "44", "51", "60"]);

const known = new Map<string, readonly Dissected[]>();

/** Each path is read once. */
export function dissect(path: string): readonly Dissected[] {
  const before = known.get(path);
  if (before !== undefined) return before;
  const packets = readDissected(path);
  known.set(path, packets);
  return packets;
}

function readDissected(path: string): Dissected[] {
  const fields = ["-T", "fields", "-E", "occurrence=a", "-E", "aggregator=;", "-E", "separator=/t", ...FIELDS.flatMap((field) => ["-e", field])];
  const { stdout } = runTool("tshark", ["-n", "-d", "udp.port==8472,vxlan", "-r", path, ...CHECKS, ...fields]);
  return stdout.split("\n").filter((line) => line !== "").map((line) => {
    const values = line.split("\t"), field = (name: Field): string[] => (values[FIELDS.indexOf(name)] ?? "").split(";");
    const first = (name: Field): string => field(name)[0] ?? "";
    // A tunnel's outer packet is IPv4 whatever it carries.
    const six = first("ip.proto") === "", numbers = six ? field("ipv6.nxt") : field("ip.proto");
    const protocol = six ? numbers.find((number) => !EXTENSIONS.has(number)) ?? "" : numbers[0] ?? "";
    const transport = ({ 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6" } as const)[protocol];
    const isIcmpError = (transport === "icmp" && ICMP_ERRORS.has(first("icmp.type"))) || (transport === "icmpv6" && ICMP6_ERRORS.has(first("icmpv6.type")));
    const faults: string[] = [];
    if (first("ip.checksum.status") === BAD) faults.push("ip");
    if (transport !== undefined && first(`${transport}.checksum.status`) === BAD) faults.push(transport);
    // A quote may end anywhere (RFC 792: eight bytes of the transport header are enough).
    if (first("_ws.malformed") !== "" && !isIcmpError) faults.push("malformed");
    return {
      time: first("frame.time_epoch"), protocols: first("frame.protocols"), comment: first("frame.comment"), source: first(six ? "ipv6.src" : "ip.src"), destination: first(six ? "ipv6.dst" : "ip.dst"),
      isIcmpError, protocolNumbers: numbers.filter((number) => !EXTENSIONS.has(number)), faults,
    };
  });
}
