// Which backend a connection to a service gets (bpf/lib/lb.h: lb4_select_backend_id, lb6_select_backend_id).
import { ld32, st32 } from "../mem.ts";
import { P_PORTS, P_SHARD, S_FORCED, S_FORCED_COUNT, S_FORCED_NEXT } from "../layout.ts";
import {
  SEL_MAGLEV, SM_SEED, SV_COUNT, SV_FLAGS, SV_MAGLEV, SV_SELECTION, SV_SLOTS, SVF_AFFINITY,
} from "../layout-services.ts";
import { hashAddress6 } from "../table/dynamic6.ts";
import { jhash3, jhashTuple6 } from "../table/jhash.ts";
import { IP_DST, IP_SRC } from "../wire/ipv4.ts";
import { IP6_DST, IP6_SRC } from "../wire/ipv6.ts";
import { drawBackend } from "./backend-draw.ts";

/** Seeds of the tuple hashes, from the agent's default hash seed (pkg/maglev: SeedJhash0, SeedJhash1). */
const MAGLEV_SEED4: i32 = 0xcafe;
const MAGLEV_SEED6: i32 = 0xeb9f;

/** Id of the backend that a packet which opens a connection is sent to, 0 for none. P_PORTS holds its ports; the service
 * has at least one backend. */
export function selectBackend(pkt: i32, ip: i32, maps: i32, service: i32, proto: i32, six: boolean): i32 {
  if (ld32(service + SV_SELECTION) === SEL_MAGLEV) return maglevBackend(pkt, ip, service, proto, six);
  const slot: i32 = forcedSlot(pkt);
  const chosen: i32 = slot >= 0 ? slot : randomSlot(pkt, ip, maps, service, proto, six);
  return ld32(ld32(service + SV_SLOTS) + (chosen << 2));
}

/** The next of the draws whose outcome is given (slots count from 1, as the real map's), -1 without one. */
function forcedSlot(pkt: i32): i32 {
  const shard: i32 = ld32(pkt + P_SHARD);
  const next: i32 = ld32(shard + S_FORCED_NEXT);
  if (next >= ld32(shard + S_FORCED_COUNT)) return -1;
  st32(shard + S_FORCED_NEXT, next + 1);
  return ld32(ld32(shard + S_FORCED) + (next << 2)) - 1;
}

function randomSlot(pkt: i32, ip: i32, maps: i32, service: i32, proto: i32, six: boolean): i32 {
  const client: i32 = six ? hashAddress6(ip + IP6_SRC) : ld32(ip + IP_SRC), address: i32 = six ? hashAddress6(ip + IP6_DST) : ld32(ip + IP_DST);
  const affinity: boolean = (ld32(service + SV_FLAGS) & SVF_AFFINITY) !== 0;
  return drawBackend(ld32(maps + SM_SEED), client, address, ld32(pkt + P_PORTS), proto, affinity, ld32(service + SV_COUNT));
}

/** Maglev: the backend follows from the tuple alone; with affinity from the client alone. */
function maglevBackend(pkt: i32, ip: i32, service: i32, proto: i32, six: boolean): i32 {
  const table: i32 = ld32(service + SV_MAGLEV);
  if (table === 0) return 0;
  const all: i32 = ld32(pkt + P_PORTS);
  const ports: i32 = (ld32(service + SV_FLAGS) & SVF_AFFINITY) !== 0 ? all & 0xffff0000 : all;
  const hash: i32 = six
    ? jhashTuple6(ld32(ip + IP6_SRC), ld32(ip + IP6_SRC + 4), ld32(ip + IP6_SRC + 8), ld32(ip + IP6_SRC + 12), ports, proto, MAGLEV_SEED6)
    : jhash3(ld32(ip + IP_SRC), ports, proto, MAGLEV_SEED4);
  return ld32(table + 4 + (remainder(hash, ld32(table)) << 2));
}

/** Remainder of the 32 bits as a number without sign, by long division; `by` is below 2^30. */
function remainder(bits: i32, by: i32): i32 {
  let left: i32 = 0;
  for (let k: i32 = 31; k >= 0; k--) {
    left = (left << 1) | ((bits >>> k) & 1);
    if (left >= by) left = left - by;
  }
  return left;
}
