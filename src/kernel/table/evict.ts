import { ld32, st32 } from "../mem.ts";
import { T_EVICTED } from "../layout.ts";
import { remove } from "./dynamic.ts";

/** Takes out an entry, and with it `partner` (0: none) that is of no use without it; counts both as evicted. How many. */
export function evict(table: i32, entry: i32, partner: i32): i32 {
  if (partner !== 0) remove(table, partner);
  remove(table, entry);
  const gone: i32 = partner !== 0 ? 2 : 1;
  st32(table + T_EVICTED, ld32(table + T_EVICTED) + gone);
  return gone;
}
