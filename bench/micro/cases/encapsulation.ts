// A frame into the tunnel's output block behind its outer headers, the inner ones made anew.
import { wireWord } from "../../../src/engine/image/arena.ts";
import { P_TUNNEL_REMOTE, P_TUNNEL_VNI } from "../../../src/kernel/layout.ts";
import { STREAM_OVERLAY, X_CURSORS, X_LIMITS, X_MADE, X_SIZE, X_WRITE } from "../../../src/kernel/pipeline/layout-batch.ts";
import { ofBuilds, type Question, ROUNDS } from "../question.ts";
import { frame, LARGE_FRAME, packetOf, POD, SMALL_FRAME } from "../sample-packet.ts";
import type { TestBed } from "../test-bed.ts";

export function encapsulations(bed: TestBed): Question[] {
  return [SMALL_FRAME, LARGE_FRAME].map((length) => encapsulation(bed, length));
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
  return ofBuilds("encapsulation", `${length.toLocaleString("en-US")}-byte frame`, (build) => {
    const written = bed.loops(build).loopEncapsulate(context, packet, mac, ROUNDS);
    if (written === 0) throw new Error("nothing was encapsulated");
    return written;
  });
}
