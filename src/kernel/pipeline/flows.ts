// Flow records: which flow a packet belongs to and what became of it.
import { ld16, ld32, ld8, ldf64, st32, stf64 } from "../mem.ts";
import {
  E_POLICY, E_USE, K0, K1, NOTE_EXCLUDED, N_INDEX, P_FLOW, P_FRAME, P_LEN, P_NAT, P_NODE, P_NOTES, P_POLICY, P_PORTS, P_SHARD, P_SNAT_FLAGS,
  P_TIME_NSEC, P_TIME_SEC, P_WIRE_LEN, S_FLOW, TUPLE_IN, X_ADDR, X_PORT,
} from "../layout.ts";
import {
  F_DROP, F_DROP_BYTES, F_DROP_PACKETS, F_FIRST, F_FIRST_DROP, F_FIRST_NSEC, F_FIRST_SEC, F_FLAGS, F_FWD_BYTES, F_FWD_PACKETS, F_GATEWAY_NODE,
  F_IDENTITY, F_LAST, F_LAST_NSEC, F_LAST_SEC, F_NAT_ADDR, F_NAT_PORT, F_OUTCOME, F_POLICY, F_REPLY_BYTES, F_REPLY_PACKETS, FF_EGRESS_GATEWAY,
  FF_EXCLUDED, FF_MASQUERADED, FK_POD, OUT_DROPPED,
} from "../layout-flow.ts";
import { find, insert } from "../table/dynamic.ts";
import { namesGateway } from "../datapath/lookups.ts";
import { isPortProtocol, loadPorts, swapPorts } from "../datapath/ports.ts";
import { ST_EGRESS_GATEWAY } from "../datapath/snat.ts";
import {
  ETH_LEN, hasL4Header, IP_DST, IP_HEADER, IP_PROTO, IP_SRC, ipv4HeaderLen, isFragment, l4Offset, PROTO_ICMP,
} from "../wire/ipv4.ts";
import {
  ICMP_ECHO, ICMP_ECHO_REPLY, ICMP_HEADER, ICMP_ID, ICMP_PARAMETER, ICMP_TIME_EXCEEDED, ICMP_TYPE, ICMP_UNREACHABLE, within,
} from "../wire/l4.ts";
import { NC_PACKETS_WITHOUT_FLOW } from "./layout-batch.ts";
import { countFlow, countNote, countUse, masqueradeCounters, useCounters } from "./tally.ts";
import { seqOf } from "./emit.ts";
import { serviceFlow } from "./service-flows.ts";

/** Does the ICMP message quote another packet? */
export function quotesPacket(type: i32): boolean {
  return type === ICMP_UNREACHABLE || type === ICMP_TIME_EXCEEDED || type === ICMP_PARAMETER;
}

/** Ports of the packet at `ip` with the sender's in the low half; an echo identifier stands there for both directions;
 * 0 where there are none. Fragments use and feed the tracker as the hooks will. */
export function flowPorts(pkt: i32, ip: i32): i32 {
  const proto: i32 = ld8(ip + IP_PROTO), l4: i32 = l4Offset(ip);
  if (isPortProtocol(pkt, proto)) return loadPorts(pkt, ip, l4) < 0 ? 0 : ld32(pkt + P_PORTS);
  if (proto !== PROTO_ICMP || isFragment(ip) || !within(pkt, l4, ICMP_HEADER)) return 0;
  const icmp: i32 = ld32(pkt + P_FRAME) + l4;
  const type: i32 = ld8(icmp + ICMP_TYPE);
  return type === ICMP_ECHO || type === ICMP_ECHO_REPLY ? ld16(icmp + ICMP_ID) : 0;
}

/** Frame offset of the IPv4 packet that an ICMP error quotes with its first four L4 bytes, or 0. */
export function quotedAt(pkt: i32, ip: i32): i32 {
  const l4: i32 = l4Offset(ip);
  if (ld8(ip + IP_PROTO) !== PROTO_ICMP || !hasL4Header(ip) || !within(pkt, l4, ICMP_HEADER + IP_HEADER)) return 0;
  if (!quotesPacket(ld8(ld32(pkt + P_FRAME) + l4 + ICMP_TYPE))) return 0;
  const inner: i32 = l4 + ICMP_HEADER;
  return within(pkt, inner + ipv4HeaderLen(ld32(pkt + P_FRAME) + inner), 4) ? inner : 0;
}

/** The record of flow (pod, remote, ports as the pod sends them), made if there is room; 0 otherwise. */
export function flowFor(pkt: i32, node: i32, proto: i32, kind: i32, pod: i32, remote: i32, ports: i32): i32 {
  const table: i32 = ld32(pkt + P_SHARD) + S_FLOW;
  const k0: i32 = (node << 16) | (proto << 8) | kind;
  let flow: i32 = find(table, k0, pod, remote, ports);
  if (flow === 0) {
    flow = insert(table, k0, pod, remote, ports);
    if (flow !== 0) {
      st32(flow + F_POLICY, -1);
      st32(flow + F_GATEWAY_NODE, -1);
    }
  }
  return flow;
}

/** The flow that another pod opened to this one and that the packet at `ip` answers, 0 for none. */
export function answeredFlow(pkt: i32, ip: i32, peerNode: i32): i32 {
  const proto: i32 = ld8(ip + IP_PROTO), ports: i32 = flowPorts(pkt, ip), asked: i32 = proto === PROTO_ICMP ? ports : swapPorts(ports);
  const flow: i32 = find(ld32(pkt + P_SHARD) + S_FLOW, (peerNode << 16) | (proto << 8) | FK_POD, ld32(ip + IP_DST), ld32(ip + IP_SRC), asked);
  return flow !== 0 ? flow : serviceFlow(pkt, peerNode, proto, ld32(ip + IP_DST), ld32(ip + IP_SRC), asked);
}

/** The flow of a packet that a pod sends (fromPod) or gets; an ICMP error belongs to the flow it quotes. */
export function flowOf(pkt: i32, ip: i32, node: i32, kind: i32, fromPod: boolean): i32 {
  const pod: i32 = ld32(ip + (fromPod ? IP_SRC : IP_DST)), remote: i32 = ld32(ip + (fromPod ? IP_DST : IP_SRC));
  const quoted: i32 = quotedAt(pkt, ip);
  if (quoted !== 0) {
    const inner: i32 = ld32(pkt + P_FRAME) + quoted;
    const proto: i32 = ld8(inner + IP_PROTO);
    // The quoted packet went the other way.
    const innerPod: i32 = ld32(inner + (fromPod ? IP_DST : IP_SRC)), innerRemote: i32 = ld32(inner + (fromPod ? IP_SRC : IP_DST));
    let ports: i32 = 0;
    const l4: i32 = inner + ipv4HeaderLen(inner);
    if (isPortProtocol(pkt, proto)) ports = ld32(l4);
    else if (proto === PROTO_ICMP && within(pkt, quoted + ipv4HeaderLen(inner), ICMP_HEADER)) ports = ld16(l4 + ICMP_ID);
    if (innerPod === pod) return flowFor(pkt, node, proto, kind, pod, innerRemote, fromPod && proto !== PROTO_ICMP ? swapPorts(ports) : ports);
  }
  const ports: i32 = flowPorts(pkt, ip), proto: i32 = ld8(ip + IP_PROTO);
  return flowFor(pkt, node, proto, kind, pod, remote, fromPod || proto === PROTO_ICMP ? ports : swapPorts(ports));
}

function add(at: i32, amount: f64): void { stf64(at, ldf64(at) + amount); }

/** Counts a packet into its flow when its way has ended. */
export function flowSettle(cx: i32, pkt: i32, reply: boolean, outcome: i32, code: i32): void {
  const flow: i32 = ld32(pkt + P_FLOW);
  if (flow === 0) {
    countNote(cx, NC_PACKETS_WITHOUT_FLOW);
    return;
  }
  const seq: f64 = seqOf(pkt), bytes: f64 = 0.0 + ld32(pkt + P_WIRE_LEN);
  if (ldf64(flow + F_FIRST) === 0.0) {
    stf64(flow + F_FIRST, seq);
    st32(flow + F_FIRST_SEC, ld32(pkt + P_TIME_SEC));
    st32(flow + F_FIRST_NSEC, ld32(pkt + P_TIME_NSEC));
  }
  stf64(flow + F_LAST, seq);
  st32(flow + F_LAST_SEC, ld32(pkt + P_TIME_SEC));
  st32(flow + F_LAST_NSEC, ld32(pkt + P_TIME_NSEC));
  st32(flow + F_OUTCOME, outcome);
  add(flow + (reply ? F_REPLY_PACKETS : F_FWD_PACKETS), 1.0);
  add(flow + (reply ? F_REPLY_BYTES : F_FWD_BYTES), bytes);
  if (outcome === OUT_DROPPED) {
    add(flow + F_DROP_PACKETS, 1.0);
    add(flow + F_DROP_BYTES, bytes);
    if (ld32(flow + F_DROP) === 0) {
      st32(flow + F_DROP, code);
      stf64(flow + F_FIRST_DROP, seq);
    }
    const record: i32 = ld32(pkt + P_POLICY);
    if (record !== 0 && ld32(flow + F_POLICY) < 0) st32(flow + F_POLICY, ld32(record + E_POLICY));
  }
}

export function flowIdentity(pkt: i32, identity: i32): void {
  const flow: i32 = ld32(pkt + P_FLOW);
  if (flow !== 0) st32(flow + F_IDENTITY, identity);
}

/** Books a packet that to-netdev let out: under the policy that translated it, or under the node's masquerading. The first
 * booking of a flow counts it there. */
export function bookForward(cx: i32, pkt: i32): void {
  const nat: i32 = ld32(pkt + P_NAT), record: i32 = ld32(pkt + P_POLICY), flow: i32 = ld32(pkt + P_FLOW);
  if (nat === 0) return;
  const byPolicy: boolean = (ld32(pkt + P_SNAT_FLAGS) & ST_EGRESS_GATEWAY) !== 0 && record !== 0;
  const excluded: boolean = (ld32(pkt + P_NOTES) & NOTE_EXCLUDED) !== 0;
  const node: i32 = ld32(ld32(pkt + P_NODE) + N_INDEX);
  const counters: i32 = byPolicy ? useCounters(cx, ld32(record + E_USE)) : masqueradeCounters(cx, pkt, ld32(nat + X_ADDR), excluded);
  countUse(counters, pkt, false);
  if (flow === 0) return;
  const flags: i32 = ld32(flow + F_FLAGS);
  if ((flags & (FF_EGRESS_GATEWAY | FF_MASQUERADED)) === 0) countFlow(counters);
  st32(flow + F_FLAGS, flags | (byPolicy ? FF_EGRESS_GATEWAY : FF_MASQUERADED) | (excluded && !byPolicy ? FF_EXCLUDED : 0));
  if (byPolicy || excluded) st32(flow + F_POLICY, record === 0 ? -1 : ld32(record + E_POLICY));
  st32(flow + F_GATEWAY_NODE, node);
  st32(flow + F_NAT_ADDR, ld32(nat + X_ADDR));
  st32(flow + F_NAT_PORT, ld32(nat + X_PORT));
}

/** The outside address of a mapping, by either half. */
function translatedTo(nat: i32): i32 { return (ld32(nat + K0) & TUPLE_IN) !== 0 ? ld32(nat + K1) : ld32(nat + X_ADDR); }

/** Books a reply that from-netdev translated back. */
export function bookReply(cx: i32, pkt: i32): void {
  const nat: i32 = ld32(pkt + P_NAT), record: i32 = ld32(pkt + P_POLICY);
  if (nat === 0) return;
  countUse(
    namesGateway(record) ? useCounters(cx, ld32(record + E_USE)) : masqueradeCounters(cx, pkt, translatedTo(nat), (ld32(pkt + P_NOTES) & NOTE_EXCLUDED) !== 0),
    pkt, true,
  );
}

/** Length gate for everything here that reads the IPv4 header. */
export function holdsIpv4(pkt: i32): boolean { return ld32(pkt + P_LEN) >= ETH_LEN + IP_HEADER; }
