// Replies of a capture taken at the pods are in their final form. Here they get back the form the outside peer sent: the
// mapping's address and port for the pod's, and the hops that are still to come.
import { copy, ld16be, ld32, ld8, ldf64, st32, st8, stf64 } from "../mem.ts";
import {
  E_GATEWAY, N_INDEX, P_CSUM_DIFF, P_FLOW, P_FRAME, P_INFO_IDENTITY, P_LEN, P_NAT, P_NODE, P_NOTES, P_SHARD, S_NAT, TUPLE_OUT, X_ADDR, X_PORT,
  NOTE_DEFECT_ECHO_ERROR_CSUM,
} from "../layout.ts";
import { F_GATEWAY_NODE, F_NAT_ADDR, F_NAT_PORT } from "../layout-flow.ts";
import { find } from "../table/dynamic.ts";
import { staticFind } from "../table/static.ts";
import { csumReplace16 } from "../wire/checksum.ts";
import { ETH_LEN, hasL4Header, IP_CSUM, IP_DST, IP_HEADER, IP_PROTO, IP_SRC, IP_TTL, ipv4HeaderLen, l4Offset, PROTO_ICMP } from "../wire/ipv4.ts";
import { ICMP_CSUM, ICMP_HEADER, ICMP_ID, L4_DPORT, L4_SPORT, within } from "../wire/l4.ts";
import { identityInCluster, ipcacheFind, egressPolicyFind, namesGateway } from "../datapath/lookups.ts";
import { isPortProtocol, keyWord, swapPorts } from "../datapath/ports.ts";
import { outerDiff } from "../datapath/snat-icmp.ts";
import { rewriteHeaders } from "../datapath/snat-rewrite.ts";
import {
  A_NODE, NC_REPLY_DEFECT, NC_REPLY_DIFFERENT, NC_REPLY_FIRST_DIFFERENT, NC_REPLY_IDENTICAL, NC_REPLY_RESTORED, X_ADDRESSES, X_NOTES, X_SAVED,
} from "./layout-batch.ts";
import { quotedAt } from "./flows.ts";
import { nodeAt } from "./walk.ts";
import { restoreBackend } from "./service-flows.ts";
import { countNote } from "./tally.ts";
import { seqOf } from "./emit.ts";

/** NAT key ports of a pod's packet: destination port low, source port high; an echo identifier stands for the source. */
function natPorts(proto: i32, podPorts: i32): i32 { return proto === PROTO_ICMP ? podPorts << 16 : swapPorts(podPorts); }

/** The mapping of flow (pod, remote, ports as the pod sends them) at a node, 0 for none. */
function mappingAt(cx: i32, pkt: i32, node: i32, proto: i32, pod: i32, remote: i32, podPorts: i32): i32 {
  const before: i32 = ld32(pkt + P_NODE);
  st32(pkt + P_NODE, nodeAt(cx, node));
  const entry: i32 = find(ld32(pkt + P_SHARD) + S_NAT, keyWord(pkt, proto, TUPLE_OUT), remote, pod, natPorts(proto, podPorts));
  st32(pkt + P_NODE, before);
  return entry;
}

/** Index of the node that holds the flow's mapping, with the mapping in P_NAT; -1 without one. The pod's node is P_NODE. */
function findMapping(cx: i32, pkt: i32, proto: i32, pod: i32, remote: i32, podPorts: i32): i32 {
  const own: i32 = ld32(ld32(pkt + P_NODE) + N_INDEX);
  let entry: i32 = 0;
  if (!(ipcacheFind(pkt, remote) && identityInCluster(pkt, ld32(pkt + P_INFO_IDENTITY)))) {
    const record: i32 = egressPolicyFind(pkt, pod, remote);
    if (namesGateway(record)) {
      const address: i32 = staticFind(ld32(cx + X_ADDRESSES), ld32(record + E_GATEWAY));
      if (address !== 0) {
        const gateway: i32 = ld32(address + A_NODE) - 1;
        entry = mappingAt(cx, pkt, gateway, proto, pod, remote, podPorts);
        if (entry !== 0) {
          st32(pkt + P_NAT, entry);
          return gateway;
        }
      }
    }
  }
  entry = mappingAt(cx, pkt, own, proto, pod, remote, podPorts);
  st32(pkt + P_NAT, entry);
  return entry === 0 ? -1 : own;
}

/** TTL that the outside peer's packet had: `hops` more, as far as the field allows, with the checksum amended. */
function raiseTtl(ip: i32, hops: i32): void {
  const ttl: i32 = ld8(ip + IP_TTL);
  const raised: i32 = ttl + hops > 255 ? 255 : ttl + hops;
  st8(ip + IP_TTL, raised);
  csumReplace16(ip + IP_CSUM, ttl, raised);
}

/** Rewrites the packet at `ip`, on its way to a pod, into what arrived at the node that translates it. Returns that node's
 * index; the pod's own node where nothing translates. The captured frame is kept in X_SAVED. */
export function restoreReply(cx: i32, pkt: i32, ip: i32, podPorts: i32): i32 {
  const own: i32 = ld32(ld32(pkt + P_NODE) + N_INDEX);
  const frame: i32 = ld32(pkt + P_FRAME), l4: i32 = l4Offset(ip), pod: i32 = ld32(ip + IP_DST), proto: i32 = ld8(ip + IP_PROTO);
  const source: i32 = ld32(ip + IP_SRC);
  copy(ld32(cx + X_SAVED), frame, ld32(pkt + P_LEN));
  st32(pkt + P_NAT, 0);
  const quoted: i32 = quotedAt(pkt, ip);
  const ports: i32 = quoted !== 0 ? podPorts : restoreBackend(pkt, ip, podPorts), fromService: boolean = ld32(ip + IP_SRC) !== source;
  let node: i32 = -1;
  if (quoted !== 0) node = restoreError(cx, pkt, ip, l4, quoted);
  else {
    node = findMapping(cx, pkt, proto, pod, ld32(ip + IP_SRC), ports);
    const mapping: i32 = ld32(pkt + P_NAT), flow: i32 = ld32(pkt + P_FLOW);
    let address: i32 = 0;
    let port: i32 = 0;
    if (node >= 0) {
      address = ld32(mapping + X_ADDR);
      port = ld32(mapping + X_PORT);
    } else if (flow !== 0 && ld32(flow + F_NAT_ADDR) !== 0) {
      // The mapping is gone (evicted, collected); the outside peer still answers to what it once saw.
      node = ld32(flow + F_GATEWAY_NODE);
      address = ld32(flow + F_NAT_ADDR);
      port = ld32(flow + F_NAT_PORT);
    }
    if (node >= 0) {
      const withPorts: boolean = proto === PROTO_ICMP || isPortProtocol(pkt, proto);
      const podPort: i32 = withPorts ? podPorts & 0xffff : 0;
      rewriteHeaders(
        pkt, proto, ETH_LEN, withPorts && hasL4Header(ip), l4, pod, address, IP_DST, podPort, withPorts ? port : 0,
        proto === PROTO_ICMP ? ICMP_ID : L4_DPORT, 0,
      );
    }
  }
  if (node >= 0 || fromService) countNote(cx, NC_REPLY_RESTORED);
  raiseTtl(ip, node >= 0 && node !== own ? 2 : 1);
  st32(pkt + P_NAT, 0);
  return node >= 0 ? node : own;
}

/** An ICMP error: the quoted packet, which the pod sent, is given its translated source, the outer checksum the rest. */
function restoreError(cx: i32, pkt: i32, ip: i32, l4: i32, quoted: i32): i32 {
  const frame: i32 = ld32(pkt + P_FRAME), inner: i32 = frame + quoted, pod: i32 = ld32(ip + IP_DST);
  const proto: i32 = ld8(inner + IP_PROTO), innerL4: i32 = quoted + ipv4HeaderLen(inner);
  if (ld32(inner + IP_SRC) !== pod || ipv4HeaderLen(inner) < IP_HEADER) return -1;
  let podPorts: i32 = 0;
  if (isPortProtocol(pkt, proto)) podPorts = ld32(frame + innerL4);
  else if (proto === PROTO_ICMP && within(pkt, innerL4, ICMP_HEADER)) podPorts = ld16be(frame + innerL4 + ICMP_ID);
  if (proto === PROTO_ICMP) podPorts = ((podPorts & 0xff) << 8) | ((podPorts >>> 8) & 0xff);
  const node: i32 = findMapping(cx, pkt, proto, pod, ld32(inner + IP_DST), podPorts);
  if (node < 0) return -1;
  const mapping: i32 = ld32(pkt + P_NAT);
  const address: i32 = ld32(mapping + X_ADDR), port: i32 = ld32(mapping + X_PORT), podPort: i32 = podPorts & 0xffff;
  const cut: boolean = proto === 6 && ld32(pkt + P_LEN) - innerL4 < 18;
  const diff: i32 = proto === PROTO_ICMP ? 0 : outerDiff(pkt, innerL4, proto, cut, pod, address, podPort, port);
  rewriteHeaders(pkt, proto, quoted, true, innerL4, pod, address, IP_SRC, podPort, port, proto === PROTO_ICMP ? ICMP_ID : L4_SPORT, 0);
  rewriteHeaders(pkt, PROTO_ICMP, ETH_LEN, true, l4, pod, address, IP_DST, 0, 0, 0, diff);
  st32(pkt + P_CSUM_DIFF, 0);
  return node;
}

/** Compares a delivered reply with what was captured, from the IPv4 header on but for TTL and header checksum. */
export function checkReply(cx: i32, pkt: i32, restoredBefore: f64): void {
  if (ldf64(ld32(cx + X_NOTES) + (NC_REPLY_RESTORED << 3)) === restoredBefore) return;
  const saved: i32 = ld32(cx + X_SAVED), frame: i32 = ld32(pkt + P_FRAME), length: i32 = ld32(pkt + P_LEN);
  const icmpCsum: i32 = l4Offset(frame + ETH_LEN) + ICMP_CSUM;
  let different: i32 = 0;
  let inChecksum: i32 = 0;
  for (let k: i32 = ETH_LEN; k < length; k++) {
    if (k === ETH_LEN + IP_TTL || k === ETH_LEN + IP_CSUM || k === ETH_LEN + IP_CSUM + 1) continue;
    if (ld8(saved + k) !== ld8(frame + k)) {
      different = different + 1;
      if (k === icmpCsum || k === icmpCsum + 1) inChecksum = inChecksum + 1;
    }
  }
  if (different === 0) countNote(cx, NC_REPLY_IDENTICAL);
  else if (different === inChecksum && (ld32(pkt + P_NOTES) & NOTE_DEFECT_ECHO_ERROR_CSUM) !== 0) countNote(cx, NC_REPLY_DEFECT);
  else {
    countNote(cx, NC_REPLY_DIFFERENT);
    const first: i32 = ld32(cx + X_NOTES) + (NC_REPLY_FIRST_DIFFERENT << 3);
    const seq: f64 = seqOf(pkt);
    if (ldf64(first) === 0.0 || seq < ldf64(first)) stf64(first, seq);
  }
}
