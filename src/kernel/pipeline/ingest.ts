// What a capture does to packets, undone: checksums left to the network card are completed, oversized and cut frames noted.
import { ld16, ld16be, ld32, ld8, st16 } from "../mem.ts";
import { N_DEVICES, D_MTU, P_LEN, P_NODE, P_WIRE_LEN } from "../layout.ts";
import { csumBytes, csumFold, csumHalves } from "../wire/checksum.ts";
import { ETH_LEN, IP_DST, IP_PROTO, IP_SRC, IP_TOTAL_LEN, ipv4HeaderLen, isFragment, PROTO_TCP, PROTO_UDP } from "../wire/ipv4.ts";
import { pseudoCsumOffset } from "../wire/l4.ts";
import { NC_OVERSIZED, NC_PARTIAL_CSUM, NC_SNAPPED } from "./layout-batch.ts";
import { countNote } from "./tally.ts";

/** Looks at the frame with its whole IPv4 header at `ip` before any hook does. */
export function ingest(cx: i32, pkt: i32, ip: i32): void {
  const length: i32 = ld32(pkt + P_LEN);
  if (length < ld32(pkt + P_WIRE_LEN)) {
    countNote(cx, NC_SNAPPED);
    return;
  }
  if (length > ld32(ld32(ld32(pkt + P_NODE) + N_DEVICES) + D_MTU) + ETH_LEN) countNote(cx, NC_OVERSIZED);
  if (completePartial(pkt, ip)) countNote(cx, NC_PARTIAL_CSUM);
}

/** CHECKSUM_PARTIAL as a capture on the sending host shows it: the field holds the pseudo-header's sum, not its complement.
 * Completed when the segment is whole and does not verify as it stands (RFC 9293 section 3.1, RFC 768). */
function completePartial(pkt: i32, ip: i32): boolean {
  const proto: i32 = ld8(ip + IP_PROTO);
  if ((proto !== PROTO_TCP && proto !== PROTO_UDP) || isFragment(ip)) return false;
  const header: i32 = ipv4HeaderLen(ip), total: i32 = ld16be(ip + IP_TOTAL_LEN);
  const segment: i32 = total - header, field: i32 = pseudoCsumOffset(proto);
  if (header < 20 || segment < field + 2 || ETH_LEN + total > ld32(pkt + P_LEN)) return false;
  const l4: i32 = ip + header;
  const pseudo: i32 = csumFold(csumHalves(ld32(ip + IP_SRC)) + csumHalves(ld32(ip + IP_DST)) + (proto << 8) + (((segment & 0xff) << 8) | (segment >>> 8)));
  const found: i32 = ld16(l4 + field);
  if (found !== pseudo || csumBytes(l4, segment, pseudo) === 0xffff) return false;
  // The field already holds the pseudo-header's sum, so the segment alone sums to the whole.
  const sum: i32 = ~csumBytes(l4, segment, 0) & 0xffff;
  st16(l4 + field, proto === PROTO_UDP && sum === 0 ? 0xffff : sum);
  return true;
}

