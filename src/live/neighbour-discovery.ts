// Neighbour discovery (RFC 4861): what ARP is to IPv4. Answers for what is simulated here, and questions to the real neighbours.
import { addressBytes } from "../engine/address-book.ts";
import { getAddress6 } from "../engine/image/address6.ts";
import { halvesOf, internetChecksum } from "../engine/internet-checksum.ts";
import { IPV6 } from "../engine/ip-header.ts";
import {
  ICMP6_ADVERTISEMENT, ICMP6_REDIRECT, ICMP6_SOLICITATION, ND_FLAG_OVERRIDE, ND_FLAG_ROUTER, ND_FLAG_SOLICITED, ND_FLAGS, ND_OPTION, ND_OPTION_LEN,
  ND_OPTION_TARGET_MAC, ND_TARGET,
} from "../kernel/wire/icmp6.ts";
import { macAt, putMac } from "./mac.ts";
import type { Surroundings } from "./surroundings.ts";

const ETH_HEADER = 14, ICMP = ETH_HEADER + IPV6.header, TARGET = ICMP + ND_TARGET, OPTIONS = ICMP + ND_OPTION;
const PAYLOAD_LENGTH = ETH_HEADER + 4, NEXT_HEADER = ETH_HEADER + 6, HOP_LIMIT = ETH_HEADER + 7;
const SOURCE = ETH_HEADER + IPV6.source, DESTINATION = ETH_HEADER + IPV6.destination;
/** Types 133 and 134 are the routers' (RFC 4861 sections 4.1, 4.2). */
const ROUTER_SOLICITATION = 133;
const OPTION_SOURCE_MAC = 1;
/** What no router forwards (RFC 4861 section 3.1). */
const ND_HOP_LIMIT = 255;
/** An Ethernet frame with a solicitation or advertisement and one link-layer address option. */
export const ND_LENGTH = OPTIONS + ND_OPTION_LEN;
const UNSPECIFIED = 0n, ALL_NODES = (0xff02n << 112n) | 1n, SOLICITED_NODE = (0xff02n << 112n) | 0x1_ff00_0000n;
const LOW_24 = 0xff_ffffn, LOW_32 = 0xffff_ffffn;

/** By the frame's EtherType. */
export function isIpv6(bytes: Uint8Array, frame: number): boolean {
  return bytes[frame + 12] === IPV6.etherType >>> 8 && bytes[frame + 13] === (IPV6.etherType & 0xff);
}

/** Is the IPv6 frame a message of neighbour or router discovery? */
export function isDiscovery(bytes: Uint8Array, frame: number, length: number): boolean {
  if (length <= ICMP || bytes[frame + NEXT_HEADER] !== IPV6.icmp) return false;
  const type = bytes[frame + ICMP] as number;
  return type >= ROUTER_SOLICITATION && type <= ICMP6_REDIRECT;
}

/** Does a program of a simulated node answer the frame? A pod's program what a pod asks from its own address, a device's program what
 * is asked for a pod or for cilium_host (bpf/lib/icmp6.h); neither looks further than to the target. */
export function isForProgram(bytes: Uint8Array, frame: number, length: number, isAtPods: boolean, around: Surroundings): boolean {
  if (bytes[frame + ICMP] !== ICMP6_SOLICITATION || length < OPTIONS) return false;
  if (isAtPods) return around.podPeers.has(addressAt(bytes, frame + SOURCE));
  const target = addressAt(bytes, frame + TARGET);
  return !around.own.has(target) && (around.podPeers.has(target) || around.routers.has(target));
}

/** A solicitation or advertisement of one that may be believed. */
export interface Message {
  readonly isSolicitation: boolean;
  readonly source: bigint;
  readonly target: bigint;
  /** MAC in the source's (solicitation) or target's (advertisement) link-layer address option; -1 where there is none. */
  readonly mac: number;
  /** May change what is known (RFC 4861 section 4.4). */
  readonly overrides: boolean;
}

/** Reads a solicitation or advertisement and checks it as RFC 4861 sections 7.1.1 and 7.1.2 want it; null for what is to be ignored. */
export function readMessage(bytes: Uint8Array, frame: number, length: number): Message | null {
  const type = bytes[frame + ICMP], size = (bytes[frame + PAYLOAD_LENGTH] as number) * 256 + (bytes[frame + PAYLOAD_LENGTH + 1] as number);
  if (type !== ICMP6_SOLICITATION && type !== ICMP6_ADVERTISEMENT) return null;
  if (size < ND_OPTION || length < ICMP + size || bytes[frame + HOP_LIMIT] !== ND_HOP_LIMIT || bytes[frame + ICMP + 1] !== 0) return null;
  if (internetChecksum(bytes.subarray(frame + ICMP, frame + ICMP + size), pseudoHeader(bytes, frame, size)) !== 0) return null;
  const source = addressAt(bytes, frame + SOURCE), destination = addressAt(bytes, frame + DESTINATION), target = addressAt(bytes, frame + TARGET);
  const isQuestion = type === ICMP6_SOLICITATION, flags = bytes[frame + ICMP + ND_FLAGS] as number;
  const mac = optionMac(bytes, frame + OPTIONS, frame + ICMP + size, isQuestion ? OPTION_SOURCE_MAC : ND_OPTION_TARGET_MAC);
  if (mac === null || isMulticast(target) || isMulticast(source)) return null;
  if (isQuestion && source === UNSPECIFIED && (mac >= 0 || destination !== solicitedNode(target))) return null;
  if (!isQuestion && isMulticast(destination) && (flags & ND_FLAG_SOLICITED) !== 0) return null;
  return { isSolicitation: isQuestion, source, target, mac, overrides: isQuestion || (flags & ND_FLAG_OVERRIDE) !== 0 };
}

/** MAC in the option of the wanted type, -1 without one; null where the options are not what section 4.6 says. */
function optionMac(bytes: Uint8Array, from: number, end: number, wanted: number): number | null {
  let found = -1;
  for (let at = from; at < end;) {
    const size = at + 1 < end ? (bytes[at + 1] as number) * 8 : 0;
    if (size === 0 || at + size > end) return null;
    if (bytes[at] === wanted && size === ND_OPTION_LEN && found < 0) found = macAt(bytes, at + 2);
    at += size;
  }
  return found;
}

/** What a device of the nodes answers a question with. */
export interface Answer {
  readonly mac: number;
  readonly isRouter: boolean;
}

/** Null where nothing here answers. A node's device answers for the addresses of its node, which forwards. At the pods it is the program
 * that answers, which the kernel does for a pod that asks from its own address; what a pod asks from a link-local one (whether its
 * router is still there) is answered here, by the same rule. `asked`: the frame's destination MAC. */
export function answerOf({ source, target }: Message, asked: number, isAtPods: boolean, around: Surroundings): Answer | null {
  const mac = isAtPods ? (around.routers.get(target) ?? around.podPeers.get(target)) : around.own.get(target);
  if (mac === undefined || (isAtPods && source === UNSPECIFIED)) return null;
  return { mac: isAtPods && around.macs.has(asked) ? asked : mac, isRouter: !isAtPods || around.routers.has(target) };
}

/** Turns the question into the answer, in place: ND_LENGTH bytes. Who asks without an address (duplicate address detection, RFC 4862
 * section 5.4) is answered so that all hear it. */
export function advertise(bytes: Uint8Array, frame: number, { source, target }: Message, { mac, isRouter }: Answer): void {
  const isAnonymous = source === UNSPECIFIED, flags = ND_FLAG_OVERRIDE | (isAnonymous ? 0 : ND_FLAG_SOLICITED) | (isRouter ? ND_FLAG_ROUTER : 0);
  const asker = isAnonymous ? multicastMac(ALL_NODES) : macAt(bytes, frame + 6);
  write(bytes, frame, asker, mac, target, isAnonymous ? ALL_NODES : source, ICMP6_ADVERTISEMENT, flags, target, ND_OPTION_TARGET_MAC);
}

/** Writes the question for `target` from a device with `mac` and `address`: ND_LENGTH bytes. */
export function solicit(bytes: Uint8Array, frame: number, mac: number, address: bigint, target: bigint): void {
  const group = solicitedNode(target);
  write(bytes, frame, multicastMac(group), mac, address, group, ICMP6_SOLICITATION, 0, target, OPTION_SOURCE_MAC);
}

function write(
  bytes: Uint8Array, frame: number, to: number, mac: number, source: bigint, destination: bigint, type: number, flags: number, target: bigint, option: number,
): void {
  const size = ND_LENGTH - ICMP;
  bytes.fill(0, frame, frame + ND_LENGTH);
  putMac(bytes, frame, to);
  putMac(bytes, frame + 6, mac);
  bytes[frame + 12] = IPV6.etherType >>> 8;
  bytes[frame + 13] = IPV6.etherType & 0xff;
  bytes[frame + ETH_HEADER] = IPV6.version << 4;
  bytes[frame + PAYLOAD_LENGTH + 1] = size;
  bytes[frame + NEXT_HEADER] = IPV6.icmp;
  bytes[frame + HOP_LIMIT] = ND_HOP_LIMIT;
  bytes.set(addressBytes(source), frame + SOURCE);
  bytes.set(addressBytes(destination), frame + DESTINATION);
  bytes[frame + ICMP] = type;
  bytes[frame + ICMP + ND_FLAGS] = flags;
  bytes.set(addressBytes(target), frame + TARGET);
  bytes[frame + OPTIONS] = option;
  bytes[frame + OPTIONS + 1] = ND_OPTION_LEN >>> 3;
  putMac(bytes, frame + OPTIONS + 2, mac);
  const sum = internetChecksum(bytes.subarray(frame + ICMP, frame + ND_LENGTH), pseudoHeader(bytes, frame, size));
  bytes[frame + ICMP + 2] = sum >>> 8;
  bytes[frame + ICMP + 3] = sum & 0xff;
}

/** RFC 8200 section 8.1. */
function pseudoHeader(bytes: Uint8Array, frame: number, size: number): number {
  return halvesOf(bytes.subarray(frame + SOURCE, frame + ICMP)) + size + IPV6.icmp;
}

function addressAt(bytes: Uint8Array, at: number): bigint { return getAddress6(new DataView(bytes.buffer, bytes.byteOffset), at); }

function isMulticast(address: bigint): boolean { return address >> 120n === 0xffn; }

/** RFC 4291 section 2.7.1. */
function solicitedNode(target: bigint): bigint { return SOLICITED_NODE | (target & LOW_24); }

/** 33:33 and the last four bytes (RFC 2464 section 7). */
function multicastMac(group: bigint): number {
  return macAt(Uint8Array.of(0x33, 0x33, ...addressBytes(group & LOW_32).subarray(12)), 0);
}
