// Replies of a capture taken at the pods are in their final form. Here they get back the form the outside peer sent: the
// mapping's address and port for the pod's, and the hops that are still to come.
import { copy, ld32, ld8, ldf64, st32, st8, stf64 } from "../mem.ts";
import {
  E_GATEWAY, N_INDEX, P_CSUM_DIFF, P_FLOW, P_FRAME, P_INFO_IDENTITY, P_LEN, P_NAT, P_NODE, P_NOTES, S_NAT, TUPLE_OUT,
  NOTE_DEFECT6_QUOTE_CSUM, NOTE_DEFECT_ECHO_ERROR_CSUM,
} from "../layout.ts";
import { F6_NAT_ADDR, S_NAT6 } from "../layout6.ts";
import { F_GATEWAY_NODE, F_NAT_ADDR, F_NAT_PORT } from "../layout-flow.ts";
import { isZero6 } from "../wire/address6.ts";
import { csumReplace16 } from "../wire/checksum.ts";
import { ETH_LEN, IP_CSUM, IP_HEADER, IP_TTL, ipv4HeaderLen, PROTO_TCP } from "../wire/ipv4.ts";
import { IP6_HOP_LIMIT } from "../wire/ipv6.ts";
import { ICMP_CSUM, ICMP_ID, L4_DPORT, L4_SPORT } from "../wire/l4.ts";
import { egressPolicyFind, identityInCluster, ipcacheFind, namesGateway } from "../datapath/lookups.ts";
import { egressPolicyFind6, ipcacheFind6 } from "../datapath/lookups6.ts";
import { isPortProtocol, keyWord, swapPorts } from "../datapath/ports.ts";
import { outerDiff } from "../datapath/snat-icmp.ts";
import { applyQuoteDiff, quoteChange, quoteSum } from "../datapath/snat-icmp6.ts";
import {
  A_NODE, NC_REPLY_DEFECT, NC_REPLY_DIFFERENT, NC_REPLY_FIRST_DIFFERENT, NC_REPLY_IDENTICAL, NC_REPLY_RESTORED, X_NOTES, X_SAVED,
} from "./layout-batch.ts";
import {
  clusterFind, destinationAt, destinationOf, holdsL4, isIcmp, isIpv6, l4Of, natAddress, natPort, protoOf, rewrite, sameAddress, shardFind,
  sourceAt, sourceOf,
} from "./family.ts";
import { quotedAt, quotedL4, quotedPorts, quotedProto } from "./quoted.ts";
import { nodeAt } from "./nodes.ts";
import { restoreBackend } from "./service-flows.ts";
import { countNote } from "./tally.ts";
import { seqOf } from "./emit.ts";

/** The mapping of flow (pod, remote, ports as the pod sends them) at a node, 0 for none. */
function mappingAt(cx: i32, pkt: i32, node: i32, proto: i32, pod: i32, remote: i32, podPorts: i32): i32 {
  const six: boolean = isIpv6(pkt), before: i32 = ld32(pkt + P_NODE);
  st32(pkt + P_NODE, nodeAt(cx, node));
  // NAT's key has the destination port low and the source port high; an echo identifier stands for the source.
  const ports: i32 = isIcmp(six, proto) ? podPorts << 16 : swapPorts(podPorts);
  const entry: i32 = shardFind(pkt, six, S_NAT, S_NAT6, keyWord(pkt, proto, TUPLE_OUT), remote, pod, ports);
  st32(pkt + P_NODE, before);
  return entry;
}

/** Index of the gateway that the pod's policies name for traffic to `remote`, -1 for none. */
function gatewayFor(cx: i32, pkt: i32, pod: i32, remote: i32): i32 {
  const six: boolean = isIpv6(pkt), known: boolean = six ? ipcacheFind6(pkt, remote) : ipcacheFind(pkt, remote);
  if (known && identityInCluster(pkt, ld32(pkt + P_INFO_IDENTITY))) return -1;
  const record: i32 = six ? egressPolicyFind6(pkt, pod, remote) : egressPolicyFind(pkt, pod, remote);
  // Gateways are named by their IPv4 address in either family.
  const address: i32 = namesGateway(record) ? clusterFind(cx, false, ld32(record + E_GATEWAY)) : 0;
  return address === 0 ? -1 : ld32(address + A_NODE) - 1;
}

/** Index of the node that holds the flow's mapping, with the mapping in P_NAT; -1 without one. The pod's node is P_NODE. */
function findMapping(cx: i32, pkt: i32, proto: i32, pod: i32, remote: i32, podPorts: i32): i32 {
  const own: i32 = ld32(ld32(pkt + P_NODE) + N_INDEX), gateway: i32 = gatewayFor(cx, pkt, pod, remote);
  let node: i32 = gateway;
  let entry: i32 = gateway < 0 ? 0 : mappingAt(cx, pkt, gateway, proto, pod, remote, podPorts);
  if (entry === 0) {
    node = own;
    entry = mappingAt(cx, pkt, own, proto, pod, remote, podPorts);
  }
  st32(pkt + P_NAT, entry);
  return entry === 0 ? -1 : node;
}

/** The hops that the outside peer's packet had ahead of it, as far as the field allows. An IPv6 gateway takes none when it
 * sends a reply into the tunnel. */
function raiseTtl(ip: i32, six: boolean, remoteGateway: boolean): void {
  const at: i32 = six ? ip + IP6_HOP_LIMIT : ip + IP_TTL, ttl: i32 = ld8(at), hops: i32 = remoteGateway && !six ? 2 : 1;
  const raised: i32 = ttl + hops > 255 ? 255 : ttl + hops;
  st8(at, raised);
  if (!six) csumReplace16(ip + IP_CSUM, ttl, raised);
}

/** Rewrites the packet at `ip`, on its way to a pod, into what arrived at the node that translates it. Returns that node's
 * index; the pod's own node where nothing translates. The captured frame is kept in X_SAVED. */
export function restoreReply(cx: i32, pkt: i32, ip: i32, podPorts: i32): i32 {
  const own: i32 = ld32(ld32(pkt + P_NODE) + N_INDEX), six: boolean = isIpv6(pkt), saved: i32 = ld32(cx + X_SAVED);
  copy(saved, ld32(pkt + P_FRAME), ld32(pkt + P_LEN));
  st32(pkt + P_NAT, 0);
  const quoted: i32 = quotedAt(pkt, ip);
  const ports: i32 = quoted !== 0 ? podPorts : restoreBackend(pkt, ip, podPorts);
  const node: i32 = quoted !== 0 ? restoreError(cx, pkt, ip, quoted) : restoreOrdinary(cx, pkt, ip, ports);
  if (node >= 0 || !sameAddress(six, sourceOf(six, ip), sourceOf(six, saved + ETH_LEN))) countNote(cx, NC_REPLY_RESTORED);
  raiseTtl(ip, six, node >= 0 && node !== own);
  st32(pkt + P_NAT, 0);
  return node >= 0 ? node : own;
}

/** Anything but an ICMP error: destination and port become the mapping's. The node, or -1. */
function restoreOrdinary(cx: i32, pkt: i32, ip: i32, podPorts: i32): i32 {
  const six: boolean = isIpv6(pkt), proto: i32 = protoOf(pkt, ip), flow: i32 = ld32(pkt + P_FLOW);
  let node: i32 = findMapping(cx, pkt, proto, destinationOf(six, ip), sourceOf(six, ip), podPorts);
  const mapping: i32 = ld32(pkt + P_NAT);
  let address: i32 = 0;
  let port: i32 = 0;
  if (node >= 0) {
    address = natAddress(six, mapping);
    port = natPort(six, mapping);
  } else if (flow !== 0 && (six ? !isZero6(flow + F6_NAT_ADDR) : ld32(flow + F_NAT_ADDR) !== 0)) {
    // The mapping is gone (evicted, collected); the outside peer still answers to what it once saw.
    node = ld32(flow + F_GATEWAY_NODE);
    address = six ? flow + F6_NAT_ADDR : ld32(flow + F_NAT_ADDR);
    port = ld32(flow + F_NAT_PORT);
  } else return -1;
  const icmp: boolean = isIcmp(six, proto), withPorts: boolean = icmp || isPortProtocol(pkt, proto);
  rewrite(
    pkt, proto, ETH_LEN, withPorts && holdsL4(pkt, ip), l4Of(pkt, ip), address, destinationAt(six), withPorts ? podPorts & 0xffff : 0,
    withPorts ? port : 0, icmp ? ICMP_ID : L4_DPORT, 0,
  );
  return node;
}

/** An ICMP error: the quoted packet, which the pod sent, is given its translated source, the outer checksum the rest. */
function restoreError(cx: i32, pkt: i32, ip: i32, quoted: i32): i32 {
  const six: boolean = isIpv6(pkt), inner: i32 = ld32(pkt + P_FRAME) + quoted, pod: i32 = destinationOf(six, ip);
  const innerL4: i32 = quotedL4(pkt, quoted), proto: i32 = quotedProto(pkt, quoted);
  if (!sameAddress(six, sourceOf(six, inner), pod) || (!six && ipv4HeaderLen(inner) < IP_HEADER)) return -1;
  const podPorts: i32 = quotedPorts(pkt, innerL4, proto);
  const node: i32 = findMapping(cx, pkt, proto, pod, destinationOf(six, inner), podPorts);
  if (node < 0) return -1;
  const mapping: i32 = ld32(pkt + P_NAT), port: i32 = natPort(six, mapping), podPort: i32 = podPorts & 0xffff, innerIcmp: boolean = isIcmp(six, proto);
  const cut: boolean = proto === PROTO_TCP && ld32(pkt + P_LEN) - innerL4 < 18;
  const diff: i32 = six || innerIcmp ? 0 : outerDiff(pkt, innerL4, proto, cut, pod, natAddress(six, mapping), podPort, port);
  const before: i32 = six ? quoteSum(pkt, quoted) : 0;
  rewrite(pkt, proto, quoted, true, innerL4, natAddress(six, mapping), sourceAt(six), podPort, port, innerIcmp ? ICMP_ID : L4_SPORT, 0);
  if (six) applyQuoteDiff(pkt, l4Of(pkt, ip), quoteChange(pkt, quoted, before));
  rewrite(pkt, protoOf(pkt, ip), ETH_LEN, true, l4Of(pkt, ip), natAddress(six, mapping), destinationAt(six), 0, 0, 0, diff);
  st32(pkt + P_CSUM_DIFF, 0);
  return node;
}

/** Compares a delivered reply with what was captured, from the IP header on but for TTL and header checksum. */
export function checkReply(cx: i32, pkt: i32, ip: i32, restoredBefore: f64): void {
  if (ldf64(ld32(cx + X_NOTES) + (NC_REPLY_RESTORED << 3)) === restoredBefore) return;
  const six: boolean = isIpv6(pkt), saved: i32 = ld32(cx + X_SAVED), frame: i32 = ld32(pkt + P_FRAME), length: i32 = ld32(pkt + P_LEN);
  const icmpCsum: i32 = l4Of(pkt, frame + ETH_LEN) + ICMP_CSUM, ttl: i32 = ETH_LEN + (six ? IP6_HOP_LIMIT : IP_TTL);
  // An answer of a program's own making is another packet altogether.
  let different: i32 = frame + ETH_LEN === ip ? 0 : length;
  let inChecksum: i32 = 0;
  for (let k: i32 = ETH_LEN; k < length && different < length; k++) {
    if (k === ttl || (!six && (k === ETH_LEN + IP_CSUM || k === ETH_LEN + IP_CSUM + 1))) continue;
    if (ld8(saved + k) !== ld8(frame + k)) {
      different = different + 1;
      if (k === icmpCsum || k === icmpCsum + 1) inChecksum = inChecksum + 1;
    }
  }
  if (different === 0) countNote(cx, NC_REPLY_IDENTICAL);
  else if (different === inChecksum && (ld32(pkt + P_NOTES) & (NOTE_DEFECT_ECHO_ERROR_CSUM | NOTE_DEFECT6_QUOTE_CSUM)) !== 0) countNote(cx, NC_REPLY_DEFECT);
  else {
    countNote(cx, NC_REPLY_DIFFERENT);
    const first: i32 = ld32(cx + X_NOTES) + (NC_REPLY_FIRST_DIFFERENT << 3);
    const seq: f64 = seqOf(pkt);
    if (ldf64(first) === 0.0 || seq < ldf64(first)) stf64(first, seq);
  }
}
