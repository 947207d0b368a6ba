import { K0, K1, K2, K3, S_FLOW } from "../kernel/layout.ts";
import {
  F_DENIED_BY, F_DROP, F_DROP_BYTES, F_DROP_PACKETS, F_FIRST, F_FIRST_DROP, F_FIRST_NSEC, F_FIRST_SEC, F_FLAGS, F_FWD_BYTES, F_FWD_PACKETS, F_GATEWAY_NODE,
  F_IDENTITY, F_LAST, F_LAST_NSEC, F_LAST_SEC, F_NAT_ADDR, F_NAT_PORT, F_OUTCOME, F_POLICY, F_REPLY_BYTES, F_REPLY_PACKETS, FF_EXCLUDED,
  F_BACKEND, F_BACKEND_PORT, F_SERVICE, FF_OPENER_ASSUMED, FF_OPENER_OUTSIDE,
} from "../kernel/layout-flow.ts";
import { F6_BACKEND, F6_NAT_ADDR, F6_TAIL, S_FLOW6, TAIL_DADDR, TAIL_SADDR } from "../kernel/layout6.ts";
import type { Address, FlowOutcome, FlowRecord } from "../observe/run-result.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import { entriesOf } from "./gather.ts";
import { getAddress6 } from "./image/address6.ts";
import { addressOf, wirePort } from "./image/arena.ts";

/** By OUT_… number. */
const OUTCOMES: readonly FlowOutcome[] = ["passed", "forwarded", "delivered", "passed", "dropped"];

/** The `limit` flows that began first, in the order of their first packets. Shards hold them unordered. */
export function* flowRecords(memory: ClusterMemory, limit: number): Generator<FlowRecord> {
  const { view } = memory.arena;
  let count = 0;
  for (const shard of memory.shards) for (const table of [S_FLOW, S_FLOW6]) for (const _ of entriesOf(view, shard + table)) count++;
  const firsts = new Float64Array(count), entries = new Int32Array(count), sixth = new Uint8Array(count), order = new Uint32Array(count);
  let k = 0;
  for (const shard of memory.shards) {
    for (const table of [S_FLOW, S_FLOW6]) {
      for (const entry of entriesOf(view, shard + table)) {
        firsts[k] = view.getFloat64(entry + F_FIRST, true);
        entries[k] = entry;
        sixth[k] = table === S_FLOW6 ? 1 : 0;
        order[k] = k;
        k++;
      }
    }
  }
  order.sort((a, b) => (firsts[a] as number) - (firsts[b] as number));
  for (const index of order.subarray(0, limit)) {
    // A record that no packet settled is a flow whose packets ended in another shape; there is nothing to tell of it.
    if (firsts[index] !== 0) yield readFlow(view, entries[index] as number, sixth[index] === 1 ? ends6 : ends4);
  }
}

/** Who speaks in a flow, the source's address after translation and the service's backend, 0 or 0n for none. */
interface FlowEnds {
  readonly source: Address;
  readonly destination: Address;
  readonly natAddress: Address;
  readonly backend: Address;
}

function isNone(address: Address): boolean { return address === 0 || address === 0n; }

function ends4(view: DataView, at: number): FlowEnds {
  const address = (offset: number): number => addressOf(view.getInt32(at + offset, true));
  return { source: address(K1), destination: address(K2), natAddress: address(F_NAT_ADDR), backend: address(F_BACKEND) };
}

function ends6(view: DataView, at: number): FlowEnds {
  const address = (offset: number): bigint => getAddress6(view, at + offset);
  return {
    source: address(F6_TAIL + TAIL_DADDR), destination: address(F6_TAIL + TAIL_SADDR), natAddress: address(F6_NAT_ADDR), backend: address(F6_BACKEND),
  };
}

function readFlow(view: DataView, at: number, ends: (view: DataView, at: number) => FlowEnds): FlowRecord {
  const word = (offset: number): number => view.getInt32(at + offset, true), f64 = (offset: number): number => view.getFloat64(at + offset, true);
  const k0 = word(K0), ports = word(K3), flags = word(F_FLAGS), { source, destination, natAddress, backend } = ends(view, at);
  const sourcePort = wirePort(ports & 0xffff), natPort = wirePort(word(F_NAT_PORT)), untouched = isNone(natAddress);
  const assumed = (flags & FF_OPENER_ASSUMED) !== 0, outside = (flags & FF_OPENER_OUTSIDE) !== 0;
  return {
    protocol: (k0 >> 8) & 0xff, source, sourcePort, destination, destinationPort: wirePort(ports >>> 16),
    translated: untouched || (natAddress === source && natPort === sourcePort) ? null : { source: natAddress, sourcePort: natPort },
    sourceNode: k0 >>> 16, gatewayNode: word(F_GATEWAY_NODE), policy: word(F_POLICY), excluded: (flags & FF_EXCLUDED) !== 0, identity: word(F_IDENTITY),
    service: word(F_SERVICE) === 0 ? null : {
      index: word(F_SERVICE) - 1,
      backend: isNone(backend) ? null : { address: backend, port: wirePort(word(F_BACKEND_PORT)) },
    },
    opener: assumed ? (outside ? "assumed-outside" : "assumed-pod") : outside ? "outside" : "pod",
    outcome: OUTCOMES[word(F_OUTCOME)] ?? "passed",
    forward: { packets: f64(F_FWD_PACKETS), bytes: f64(F_FWD_BYTES) },
    reply: { packets: f64(F_REPLY_PACKETS), bytes: f64(F_REPLY_BYTES) },
    dropped: { packets: f64(F_DROP_PACKETS), bytes: f64(F_DROP_BYTES) },
    dropCode: word(F_DROP), networkPolicy: word(F_DENIED_BY) - 1, firstPacket: f64(F_FIRST), lastPacket: f64(F_LAST), firstDroppedPacket: f64(F_FIRST_DROP),
    firstTime: (word(F_FIRST_SEC) >>> 0) + (word(F_FIRST_NSEC) >>> 0) / 1e9, lastTime: (word(F_LAST_SEC) >>> 0) + (word(F_LAST_NSEC) >>> 0) / 1e9,
  };
}
