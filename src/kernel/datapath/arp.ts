// ARP from a pod (bpf/lib/arp.h, tail_handle_arp in bpf_lxc.c): its program answers for every address but the pod's own.
// Node hooks let ARP pass.
import { copy, ld16, ld16be, ld32, st16be, st32 } from "../mem.ts";
import { EP_ADDRESS, NOTE_ANSWERED, P_ENDPOINT, P_FRAME, P_LEN } from "../layout.ts";
import { P_SELF_MAC } from "../layout6.ts";
import { VERDICT_OK } from "../verdict.ts";
import { storeMacs } from "./local-delivery.ts";
import { redirectSelf } from "./redirect6.ts";
import { note } from "./note.ts";

/** Offsets from the start of the frame (RFC 826, Ethernet and IPv4). */
const ARP_HARDWARE: i32 = 14;
const ARP_OPERATION: i32 = 20;
const ARP_SENDER_MAC: i32 = 22;
const ARP_SENDER: i32 = 28;
const ARP_TARGET_MAC: i32 = 32;
const ARP_TARGET: i32 = 38;
const ARP_END: i32 = 42;
const HARDWARE_ETHERNET: i32 = 1;
const REQUEST: i32 = 1;
const REPLY: i32 = 2;
const ETH_SRC: i32 = 6;

/** VERDICT_REDIRECT with the answer, VERDICT_OK for what is left to the stack. */
export function answerArp(pkt: i32): i32 {
  const frame: i32 = ld32(pkt + P_FRAME), mac: i32 = ld32(pkt + P_SELF_MAC);
  if (ld32(pkt + P_LEN) < ARP_END || ld16be(frame + ARP_OPERATION) !== REQUEST || ld16be(frame + ARP_HARDWARE) !== HARDWARE_ETHERNET) return VERDICT_OK;
  const broadcast: boolean = ld32(frame) === -1 && ld16(frame + 4) === 0xffff;
  if (!broadcast && (ld32(frame) !== ld32(mac) || ld16(frame + 4) !== ld16(mac + 4))) return VERDICT_OK;
  const sender: i32 = ld32(frame + ARP_SENDER), target: i32 = ld32(frame + ARP_TARGET);
  if (target === ld32(ld32(pkt + P_ENDPOINT) + EP_ADDRESS)) return VERDICT_OK;
  storeMacs(frame, mac, frame + ETH_SRC);
  st16be(frame + ARP_OPERATION, REPLY);
  copy(frame + ARP_SENDER_MAC, mac, 6);
  st32(frame + ARP_SENDER, target);
  copy(frame + ARP_TARGET_MAC, frame, 6);
  st32(frame + ARP_TARGET, sender);
  note(pkt, NOTE_ANSWERED);
  return redirectSelf(pkt);
}
