// Loops over single parts of the datapath kernel, compiled like the kernel itself: by tsc and by asc. One call runs many
// rounds, so that the call from JavaScript does not count. Each returns a sum, so that nothing can be left out.
import { copy, ld32, ld8, mul, st16, st32 } from "../../../src/kernel/mem.ts";
import { K0, K1, K3, P_FRAME, P_NAT, P_SHARD, P_SNAT_MAX, P_SNAT_MIN, S_NAT, TUPLE_IN, X_ADDR, X_PORT } from "../../../src/kernel/layout.ts";
import { X_CURSORS, STREAM_OVERLAY } from "../../../src/kernel/pipeline/layout-batch.ts";
import { emitTunnel } from "../../../src/kernel/pipeline/emit.ts";
import { isPlain, L4 } from "../../../src/kernel/pipeline/plain.ts";
import { snatForward } from "../../../src/kernel/datapath/snat.ts";
import { find, insert, remove } from "../../../src/kernel/table/dynamic.ts";
import { policyFind, prefixFind } from "../../../src/kernel/table/static.ts";
import { csumBytes } from "../../../src/kernel/wire/checksum.ts";
import { ETH_LEN, IP_DST, IP_HEADER, IP_PROTO, IP_SRC, ipv4Header } from "../../../src/kernel/wire/ipv4.ts";

const KEY_BYTES: i32 = 16;

/** The loop and one load alone: what the others' figures contain beside their work. */
export function loopBaseline(words: i32, rounds: i32): i32 {
  let sum: i32 = 0;
  for (let k: i32 = 0; k < rounds; k++) sum = sum ^ ld32(words + (k << 2));
  return sum;
}

export function loopPrefix(table: i32, addresses: i32, rounds: i32): i32 {
  let sum: i32 = 0;
  for (let k: i32 = 0; k < rounds; k++) sum = sum ^ prefixFind(table, ld32(addresses + (k << 2)));
  return sum;
}

/** `pairs` holds a source and a destination word each. */
export function loopPolicy(table: i32, pairs: i32, rounds: i32): i32 {
  let sum: i32 = 0;
  for (let k: i32 = 0; k < rounds; k++) sum = sum ^ policyFind(table, ld32(pairs + (k << 3)), ld32(pairs + (k << 3) + 4));
  return sum;
}

export function loopChecksum(at: i32, length: i32, rounds: i32): i32 {
  let sum: i32 = 0;
  for (let k: i32 = 0; k < rounds; k++) sum = csumBytes(at, length, sum);
  return sum;
}

/** Frames that lie `stride` apart: what they are, and the words of a flow's key. */
export function loopParse(frames: i32, stride: i32, length: i32, rounds: i32): i32 {
  let sum: i32 = 0;
  for (let k: i32 = 0; k < rounds; k++) {
    const frame: i32 = frames + mul(k, stride), ip: i32 = frame + ETH_LEN;
    if (isPlain(frame, length, length)) sum = sum ^ ld8(ip + IP_PROTO) ^ ld32(ip + IP_SRC) ^ ld32(ip + IP_DST) ^ ld32(frame + L4);
  }
  return sum;
}

/** `keys` holds four words each, as the tables' keys are. */
export function loopFind(table: i32, keys: i32, rounds: i32): i32 {
  let sum: i32 = 0;
  for (let k: i32 = 0; k < rounds; k++) {
    const key: i32 = keys + (k << 4);
    sum = sum ^ find(table, ld32(key), ld32(key + 4), ld32(key + 8), ld32(key + 12));
  }
  return sum;
}

/** An entry is put in and taken out again: the table is as full after a round as before it. */
export function loopInsertRemove(table: i32, keys: i32, rounds: i32): i32 {
  let sum: i32 = 0;
  for (let k: i32 = 0; k < rounds; k++) {
    const key: i32 = keys + k * KEY_BYTES;
    const entry: i32 = insert(table, ld32(key), ld32(key + 4), ld32(key + 8), ld32(key + 12));
    sum = sum ^ entry;
    remove(table, entry);
  }
  return sum;
}

/** The packet's frame into the overlay stream with its outer headers, always to the place where the stream begins. */
export function loopEncapsulate(context: i32, packet: i32, mac: i32, rounds: i32): i32 {
  const start: i32 = ld32(context + X_CURSORS + (STREAM_OVERLAY << 2));
  for (let k: i32 = 0; k < rounds; k++) {
    st32(context + X_CURSORS + (STREAM_OVERLAY << 2), start);
    emitTunnel(context, packet, k, k & 0xffff, mac);
  }
  const written: i32 = ld32(context + X_CURSORS + (STREAM_OVERLAY << 2)) - start;
  st32(context + X_CURSORS + (STREAM_OVERLAY << 2), start);
  return written;
}

/** A flow of the packet's pod is given a port and its packet rewritten; then the mapping is taken out again, unless it is to be
 * `kept` for the next time. `template` holds the frame's headers as the pod sends them, `ports` the source ports (wire order) of
 * the flows. Returns how many were translated. */
export function loopSnat(packet: i32, template: i32, headers: i32, ports: i32, rounds: i32, kept: i32): i32 {
  const frame: i32 = ld32(packet + P_FRAME), table: i32 = ld32(packet + P_SHARD) + S_NAT;
  const min: i32 = ld32(packet + P_SNAT_MIN), max: i32 = ld32(packet + P_SNAT_MAX);
  let found: i32 = 0;
  for (let k: i32 = 0; k < rounds; k++) {
    copy(frame, template, headers);
    st16(frame + ETH_LEN + IP_HEADER, ld32(ports + (k << 2)));
    st32(packet + P_SNAT_MIN, min);
    st32(packet + P_SNAT_MAX, max);
    if (snatForward(packet, ipv4Header(packet)) !== 0) continue;
    found = found + 1;
    if (kept !== 0) continue;
    const forward: i32 = ld32(packet + P_NAT);
    const back: i32 = find(
      table, ld32(forward + K0) ^ TUPLE_IN, ld32(forward + X_ADDR), ld32(forward + K1), ld32(forward + X_PORT) | (ld32(forward + K3) << 16),
    );
    if (back !== 0) remove(table, back);
    remove(table, forward);
  }
  return found;
}
