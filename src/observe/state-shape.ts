// The documented shape of state.jsonl, what a replay leaves of the nodes' maps: a first line about the run, then a line for
// each entry. A state file is input like any other: what reads it checks every line against this.
import * as z from "zod";
import { CONNTRACK_MAPS, FLOW_MAPS, NAT_MAPS } from "./map-records.ts";

const count = z.int().nonnegative();
const port = count.max(65535);
const address = z.union([z.ipv4(), z.ipv6()]);
const seconds = z.int().min(-0x80000000).max(0x7fffffff);
const byte = count.max(255);
const node = z.string().min(1).max(253);

export const STATE_SCHEMA = "egwsim-state/1";

export const stateHeaderSchema = z.strictObject({
  schema: z.literal(STATE_SCHEMA),
  version: z.string().max(100).describe("Version of egwsim that ran"),
  semantics: z.enum(["cilium-1.19", "intent"]),
  cluster: z.array(z.string()).describe("The manifests, as they were named"),
  tables: z.string().regex(/^[0-9a-f]{64}$/).describe("SHA-256 of what the manifests were compiled to"),
  clock: seconds.describe("Seconds on the datapath's clock at the end of the run"),
  maps: z.array(z.strictObject({ node, map: z.enum(FLOW_MAPS), entries: count, listed: count }))
    .describe("Maps that hold anything, and how many of their entries follow"),
}).describe("First line of state.jsonl of egwsim replay");

const key = {
  node,
  protocol: byte.describe("IP protocol number"),
  flags: byte.describe("Bits of the tuple: 1 in, 2 related, 4 service; 0 is out"),
  source: address.describe("As the map's key has it: conntrack has source and destination the other way round than the packet"),
  sourcePort: port,
  destination: address,
  destinationPort: port,
};

export const conntrackLineSchema = z.strictObject({
  map: z.enum(CONNTRACK_MAPS), ...key,
  packets: count, bytes: count,
  expires: seconds.describe("On the datapath's clock"),
  state: count.max(65535).describe("Bit field of the entry: 1 RxClosing, 2 TxClosing, 16 SeenNonSyn, 1024 FromTunnel, …"),
  revNat: port, txFlagsSeen: byte, rxFlagsSeen: byte,
  identity: count.max(0xffffffff),
  lastTxReport: seconds, lastRxReport: seconds,
  backendId: count.max(0xffffffff).describe("Of a service's entry (flag 4), else 0"),
});

export const natLineSchema = z.strictObject({
  map: z.enum(NAT_MAPS), ...key,
  toAddress: address, toPort: port, created: seconds, needsCt: count.max(1),
});

export const stateLineSchema = z.discriminatedUnion("map", [conntrackLineSchema, natLineSchema]).describe("A further line of state.jsonl");

export type StateHeader = z.infer<typeof stateHeaderSchema>;
export type ConntrackLine = z.infer<typeof conntrackLineSchema>;
export type NatLine = z.infer<typeof natLineSchema>;
