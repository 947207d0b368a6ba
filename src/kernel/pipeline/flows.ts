// Flow records: which flow a packet belongs to and what became of it.
import { ld16, ld32, ld8, ldf64, st32, stf64 } from "../mem.ts";
import {
  E_POLICY, E_USE, K0, K1, NOTE_EXCLUDED, N_INDEX, P_COUNTED, P_FLOW, P_FRAME, P_NAT, P_NODE, P_NOTES, P_POLICY, P_PORTS, P_SHARD, P_SNAT_FLAGS,
  P_TIME_NSEC, P_TIME_SEC, S_FLOW, TUPLE_IN,
} from "../layout.ts";
import { F6_NAT_ADDR, S_FLOW6, TAIL_DADDR, X6_TAIL } from "../layout6.ts";
import {
  F_DENIED_BY, F_DROP, F_DROP_BYTES, F_DROP_PACKETS, F_FIRST, F_FIRST_DROP, F_FIRST_NSEC, F_FIRST_SEC, F_FLAGS, F_FWD_BYTES, F_FWD_PACKETS, F_GATEWAY_NODE,
  F_IDENTITY, F_LAST, F_LAST_NSEC, F_LAST_SEC, F_NAT_ADDR, F_NAT_PORT, F_OUTCOME, F_POLICY, F_REPLY_BYTES, F_REPLY_PACKETS, FF_EGRESS_GATEWAY,
  FF_EXCLUDED, FF_MASQUERADED, FK_POD, OUT_DROPPED,
} from "../layout-flow.ts";
import { insert } from "../table/dynamic.ts";
import { insert6 } from "../table/dynamic6.ts";
import { copyAddress6 } from "../wire/address6.ts";
import { ICMP_HEADER, ICMP_ID, ICMP_TYPE, within } from "../wire/l4.ts";
import { namesGateway } from "../datapath/lookups.ts";
import { deniedBy } from "../datapath/policy.ts";
import { isPortProtocol, loadPorts, swapPorts } from "../datapath/ports.ts";
import { loadPorts6 } from "../datapath/ports6.ts";
import { ST_EGRESS_GATEWAY } from "../datapath/snat.ts";
import { NC_PACKETS_WITHOUT_FLOW } from "./layout-batch.ts";
import {
  destinationOf, fragmented, isEcho, isIcmp, isIpv6, l4Of, natAddress, natPort, protoOf, sameAddress, shardFind, sourceOf,
} from "./family.ts";
import { quotedAt, quotedL4, quotedPorts, quotedProto } from "./quoted.ts";
import { countFlow, countNote, countUse, masqueradeCounters, useCounters } from "./tally.ts";
import { seqOf } from "./emit.ts";
import { serviceFlow } from "./service-flows.ts";
import { sketchUse } from "./sketch.ts";

/** Ports of the packet at `ip` with the sender's in the low half; an echo identifier stands there for both directions;
 * 0 where there are none. Fragments use and feed the tracker as the hooks will. */
export function flowPorts(pkt: i32, ip: i32): i32 {
  const six: boolean = isIpv6(pkt), proto: i32 = protoOf(pkt, ip), l4: i32 = l4Of(pkt, ip);
  if (isPortProtocol(pkt, proto)) return (six ? loadPorts6(pkt, ip) : loadPorts(pkt, ip, l4)) < 0 ? 0 : ld32(pkt + P_PORTS);
  if (!isIcmp(six, proto) || fragmented(pkt, ip) || !within(pkt, l4, ICMP_HEADER)) return 0;
  const icmp: i32 = ld32(pkt + P_FRAME) + l4;
  return isEcho(six, ld8(icmp + ICMP_TYPE)) ? ld16(icmp + ICMP_ID) : 0;
}

/** The record of flow (pod, remote, ports as the pod sends them), made if there is room; 0 otherwise. */
function flowFor(pkt: i32, node: i32, proto: i32, kind: i32, pod: i32, remote: i32, ports: i32): i32 {
  const six: boolean = isIpv6(pkt), k0: i32 = (node << 16) | (proto << 8) | kind;
  let flow: i32 = shardFind(pkt, six, S_FLOW, S_FLOW6, k0, pod, remote, ports);
  if (flow === 0) {
    flow = six ? insert6(ld32(pkt + P_SHARD) + S_FLOW6, k0, pod, remote, ports) : insert(ld32(pkt + P_SHARD) + S_FLOW, k0, pod, remote, ports);
    if (flow !== 0) {
      st32(flow + F_POLICY, -1);
      st32(flow + F_GATEWAY_NODE, -1);
    }
  }
  return flow;
}

/** The flow that another pod opened to this one and that the packet at `ip` answers, 0 for none. */
export function answeredFlow(pkt: i32, ip: i32, peerNode: i32): i32 {
  const six: boolean = isIpv6(pkt), proto: i32 = protoOf(pkt, ip), ports: i32 = flowPorts(pkt, ip), asked: i32 = isIcmp(six, proto) ? ports : swapPorts(ports);
  const flow: i32 = shardFind(pkt, six, S_FLOW, S_FLOW6, (peerNode << 16) | (proto << 8) | FK_POD, destinationOf(six, ip), sourceOf(six, ip), asked);
  return flow !== 0 ? flow : serviceFlow(pkt, peerNode, proto, destinationOf(six, ip), sourceOf(six, ip), asked);
}

/** The flow of a packet that a pod sends (fromPod) or gets; an ICMP error belongs to the flow it quotes. */
export function flowOf(pkt: i32, ip: i32, node: i32, kind: i32, fromPod: boolean): i32 {
  const six: boolean = isIpv6(pkt), quoted: i32 = quotedAt(pkt, ip);
  const pod: i32 = fromPod ? sourceOf(six, ip) : destinationOf(six, ip), remote: i32 = fromPod ? destinationOf(six, ip) : sourceOf(six, ip);
  if (quoted !== 0) {
    // The quoted packet went the other way.
    const inner: i32 = ld32(pkt + P_FRAME) + quoted, l4: i32 = quotedL4(pkt, quoted), proto: i32 = quotedProto(pkt, quoted);
    const innerPod: i32 = fromPod ? destinationOf(six, inner) : sourceOf(six, inner);
    const innerRemote: i32 = fromPod ? sourceOf(six, inner) : destinationOf(six, inner), ports: i32 = quotedPorts(pkt, l4, proto);
    if (sameAddress(six, innerPod, pod))
      return flowFor(pkt, node, proto, kind, pod, innerRemote, fromPod && !isIcmp(six, proto) ? swapPorts(ports) : ports);
  }
  const ports: i32 = flowPorts(pkt, ip), proto: i32 = protoOf(pkt, ip);
  return flowFor(pkt, node, proto, kind, pod, remote, fromPod || isIcmp(six, proto) ? ports : swapPorts(ports));
}

function add(at: i32, amount: f64): void { stf64(at, ldf64(at) + amount); }

/** Counts a packet into its flow when its way has ended. */
export function flowSettle(cx: i32, pkt: i32, reply: boolean, outcome: i32, code: i32): void {
  const flow: i32 = ld32(pkt + P_FLOW);
  if (flow === 0) {
    countNote(cx, NC_PACKETS_WITHOUT_FLOW);
    return;
  }
  const seq: f64 = seqOf(pkt), bytes: f64 = 0.0 + ld32(pkt + P_COUNTED);
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
      st32(flow + F_DENIED_BY, deniedBy(pkt, code) + 1);
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
  const six: boolean = isIpv6(pkt), byPolicy: boolean = (ld32(pkt + P_SNAT_FLAGS) & ST_EGRESS_GATEWAY) !== 0 && record !== 0;
  const excluded: boolean = (ld32(pkt + P_NOTES) & NOTE_EXCLUDED) !== 0;
  const node: i32 = ld32(ld32(pkt + P_NODE) + N_INDEX), address: i32 = natAddress(six, nat);
  const counters: i32 = byPolicy ? useCounters(cx, ld32(record + E_USE)) : masqueradeCounters(cx, pkt, six, address, excluded);
  countUse(counters, pkt, false);
  sketchUse(pkt, counters, false);
  if (flow === 0) return;
  const flags: i32 = ld32(flow + F_FLAGS);
  if ((flags & (FF_EGRESS_GATEWAY | FF_MASQUERADED)) === 0) countFlow(counters);
  st32(flow + F_FLAGS, flags | (byPolicy ? FF_EGRESS_GATEWAY : FF_MASQUERADED) | (excluded && !byPolicy ? FF_EXCLUDED : 0));
  if (byPolicy || excluded) st32(flow + F_POLICY, record === 0 ? -1 : ld32(record + E_POLICY));
  st32(flow + F_GATEWAY_NODE, node);
  if (six) copyAddress6(flow + F6_NAT_ADDR, address);
  else st32(flow + F_NAT_ADDR, address);
  st32(flow + F_NAT_PORT, natPort(six, nat));
}

/** The outside address of a mapping, by either half. */
function translatedTo(six: boolean, nat: i32): i32 {
  if ((ld32(nat + K0) & TUPLE_IN) === 0) return natAddress(six, nat);
  return six ? nat + X6_TAIL + TAIL_DADDR : ld32(nat + K1);
}

/** Books a reply that from-netdev translated back. */
export function bookReply(cx: i32, pkt: i32): void {
  const nat: i32 = ld32(pkt + P_NAT), record: i32 = ld32(pkt + P_POLICY), six: boolean = isIpv6(pkt);
  if (nat === 0) return;
  const excluded: boolean = (ld32(pkt + P_NOTES) & NOTE_EXCLUDED) !== 0;
  const counters: i32 = namesGateway(record) ? useCounters(cx, ld32(record + E_USE)) : masqueradeCounters(cx, pkt, six, translatedTo(six, nat), excluded);
  countUse(counters, pkt, true);
  sketchUse(pkt, counters, true);
}
