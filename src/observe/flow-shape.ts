// The documented shape of a line of flows.jsonl. Only tests load zod through this file: the program takes the types.
import * as z from "zod";

const count = z.int().nonnegative();
const port = count.max(65535);
const address = z.union([z.ipv4(), z.ipv6()]).describe("IPv4, or IPv6 as RFC 5952 writes it");
const tally = z.strictObject({ packets: count, bytes: count });
const time = z.number().describe("Seconds since 1970-01-01T00:00:00Z with fraction");
const packetNumber = z.int().positive().describe("Number of the packet in the merged input, from 1");
const tuple = z.strictObject({ source: address, sourcePort: port, destination: address, destinationPort: port });

export const flowLineSchema = z.strictObject({
  protocol: z.string().describe("TCP, UDP, ICMPv4, ICMPv6, SCTP, …; the number of a protocol without a name"),
  before: tuple.describe("As the pod sees it; ports are 0 where the protocol has none, an ICMP echo's identifier is the source port"),
  after: tuple.nullable().describe("As it left the cluster; null where it never left or left unchanged"),
  pod: z.string().nullable().describe("namespace/name of the pod that has before.source"),
  peerPod: z.string().nullable().describe("namespace/name of the pod that has before.destination"),
  service: z.strictObject({
    name: z.string().describe("namespace/name"),
    backend: z.strictObject({ address, port, pod: z.string().nullable().describe("namespace/name of the pod that has the address") }).nullable()
      .describe("Where the service led; null where it has no backend, or where sockets are translated and the flow still has the service's address"),
  }).nullable().describe("The service that has before.destination and its port"),
  node: z.string().nullable().describe("Node of the source"),
  identity: count.describe("Security identity of the pod's side"),
  policy: z.string().nullable(),
  excluded: z.boolean().describe("True: excludedCIDRs of that policy kept it off the gateway"),
  gateway: z.string().nullable(),
  egressIp: address.nullable().describe("Source address that the policy gave it; null where no policy did"),
  opener: z.enum(["pod", "outside", "assumed-pod", "assumed-outside"]),
  verdict: z.enum(["forwarded", "delivered", "passed", "dropped"]).describe("Outcome of the flow's last packet"),
  drop: z.strictObject({ code: count, text: z.string(), name: z.string() }).nullable().describe("Reason of the first drop"),
  networkPolicy: z.string().nullable().describe("Kind, namespace and name of the network policy behind the first drop; null where none was"),
  forward: tally,
  reply: tally,
  dropped: tally.describe("Dropped packets of both directions, counted apart from forward and reply"),
  firstPacket: packetNumber,
  lastPacket: packetNumber,
  firstDroppedPacket: packetNumber.nullable(),
  firstTime: time,
  lastTime: time,
}).describe("One line of flows.jsonl of egwsim replay");

export type FlowLine = z.infer<typeof flowLineSchema>;
