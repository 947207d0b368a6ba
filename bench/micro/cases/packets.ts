// What is done with a packet's bytes: steering on the main thread, checksums, encapsulation, and a port for a new flow when
// nearly all ports of one destination are taken (what a gateway does shortly before drop 167).
import { AddressBook4, AddressBook6 } from "../../../src/engine/address-book.ts";
import { wirePort, wireWord } from "../../../src/engine/image/arena.ts";
import { ADDRESS_POD } from "../../../src/engine/image/cluster-addresses.ts";
import { type NodeImage, writeNode } from "../../../src/engine/image/node-image.ts";
import { writeShard } from "../../../src/engine/image/shard-image.ts";
import { IPV4 } from "../../../src/engine/ip-header.ts";
import { Steering } from "../../../src/engine/steer.ts";
import { SeededRandom } from "../../../src/generate/random.ts";
import { LINK_OK, LINKTYPE_ETHERNET, LinkLayer, locateNetworkHeader } from "../../../src/io/link-layer.ts";
import {
  P_FRAME, P_LEN, P_NODE, P_SHARD, P_SIZE, P_SNAT_ADDR, P_SNAT_FLAGS, P_SNAT_MAX, P_SNAT_MIN, P_TUNNEL_REMOTE, P_TUNNEL_VNI, P_WIRE_LEN, S_NAT, TUPLE_IN,
} from "../../../src/kernel/layout.ts";
import { STREAM_OVERLAY, X_CURSORS, X_LIMITS, X_MADE, X_SIZE, X_WRITE } from "../../../src/kernel/pipeline/layout-batch.ts";
import { ST_EGRESS_GATEWAY } from "../../../src/kernel/datapath/snat.ts";
import { BUILDS, type TestBed } from "../test-bed.ts";
import type { Question } from "../question.ts";

const ROUNDS = 4096;
const POD = 0x0af40001, REMOTE = 0xc6120001, EGRESS_IP = 0xc0a80164, PODS = 1000;
const FIRST_PORT = 32_768, LAST_PORT = 65_535;
const FILLED = [0, 0.5, 0.9];
const HEADERS = 14 + 20 + 8, SMALL_FRAME = 60, LARGE_FRAME = 1514;
const UDP = 17;

export function packetQuestions(bed: TestBed): Question[] {
  return [steering(), ...[20, LARGE_FRAME - 34].map((length) => checksum(bed, length)),
    ...[SMALL_FRAME, LARGE_FRAME].map((length) => encapsulation(bed, length)), ...FILLED.map((share) => portAllocation(bed, share))];
}

/** An Ethernet frame with a UDP datagram of a pod's to a remote end; nothing here looks at its checksums. */
function frame(length: number, source: number, sourcePort: number): Uint8Array {
  const bytes = new Uint8Array(length), view = new DataView(bytes.buffer);
  view.setUint16(12, 0x0800);
  view.setUint16(14, 0x4500);
  view.setUint16(16, length - 14);
  view.setUint8(22, 64);
  view.setUint8(23, UDP);
  view.setUint32(26, source);
  view.setUint32(30, REMOTE);
  view.setUint16(34, sourcePort);
  view.setUint16(36, 443);
  view.setUint16(38, length - 34);
  return bytes;
}

function steering(): Question {
  const random = new SeededRandom(5);
  const book = new AddressBook4(Array.from({ length: PODS }, (_, k) => ({ address: POD + k, node: k % 10, kind: ADDRESS_POD, ifindex: 2, mac: [] })));
  const steer = new Steering(book, new AddressBook6([]), 8472), link = new LinkLayer(), slot = 64;
  const block = new Uint8Array(ROUNDS * slot);
  for (let k = 0; k < ROUNDS; k++) block.set(frame(SMALL_FRAME, POD + random.below(PODS), random.below(65_536)), k * slot);
  return {
    name: "parse and steer", parameters: `${PODS.toLocaleString("en-US")} pods`, operations: ROUNDS, builds: ["main thread"],
    run: () => {
      let sum = 0;
      for (let k = 0; k < ROUNDS; k++) {
        const at = k * slot;
        if (locateNetworkHeader(LINKTYPE_ETHERNET, block, at, SMALL_FRAME, link) !== LINK_OK) throw new Error("the bench's frame has no network header");
        const length = SMALL_FRAME - link.networkOffset;
        if (steer.steer(IPV4, block, at + link.networkOffset, length, length, true) !== null) throw new Error("the bench's frame enters nowhere");
        sum ^= steer.shard + steer.node;
      }
      return sum;
    },
  };
}

function checksum(bed: TestBed, length: number): Question {
  const at = bed.arena.take(2048, 64), random = new SeededRandom(6);
  for (let k = 0; k < length; k++) bed.arena.bytes[at + k] = random.below(256);
  return {
    name: "checksum", parameters: `${length.toLocaleString("en-US")} bytes`, operations: ROUNDS, builds: BUILDS,
    run: (build) => bed.loops(build === "ts" ? "ts" : "wasm").loopChecksum(at, length, ROUNDS),
  };
}

function encapsulation(bed: TestBed, length: number): Question {
  const { arena } = bed, context = arena.take(X_SIZE, 64), mac = arena.take(8), stream = arena.take(4096, 64);
  const packet = packetOf(bed, frame(length, POD, 40_000));
  arena.put32(packet + P_TUNNEL_VNI, 20_001);
  arena.put32(packet + P_TUNNEL_REMOTE, wireWord(0xc0a80102));
  arena.put32(context + X_MADE, arena.take(1024, 64));
  arena.put32(context + X_WRITE, 1 << STREAM_OVERLAY);
  arena.put32(context + X_CURSORS + 4 * STREAM_OVERLAY, stream);
  arena.put32(context + X_LIMITS + 4 * STREAM_OVERLAY, stream + 4096);
  return {
    name: "encapsulation", parameters: `${length.toLocaleString("en-US")}-byte frame`, operations: ROUNDS, builds: BUILDS,
    run: (build) => {
      const written = bed.loops(build === "ts" ? "ts" : "wasm").loopEncapsulate(context, packet, mac, ROUNDS);
      if (written === 0) throw new Error("nothing was encapsulated");
      return written;
    },
  };
}

function packetOf(bed: TestBed, bytes: Uint8Array): number {
  const { arena } = bed, packet = arena.take(P_SIZE, 64), at = arena.take(bytes.length, 64);
  arena.bytes.set(bytes, at);
  arena.put32(packet + P_FRAME, at);
  arena.put32(packet + P_LEN, bytes.length);
  arena.put32(packet + P_WIRE_LEN, bytes.length);
  arena.put32(packet + P_NODE, writeNode(arena, GATEWAY));
  return packet;
}

const GATEWAY: NodeImage = {
  index: 0, address: 0xc0a80101, flags: 0, policyTable: 0, ipcacheTable: 0, endpoints: [], devices: [], routes: [[]], rules: [], exclusion: null,
  nonMasquerade: null, snatMin: FIRST_PORT, snatMax: LAST_PORT, lifetimes: { tcp: 8000, syn: 60, fin: 10, any: 60 }, worldIdentity: 2, tunnelIfindex: 30,
  tunnelPort: 8472, tunnelMac: [2, 0, 0, 0, 0, 1], hostMac: [2, 0, 0, 0, 0, 2], vlanAllowed: 0,
};

function portAllocation(bed: TestBed, share: number): Question {
  const { arena } = bed, random = new SeededRandom(7), range = LAST_PORT - FIRST_PORT + 1;
  const shard = writeShard(arena, { conntrack: 256, nat: 2 * range + 2, fragments: 256, flows: 256 }, 1);
  const sent = frame(SMALL_FRAME, POD, 40_000), packet = packetOf(bed, sent);
  const template = arena.take(sent.length, 64);
  arena.bytes.set(sent, template);
  arena.put32(packet + P_SHARD, shard);
  arena.put32(packet + P_SNAT_ADDR, wireWord(EGRESS_IP));
  arena.put32(packet + P_SNAT_MIN, FIRST_PORT);
  arena.put32(packet + P_SNAT_MAX, LAST_PORT);
  arena.put32(packet + P_SNAT_FLAGS, ST_EGRESS_GATEWAY);
  const taken = new Set<number>();
  while (taken.size < Math.floor(range * share)) taken.add(FIRST_PORT + random.below(range));
  // The reverse halves alone are what a search meets.
  for (const port of taken) {
    if (bed.insert(shard + S_NAT, (UDP << 8) | TUPLE_IN, wireWord(EGRESS_IP), wireWord(REMOTE), wirePort(port) | (wirePort(443) << 16)) === 0) throw new Error("the NAT table is too small for the bench");
  }
  // Source ports below the range: each flow needs a draw.
  const ports = bed.words(Array.from({ length: ROUNDS }, () => wirePort(1024 + random.below(FIRST_PORT - 1024))));
  return {
    name: "SNAT port for a new flow", parameters: `${Math.round(share * 100)} % of the ports taken`, operations: ROUNDS, builds: BUILDS,
    run: (build) => {
      const found = bed.loops(build === "ts" ? "ts" : "wasm").loopSnat(packet, template, HEADERS, ports, ROUNDS);
      if (found === 0) throw new Error("no flow was given a port");
      return found;
    },
  };
}
