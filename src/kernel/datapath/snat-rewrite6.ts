// Header rewriting for both directions of IPv6 NAT (snat_v6_rewrite_headers), in the real program's order, its partial
// effects on failure included. There is no header checksum; every upper layer but SCTP has the addresses in its own.
import { ld32, st16 } from "../mem.ts";
import { N_FLAGS, NF_SCTP, P_FRAME, P_NODE } from "../layout.ts";
import { DROP_CSUM_L4, DROP_UNKNOWN_L4, DROP_WRITE_ERROR } from "../verdict.ts";
import { copyAddress6, sameAddress6 } from "../wire/address6.ts";
import { csumDiffBytes } from "../wire/checksum.ts";
import { PROTO_SCTP, PROTO_TCP, PROTO_UDP } from "../wire/ipv4.ts";
import { PROTO_ICMP6 } from "../wire/ipv6.ts";
import { ICMP_CSUM, l4CsumApply, pseudoCsumOffset, within } from "../wire/l4.ts";
import { portDiff } from "./snat-rewrite.ts";

/** Replaces the address at IP offset `addrAt` by the one at `newAddr`, and the port at L4 offset `portAt`, in the header pair
 * at frame offsets (l3, l4). 0, or drop 141, 142, 154. */
export function rewriteHeaders6(
  pkt: i32, proto: i32, l3: i32, withL4: boolean, l4: i32, newAddr: i32, addrAt: i32, oldPort: i32, newPort: i32, portAt: i32,
): i32 {
  const frame: i32 = ld32(pkt + P_FRAME);
  const address: i32 = frame + l3 + addrAt;
  if (!within(pkt, l3 + addrAt, 16)) return DROP_WRITE_ERROR;
  if (oldPort === newPort && sameAddress6(address, newAddr)) return 0;
  const diff: i32 = csumDiffBytes(address, newAddr, 16);
  copyAddress6(address, newAddr);
  if (!withL4) return 0;
  const csumAt: i32 = proto === PROTO_ICMP6 ? ICMP_CSUM : pseudoCsumOffset(proto);
  if (oldPort !== newPort) {
    if (proto === PROTO_SCTP && (ld32(ld32(pkt + P_NODE) + N_FLAGS) & NF_SCTP) !== 0) return DROP_CSUM_L4;
    if (proto !== PROTO_TCP && proto !== PROTO_UDP && proto !== PROTO_ICMP6) return DROP_UNKNOWN_L4;
    if (!within(pkt, l4 + portAt, 2)) return DROP_WRITE_ERROR;
    st16(frame + l4 + portAt, newPort);
    if (!within(pkt, l4 + csumAt, 2)) return DROP_CSUM_L4;
    l4CsumApply(frame + l4 + csumAt, portDiff(oldPort, newPort), proto);
  }
  if (csumAt === 0) return 0;
  if (!within(pkt, l4 + csumAt, 2)) return DROP_CSUM_L4;
  l4CsumApply(frame + l4 + csumAt, diff, proto);
  return 0;
}
