// Header rewriting for both directions of NAT (snat_v4_rewrite_headers): addresses and ports with their checksums, in
// the real program's order, its partial effects on failure included.
import { ld32, st16, st32 } from "../mem.ts";
import { N_FLAGS, NF_SCTP, P_FRAME, P_NODE } from "../layout.ts";
import { csumApplyDiff, csumDiff32, csumFold } from "../wire/checksum.ts";
import { IP_CSUM, PROTO_ICMP, PROTO_SCTP, PROTO_TCP, PROTO_UDP } from "../wire/ipv4.ts";
import { ICMP_CSUM, l4CsumApply, pseudoCsumOffset, within } from "../wire/l4.ts";
import { DROP_CSUM_L4, DROP_UNKNOWN_L4, DROP_WRITE_ERROR } from "../verdict.ts";

/** Difference of replacing one 16-bit port by another, as the helper's 32-bit arithmetic folds it. */
export function portDiff(from: i32, to: i32): i32 { return csumFold((~from & 0xffff) + 0xffff + to); }

/** Replaces the address at IP offset `addrAt` and the port at L4 offset `portAt` in the header pair at frame offsets
 * (l3, l4). `extra` is a further difference for an ICMP checksum that nothing else touches, 0 for none.
 * 0, or drop 141, 142, 154. */
export function rewriteHeaders(
  pkt: i32, proto: i32, l3: i32, withL4: boolean, l4: i32, oldAddr: i32, newAddr: i32, addrAt: i32, oldPort: i32, newPort: i32, portAt: i32, extra: i32,
): i32 {
  if (oldAddr === newAddr && oldPort === newPort && extra === 0) return 0;
  const frame: i32 = ld32(pkt + P_FRAME);
  const diff: i32 = csumDiff32(oldAddr, newAddr);
  if (!within(pkt, l3 + addrAt, 4)) return DROP_WRITE_ERROR;
  st32(frame + l3 + addrAt, newAddr);
  csumApplyDiff(frame + l3 + IP_CSUM, diff);
  if (!withL4) return 0;
  if (oldPort !== newPort) {
    let csumAt: i32 = pseudoCsumOffset(proto);
    if (proto === PROTO_ICMP) csumAt = ICMP_CSUM;
    else if (proto === PROTO_SCTP && (ld32(ld32(pkt + P_NODE) + N_FLAGS) & NF_SCTP) !== 0) return DROP_CSUM_L4;
    else if (proto !== PROTO_TCP && proto !== PROTO_UDP) return DROP_UNKNOWN_L4;
    if (!within(pkt, l4 + portAt, 2)) return DROP_WRITE_ERROR;
    st16(frame + l4 + portAt, newPort);
    if (!within(pkt, l4 + csumAt, 2)) return DROP_CSUM_L4;
    l4CsumApply(frame + l4 + csumAt, portDiff(oldPort, newPort), proto);
  }
  const pseudoAt: i32 = pseudoCsumOffset(proto);
  if (pseudoAt !== 0) {
    if (!within(pkt, l4 + pseudoAt, 2)) return DROP_CSUM_L4;
    l4CsumApply(frame + l4 + pseudoAt, diff, proto);
  } else if (extra !== 0) {
    if (!within(pkt, l4 + ICMP_CSUM, 2)) return DROP_CSUM_L4;
    l4CsumApply(frame + l4 + ICMP_CSUM, extra, proto);
  }
  return 0;
}

