import { mul } from "../mem.ts";
import { hash1, hash4 } from "../table/hash.ts";

/** The slot, from 0 below `count`, of a new connection's backend (get_prandom_u32 mod count): 16 bits of a hash of seed,
 * client, service address and ports (source port low), so that one flow more or another number of workers never changes it,
 * and the steering of packets (engine) can draw the same. For IPv6 the addresses are hashes of themselves. With session
 * affinity the source port counts for nothing: the first choice is every choice. `count` is below 65,536. */
export function drawBackend(seed: i32, client: i32, address: i32, ports: i32, proto: i32, affinity: boolean, count: i32): i32 {
  const word: i32 = affinity ? ports & 0xffff0000 : ports;
  return mul(hash1(hash4(client, address, word, proto) ^ mul(seed, 0x9e3779b1 | 0)) & 0xffff, count) >>> 16;
}
