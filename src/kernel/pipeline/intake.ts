// The main thread's common case in one pass: records of a classic capture, whole IPv4 frames on Ethernet between a pod and
// somebody, become descriptors. It ends before the first record that is anything else; reading, steering and describing that
// one is the engine's (chunk-filler.ts), which does the same to these, a call a step (measured: docs/speed.md).
import { ld16be, ld32, ld8, mul, st32, st8 } from "../mem.ts";
import { hash1 } from "../table/hash.ts";
import { staticFind } from "../table/static.ts";
import { ETH_LEN, ETH_TYPE, ETHERTYPE_IPV4, IP_DST, IP_HEADER, IP_PROTO, IP_SRC, PROTO_ICMP } from "../wire/ipv4.ts";
import { ICMP_ECHO, ICMP_ECHO_REPLY } from "../wire/l4.ts";
import {
  A_FURTHER, A_KIND, A_NODE, A_POD, B_ENTRY, B_FRAME, B_LEN, B_NODE, B_NOW, B_NSEC, B_REMOTE, B_SEC, B_SEQ_HI, B_SEQ_LO, B_SHARD, B_SIZE, B_VNI, B_WIRE_LEN,
  ENTRY_POD, ENTRY_REPLY,
} from "./layout-batch.ts";
import {
  IN_ADDRESSES, IN_AT, IN_AT_PODS, IN_BYTES, IN_DUE, IN_END, IN_FIRST_SECOND, IN_LAST_NSEC, IN_LAST_SEC, IN_LEAST_BYTES, IN_NOW, IN_OWNERS, IN_PACKETS,
  IN_PER_SECOND, IN_ROOM, IN_SCALE, IN_SEQ_HI, IN_SEQ_LO, IN_SHARD_MASK, IN_SHARD_OWNERS, IN_WORKER, INW_COUNT, INW_FIRST, INW_SIZE,
} from "./layout-intake.ts";

const RECORD_HEADER: i32 = 16;
const CLOCK_START: i32 = 1000;
/** Longer records are the reader's to judge. */
const LONGEST: i32 = 65536;

/** Takes records as long as they are of the common kind; IN_… say where and how many. */
export function takeRecords(intake: i32): void {
  const end: i32 = ld32(intake + IN_END), room: i32 = ld32(intake + IN_ROOM), most: i32 = ld32(intake + IN_LEAST_BYTES);
  const addresses: i32 = ld32(intake + IN_ADDRESSES), atPods: boolean = ld32(intake + IN_AT_PODS) !== 0, owners: i32 = ld32(intake + IN_OWNERS);
  const perSecond: i32 = ld32(intake + IN_PER_SECOND), scale: i32 = ld32(intake + IN_SCALE), firstSecond: i32 = ld32(intake + IN_FIRST_SECOND);
  const due: i32 = ld32(intake + IN_DUE), shardMask: i32 = ld32(intake + IN_SHARD_MASK);
  let at: i32 = ld32(intake + IN_AT), packets: i32 = 0, bytes: i32 = 0, now: i32 = ld32(intake + IN_NOW), low: i32 = ld32(intake + IN_SEQ_LO), high: i32 = ld32(intake + IN_SEQ_HI);
  while (packets < room && bytes < most && at + RECORD_HEADER <= end) {
    const second: i32 = ld32(at), fraction: i32 = ld32(at + 4), length: i32 = ld32(at + 8), frame: i32 = at + RECORD_HEADER;
    if (second < 0 || fraction < 0 || fraction >= perSecond || length !== ld32(at + 12)) break;
    if (length <= ETH_LEN + IP_HEADER || length > LONGEST || frame + length > end) break;
    const ip: i32 = frame + ETH_LEN;
    if (ld16be(frame + ETH_TYPE) !== ETHERTYPE_IPV4 || ld8(ip) >>> 4 !== 4 || mayQuote(ip)) break;
    const clock: i32 = CLOCK_START + (second - firstSecond);
    if (second - firstSecond > 0x3ffffff || (clock > now ? clock : now) >= due) break;
    const source: i32 = ld32(ip + IP_SRC), destination: i32 = ld32(ip + IP_DST);
    const from: i32 = staticFind(addresses, source), to: i32 = staticFind(addresses, destination);
    const isPods: boolean = from !== 0 && ld32(from + A_KIND) === A_POD;
    if (!isPods && !(atPods && to !== 0 && ld32(to + A_KIND) === A_POD)) break;

    if (clock > now) now = clock;
    const shard: i32 = shardOf(from, to, source, destination) & shardMask;
    const worker: i32 = ld8(intake + IN_SHARD_OWNERS + shard), mine: i32 = intake + IN_WORKER + mul(worker, INW_SIZE), index: i32 = ld32(mine + INW_COUNT);
    const d: i32 = ld32(mine + INW_FIRST) + mul(index, B_SIZE);
    st32(mine + INW_COUNT, index + 1);
    low = low + 1;
    if (low === 0) high = high + 1;
    st32(d + B_FRAME, frame);
    st32(d + B_LEN, length);
    st32(d + B_WIRE_LEN, length);
    st32(d + B_SEC, second);
    st32(d + B_NSEC, mul(fraction, scale));
    st32(d + B_SEQ_LO, low);
    st32(d + B_SEQ_HI, high);
    st32(d + B_ENTRY, isPods ? ENTRY_POD : ENTRY_REPLY);
    st32(d + B_NODE, ld32((isPods ? from : to) + A_NODE) - 1);
    st32(d + B_SHARD, shard);
    st32(d + B_NOW, now);
    st32(d + B_VNI, 0);
    st32(d + B_REMOTE, 0);
    st8(owners + packets, worker);
    st32(intake + IN_LAST_SEC, second);
    st32(intake + IN_LAST_NSEC, mul(fraction, scale));
    packets = packets + 1;
    bytes = bytes + length;
    at = frame + length;
  }
  st32(intake + IN_AT, at);
  st32(intake + IN_PACKETS, packets);
  st32(intake + IN_BYTES, bytes);
  st32(intake + IN_NOW, now);
}

/** As Steering has it, for anything but ICMP: the address outside, or the pair of nodes. */
function shardOf(from: i32, to: i32, source: i32, destination: i32): i32 {
  if (isOutside(from)) return hash1(source);
  if (isOutside(to)) return hash1(destination);
  const a: i32 = ld32(from + A_NODE) - 1, b: i32 = ld32(to + A_NODE) - 1;
  return hash1(a < b ? (a << 16) + b : (b << 16) + a);
}

/** ICMP but for plain echo: an error's shard is that of the flow it quotes. */
function mayQuote(ip: i32): boolean {
  if (ld8(ip + IP_PROTO) !== PROTO_ICMP) return false;
  const type: i32 = ld8(ip + IP_HEADER);
  return ld8(ip) !== 0x45 || (type !== ICMP_ECHO && type !== ICMP_ECHO_REPLY);
}

function isOutside(address: i32): boolean { return address === 0 || ld32(address + A_KIND) === A_FURTHER; }
