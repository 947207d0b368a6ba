// What several workers wrote of a stream, put back into the capture's order.
import { copy, ld32, ld8, st32 } from "../mem.ts";
import { B_SIZE, B_WROTE } from "./layout-batch.ts";

/** Copies to `out` what `count` packets wrote to a stream, in their order. `owners` holds the number of each packet's worker (a
 * byte), `places` two words a worker: its next descriptor and its next byte of the stream. Returns the end of what was
 * copied. Neighbours of one worker lie side by side and go in one copy. */
export function joinStream(owners: i32, count: i32, places: i32, stream: i32, out: i32): i32 {
  const wroteAt: i32 = B_WROTE + (stream << 2);
  let to: i32 = out, packet: i32 = 0;
  while (packet < count) {
    const worker: i32 = ld8(owners + packet), place: i32 = places + (worker << 3), from: i32 = ld32(place + 4);
    let d: i32 = ld32(place), length: i32 = 0;
    while (packet < count && ld8(owners + packet) === worker) {
      length = length + ld32(d + wroteAt);
      d = d + B_SIZE;
      packet = packet + 1;
    }
    copy(to, from, length);
    to = to + length;
    st32(place, d);
    st32(place + 4, from + length);
  }
  return to;
}
