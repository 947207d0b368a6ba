// The sketch of a walk (layout-way.ts): what the pipeline shows of a packet between its first and its last frame.
import { copy, ld32, ldf64, st32, stf64 } from "../mem.ts";
import { P_FRAME, P_LEN, P_NODE, P_TUNNEL_REMOTE, P_TUNNEL_VNI } from "../layout.ts";
import {
  P_SKETCH, SK_CAPTURED, SK_CT_COUNT, SK_FIRST, SK_FRAMES, SK_HEADERS, SK_IDENTICAL, SK_LAST, SK_NODE, SK_ONLY_LOOKED, SK_OUTER_PORT, SK_REMOTE,
  SK_CHANGED, SK_RESTORED, SK_STATE, SK_TUNNEL, SK_TUNNEL_AFTER, SK_TUNNELS, SK_USE, SK_USE_REPLY, SK_USES, SK_VNI,
} from "../layout-way.ts";
import { isIpv6 } from "./family.ts";
import { NC_REPLY_IDENTICAL, NC_REPLY_RESTORED, X_NOTES, X_SKETCH } from "./layout-batch.ts";

/** A packet that changed state leaves no way: its headers are not asked for. */
function headers(pkt: i32, sketch: i32, at: i32): void {
  if (ld32(sketch + SK_STATE) === SK_CHANGED) return;
  const length: i32 = ld32(pkt + P_LEN);
  copy(sketch + at, ld32(pkt + P_FRAME), length < SK_HEADERS ? length : SK_HEADERS);
}

/** From here on the packet's walk is sketched, where the context has room for it. Ways are IPv4's. */
export function beginSketch(cx: i32, pkt: i32): void {
  if (isIpv6(pkt)) return;
  const sketch: i32 = ld32(cx + X_SKETCH);
  st32(pkt + P_SKETCH, sketch);
  if (sketch === 0) return;
  st32(sketch + SK_STATE, SK_ONLY_LOOKED);
  st32(sketch + SK_CT_COUNT, 0);
  st32(sketch + SK_USES, 0);
  st32(sketch + SK_FRAMES, 0);
  st32(sketch + SK_TUNNELS, 0);
  const notes: i32 = ld32(cx + X_NOTES);
  stf64(sketch + SK_IDENTICAL, ldf64(notes + (NC_REPLY_IDENTICAL << 3)));
  stf64(sketch + SK_RESTORED, ldf64(notes + (NC_REPLY_RESTORED << 3)));
  headers(pkt, sketch, SK_CAPTURED);
}

/** The frame as it leaves a pod or comes from outside, and as it gets there. */
export function sketchFrame(pkt: i32): void {
  const sketch: i32 = ld32(pkt + P_SKETCH);
  if (sketch === 0) return;
  const frames: i32 = ld32(sketch + SK_FRAMES);
  st32(sketch + SK_FRAMES, frames + 1);
  if (frames <= 1) headers(pkt, sketch, frames === 0 ? SK_FIRST : SK_LAST);
}

export function sketchTunnel(pkt: i32, port: i32): void {
  const sketch: i32 = ld32(pkt + P_SKETCH);
  if (sketch === 0) return;
  st32(sketch + SK_TUNNELS, ld32(sketch + SK_TUNNELS) + 1);
  st32(sketch + SK_TUNNEL_AFTER, ld32(sketch + SK_FRAMES));
  st32(sketch + SK_NODE, ld32(pkt + P_NODE));
  st32(sketch + SK_REMOTE, ld32(pkt + P_TUNNEL_REMOTE));
  st32(sketch + SK_VNI, ld32(pkt + P_TUNNEL_VNI));
  st32(sketch + SK_OUTER_PORT, port);
  headers(pkt, sketch, SK_TUNNEL);
}

/** The packet was counted as used by a policy or by masquerading. */
export function sketchUse(pkt: i32, counters: i32, reply: boolean): void {
  const sketch: i32 = ld32(pkt + P_SKETCH);
  if (sketch === 0) return;
  st32(sketch + SK_USES, ld32(sketch + SK_USES) + 1);
  st32(sketch + SK_USE, counters);
  st32(sketch + SK_USE_REPLY, reply ? 1 : 0);
}
