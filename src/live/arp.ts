// ARP (RFC 826): answers for what is simulated here, and questions to the real neighbours.
import { wordAt } from "../engine/address-book.ts";
import { BROADCAST, macAt, putMac } from "./mac.ts";
import { putWord } from "./neighbour-address.ts";
import type { Surroundings } from "./surroundings.ts";

const ETHERTYPE = 12, OPERATION = 20, SENDER_MAC = 22, SENDER = 28, TARGET_MAC = 32, TARGET = 38;
/** An Ethernet frame with an ARP packet, unpadded. */
export const ARP_LENGTH = 42;
const REQUEST = 1, REPLY = 2;
/** Ethernet, IPv4, address lengths 6 and 4. */
const FIXED = Uint8Array.of(0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0);

/** Is the frame (its EtherType says ARP) a packet that RFC 826 describes for Ethernet and IPv4? */
export function isArp(bytes: Uint8Array, frame: number, length: number): boolean {
  if (length < ARP_LENGTH) return false;
  for (let k = 0; k < FIXED.length; k++) if (bytes[frame + ETHERTYPE + k] !== FIXED[k]) return false;
  return true;
}

export function senderOf(bytes: Uint8Array, frame: number): number { return wordAt(bytes, frame + SENDER); }
export function senderMac(bytes: Uint8Array, frame: number): number { return macAt(bytes, frame + SENDER_MAC); }

/** Turns a request into the answer, in place; false where nothing here answers it. A pod's program answers for every address
 * but the pod's own (bpf/lib/arp.h); a node's device for the addresses of its node. */
export function answer(bytes: Uint8Array, frame: number, isAtPods: boolean, around: Surroundings): boolean {
  if (bytes[frame + OPERATION + 1] !== REQUEST) return false;
  const sender = wordAt(bytes, frame + SENDER), target = wordAt(bytes, frame + TARGET);
  const mac = isAtPods ? (target === sender ? undefined : around.podPeers.get(sender)) : around.own.get(target);
  if (mac === undefined) return false;
  const asker = macAt(bytes, frame + SENDER_MAC);
  write(bytes, frame, REPLY, asker, mac, target, asker, sender);
  return true;
}

/** Writes the question for `target` from a device with `mac` and `address`. */
export function ask(bytes: Uint8Array, frame: number, mac: number, address: number, target: number): void {
  write(bytes, frame, REQUEST, BROADCAST, mac, address, 0, target);
}

function write(bytes: Uint8Array, frame: number, operation: number, to: number, mac: number, address: number, targetMac: number, target: number): void {
  putMac(bytes, frame, to);
  putMac(bytes, frame + 6, mac);
  bytes.set(FIXED, frame + ETHERTYPE);
  bytes[frame + OPERATION + 1] = operation;
  putMac(bytes, frame + SENDER_MAC, mac);
  putWord(bytes, frame + SENDER, address);
  putMac(bytes, frame + TARGET_MAC, targetMac);
  putWord(bytes, frame + TARGET, target);
}
