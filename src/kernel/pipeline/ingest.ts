// What a capture does to packets, undone: checksums left to the network card are completed, oversized and cut frames noted.
import { ld16, ld16be, ld32, st16 } from "../mem.ts";
import { N_DEVICES, D_MTU, P_LEN, P_NODE, P_WIRE_LEN } from "../layout.ts";
import { csumBytes, csumFold, csumHalves } from "../wire/checksum.ts";
import { ETH_LEN, IP_DST, IP_HEADER, IP_SRC, IP_TOTAL_LEN, PROTO_TCP, PROTO_UDP } from "../wire/ipv4.ts";
import { IP6_HEADER, IP6_PAYLOAD_LEN, IP6_SRC } from "../wire/ipv6.ts";
import { pseudoCsumOffset } from "../wire/l4.ts";
import { swap16 } from "../wire/swap.ts";
import { fragmented, isIpv6, l4Of, protoOf } from "./family.ts";
import { NC_OVERSIZED, NC_PARTIAL_CSUM, NC_SNAPPED } from "./layout-batch.ts";
import { countNote } from "./tally.ts";

/** Looks at the frame with its whole IP header at `ip` before any hook does. */
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
 * Completed when the segment is whole and does not verify as it stands (RFC 9293 section 3.1, RFC 768, RFC 8200 section 8.1). */
function completePartial(pkt: i32, ip: i32): boolean {
  const six: boolean = isIpv6(pkt), proto: i32 = protoOf(pkt, ip);
  if ((proto !== PROTO_TCP && proto !== PROTO_UDP) || fragmented(pkt, ip)) return false;
  const header: i32 = l4Of(pkt, ip) - ETH_LEN, total: i32 = six ? IP6_HEADER + ld16be(ip + IP6_PAYLOAD_LEN) : ld16be(ip + IP_TOTAL_LEN);
  const segment: i32 = total - header, field: i32 = pseudoCsumOffset(proto);
  if (header < IP_HEADER || segment < field + 2 || ETH_LEN + total > ld32(pkt + P_LEN)) return false;
  const l4: i32 = ip + header;
  const addresses: i32 = six ? csumBytes(ip + IP6_SRC, 32, 0) : csumHalves(ld32(ip + IP_SRC)) + csumHalves(ld32(ip + IP_DST));
  const pseudo: i32 = csumFold(addresses + (proto << 8) + swap16(segment));
  const found: i32 = ld16(l4 + field);
  if (found !== pseudo || csumBytes(l4, segment, pseudo) === 0xffff) return false;
  // The field already holds the pseudo-header's sum, so the segment alone sums to the whole.
  const sum: i32 = ~csumBytes(l4, segment, 0) & 0xffff;
  st16(l4 + field, proto === PROTO_UDP && sum === 0 ? 0xffff : sum);
  return true;
}
