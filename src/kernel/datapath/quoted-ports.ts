// The ports of the packet that an ICMP error quotes, of either family; an echo's identifier stands for a port (RFC 5508 section 3).
import { ld16, ld32, ld8 } from "../mem.ts";
import { P_FRAME } from "../layout.ts";
import { DROP_INVALID } from "../verdict.ts";
import { ICMP_ID, ICMP_TYPE, within } from "../wire/l4.ts";
import { isPortProtocol } from "./ports.ts";

/** The quoted protocol has neither ports nor echo identifiers. */
export const QUOTE_WITHOUT_PORTS: i32 = 1;
/** Quoted ICMP of another type than the one asked for. */
export const QUOTE_OF_OTHER_TYPE: i32 = 2;

/** Can ports be read from the quoted header at `innerL4` (an offset in the frame)? `icmp` is the family's protocol number of ICMP,
 * `echo` the type whose identifier counts. 0, one of the above, or DROP_INVALID where the quote ends before them. */
export function quotedPortsMissing(pkt: i32, innerL4: i32, proto: i32, icmp: i32, echo: i32): i32 {
  if (isPortProtocol(pkt, proto)) return within(pkt, innerL4, 4) ? 0 : DROP_INVALID;
  if (proto !== icmp) return QUOTE_WITHOUT_PORTS;
  if (!within(pkt, innerL4, 1)) return DROP_INVALID;
  if (quotedType(pkt, innerL4) !== echo) return QUOTE_OF_OTHER_TYPE;
  return within(pkt, innerL4 + ICMP_ID, 2) ? 0 : DROP_INVALID;
}

/** Type of the quoted ICMP message. */
export function quotedType(pkt: i32, innerL4: i32): i32 { return ld8(ld32(pkt + P_FRAME) + innerL4 + ICMP_TYPE); }

/** Both quoted ports in wire order, the source in the lower half; an echo's identifier stands in the lower one. */
export function quotedPorts(pkt: i32, innerL4: i32, isEcho: boolean): i32 {
  const at: i32 = ld32(pkt + P_FRAME) + innerL4;
  return isEcho ? ld16(at + ICMP_ID) : ld32(at);
}
