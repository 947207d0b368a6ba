import { type AddressPlan, type AddressPlan6, planAddresses6 } from "./address-plan.ts";
import {
  FrameWriter, headersLen, ICMP, MIN_FRAME_LEN, TCP, TCP_ACK, TCP_FIN, TCP_PSH, TCP_SYN, UDP,
} from "./frame-writer.ts";
import { LARGEST_FRAME, type GenerateSettings } from "./options.ts";
import type { SeededRandom } from "./random.ts";

const FCS_LEN = 4;
export const IMIX_SIZES = [64, 594, 1518] as const;
export const IMIX_SHARES = [7, 4, 1] as const;

/** Linux's default range of local ports, net.ipv4.ip_local_port_range. */
const FIRST_PORT = 32_768;
const PORT_COUNT = 60_999 - FIRST_PORT + 1;
const TCP_PORTS = [443, 80, 8443, 8080, 20_001, 20_002, 20_003, 20_004] as const;
// Ports without a well-known protocol, so that no dissector finds the filler malformed.
const UDP_PORTS = [20_001, 20_002, 20_003, 20_004, 20_005, 20_006, 20_007, 20_008] as const;

const ADDRESS_6 = 16;
const POD_TTL = 64;
/** 64 at the server, less five routers and the two hops through gateway and node. */
const REPLY_TTL = 57;

// Life of a TCP flow; the other protocols stay in OPEN. A flow in FINISHED gives its place to a new one.
const SYN_SENT = 1;
const SYN_ACKED = 2;
const OPEN = 3;
const CLOSING = 4;
const FIN_SENT = 5;
const FIN_ACKED = 6;
const FINISHED = 7;

/** Decides packet by packet what is sent next, and writes it. State grows with the flows, not with the packets. */
export class Traffic {
  private readonly settings: GenerateSettings;
  private readonly plan: AddressPlan;
  private readonly random: SeededRandom;
  private readonly frame = new FrameWriter(LARGEST_FRAME);

  private readonly protocol: Uint8Array;
  private readonly state: Uint8Array;
  private readonly pod: Uint32Array;
  private readonly remote: Uint32Array;
  private readonly podPort: Uint16Array;
  private readonly remotePort: Uint16Array;
  /** Next sequence numbers; echo: requests sent and answered. */
  private readonly podSequence: Uint32Array;
  private readonly remoteSequence: Uint32Array;
  private readonly podIdentification: Uint16Array;
  private readonly remoteIdentification: Uint16Array;
  private readonly flowsOfPod: Uint32Array;
  /** IPv6: pod's and remote's 16 bytes of each flow, one behind the other; empty where there is only IPv4. */
  private readonly ends6: Uint8Array;
  private readonly six: Uint8Array;
  private readonly plan6: AddressPlan6;

  private opened = 0;
  packets = 0;
  replies = 0;
  /** Flows begun, those that took another's place included. */
  flows = 0;
  readonly packetsByProtocol = { tcp: 0, udp: 0, icmp: 0 };

  constructor(settings: GenerateSettings, plan: AddressPlan, random: SeededRandom) {
    this.settings = settings;
    this.plan = plan;
    this.random = random;
    this.protocol = new Uint8Array(settings.flows);
    this.state = new Uint8Array(settings.flows);
    this.pod = new Uint32Array(settings.flows);
    this.remote = new Uint32Array(settings.flows);
    this.podPort = new Uint16Array(settings.flows);
    this.remotePort = new Uint16Array(settings.flows);
    this.podSequence = new Uint32Array(settings.flows);
    this.remoteSequence = new Uint32Array(settings.flows);
    this.podIdentification = new Uint16Array(settings.flows);
    this.remoteIdentification = new Uint16Array(settings.flows);
    this.flowsOfPod = new Uint32Array(settings.pods);
    this.plan6 = planAddresses6(plan);
    this.six = new Uint8Array(settings.flows);
    this.ends6 = new Uint8Array(settings.ipFamily === "4" ? 0 : settings.flows * 2 * ADDRESS_6);
  }

  /** Writes the next frame at out[at] and returns its length. */
  writeNext(out: Uint8Array, at: number): number {
    const flow = this.chooseFlow();
    this.frame.protocol = this.protocol[flow] ?? 0;
    const length = this.frame.protocol === TCP ? this.writeTcp(flow, out, at) : this.writeDatagram(flow, out, at);
    this.packets += 1;
    if (this.frame.protocol === TCP) this.packetsByProtocol.tcp += 1;
    else if (this.frame.protocol === UDP) this.packetsByProtocol.udp += 1;
    else this.packetsByProtocol.icmp += 1;
    return length;
  }

  /** Flows begin one after the other until half of the packets are out, so that each of them shows up. */
  private chooseFlow(): number {
    const { flows, packets, distribution, newFlowRate } = this.settings;
    const due = Math.min(flows, Math.ceil((2 * flows * (this.packets + 1)) / packets));
    if (this.opened < due) {
      this.begin(this.opened);
      this.opened += 1;
      return this.opened - 1;
    }
    const flow = distribution === "zipf" ? this.random.zipfBelow(this.opened) : this.random.below(this.opened);
    if (this.state[flow] === FINISHED) this.begin(flow);
    else if (newFlowRate > 0 && this.state[flow] === OPEN && this.random.unit() < newFlowRate) this.end(flow);
    return flow;
  }

  private begin(flow: number): void {
    const pod = this.flows % this.settings.pods;
    const earlier = this.flowsOfPod[pod] ?? 0;
    const protocol = this.drawProtocol();
    // One port of the range after the other, then the same with the next service port: no two flows of a pod are alike.
    const round = Math.floor(earlier / PORT_COUNT);
    this.flowsOfPod[pod] = earlier + 1;
    this.flows += 1;
    this.protocol[flow] = protocol;
    const remote = this.random.below(this.settings.remotes);
    this.pod[flow] = this.plan.podAddress(pod);
    this.remote[flow] = this.plan.remoteAddress(remote);
    const { ipFamily } = this.settings, six = ipFamily === "6" || (ipFamily === "dual" && this.random.below(2) === 1);
    this.six[flow] = six ? 1 : 0;
    if (six) {
      this.ends6.set(this.plan6.podAddress(pod), flow * 2 * ADDRESS_6);
      this.ends6.set(this.plan6.remoteAddress(remote), (flow * 2 + 1) * ADDRESS_6);
    }
    this.podPort[flow] = protocol === ICMP ? earlier : FIRST_PORT + (earlier % PORT_COUNT);
    this.remotePort[flow] = protocol === ICMP ? 0 : (protocol === TCP ? TCP_PORTS : UDP_PORTS)[round % TCP_PORTS.length] ?? 0;
    this.podSequence[flow] = protocol === TCP ? this.random.word() : 0;
    this.remoteSequence[flow] = protocol === TCP ? this.random.word() : 0;
    this.podIdentification[flow] = this.random.word();
    this.remoteIdentification[flow] = this.random.word();
    this.state[flow] = 0;
  }

  private end(flow: number): void {
    if (this.protocol[flow] === TCP) this.state[flow] = CLOSING;
    else this.begin(flow);
  }

  private drawProtocol(): number {
    const { tcp, udp, icmp } = this.settings.protocolMix;
    const draw = this.random.unit() * (tcp + udp + icmp);
    if (draw < tcp) return TCP;
    return draw < tcp + udp ? UDP : ICMP;
  }

  /** Whether a reply brings the share of replies closer to what was asked for. */
  private replyIsDue(): boolean {
    return this.replies + 1 <= this.settings.replies * (this.packets + 1);
  }

  private drawDataLen(protocol: number, six: boolean): number {
    const { frameSize } = this.settings;
    let size: number;
    if (frameSize === "imix") {
      const draw = this.random.below(IMIX_SHARES[0] + IMIX_SHARES[1] + IMIX_SHARES[2]);
      size = draw < IMIX_SHARES[0] ? IMIX_SIZES[0] : draw < IMIX_SHARES[0] + IMIX_SHARES[1] ? IMIX_SIZES[1] : IMIX_SIZES[2];
    } else size = Number(frameSize);
    // The smallest frames have no room for IPv6 and TCP: those are as long as their headers.
    return Math.max(0, Math.max(MIN_FRAME_LEN, size - FCS_LEN) - headersLen(protocol, six));
  }

  private writeTcp(flow: number, out: Uint8Array, at: number): number {
    const oneWay = this.settings.replies === 0;
    switch (this.state[flow]) {
      case 0:
        this.state[flow] = oneWay ? OPEN : SYN_SENT;
        return this.writeSegment(flow, true, TCP_SYN, 0, out, at);
      case SYN_SENT:
        this.state[flow] = SYN_ACKED;
        return this.writeSegment(flow, false, TCP_SYN | TCP_ACK, 0, out, at);
      case SYN_ACKED:
        this.state[flow] = OPEN;
        return this.writeSegment(flow, true, TCP_ACK, 0, out, at);
      case CLOSING:
        this.state[flow] = oneWay ? FINISHED : FIN_SENT;
        return this.writeSegment(flow, true, TCP_FIN | TCP_ACK, 0, out, at);
      case FIN_SENT:
        this.state[flow] = FIN_ACKED;
        return this.writeSegment(flow, false, TCP_FIN | TCP_ACK, 0, out, at);
      case FIN_ACKED:
        this.state[flow] = FINISHED;
        return this.writeSegment(flow, true, TCP_ACK, 0, out, at);
      default:
        return this.writeSegment(flow, !this.replyIsDue(), TCP_PSH | TCP_ACK, this.drawDataLen(TCP, this.six[flow] === 1), out, at);
    }
  }

  private writeSegment(flow: number, fromPod: boolean, flags: number, dataLen: number, out: Uint8Array, at: number): number {
    const { frame } = this;
    const own = fromPod ? this.podSequence : this.remoteSequence;
    const peer = fromPod ? this.remoteSequence : this.podSequence;
    const sequence = own[flow] ?? 0;
    frame.tcpFlags = flags;
    frame.sequence = sequence;
    frame.acknowledgment = (flags & TCP_ACK) === 0 ? 0 : peer[flow] ?? 0;
    own[flow] = sequence + dataLen + ((flags & (TCP_SYN | TCP_FIN)) === 0 ? 0 : 1);
    return this.writeFrame(flow, fromPod, dataLen, out, at);
  }

  private writeDatagram(flow: number, out: Uint8Array, at: number): number {
    const { frame } = this;
    const protocol = frame.protocol;
    const asked = this.podSequence[flow] ?? 0;
    const answered = this.remoteSequence[flow] ?? 0;
    const answerable = protocol === UDP ? asked > 0 : answered < asked;
    const fromPod = !(answerable && this.replyIsDue());
    const counter = fromPod ? this.podSequence : this.remoteSequence;
    const count = fromPod ? asked + 1 : answered + 1;
    counter[flow] = count;
    this.state[flow] = OPEN;
    if (protocol === ICMP) {
      frame.isEchoReply = !fromPod;
      frame.identifier = this.podPort[flow] ?? 0;
      frame.sequence = count;
    }
    return this.writeFrame(flow, fromPod, this.drawDataLen(protocol, this.six[flow] === 1), out, at);
  }

  private end6(flow: number, which: 0 | 1): Uint8Array {
    const at = (flow * 2 + which) * ADDRESS_6;
    return this.ends6.subarray(at, at + ADDRESS_6);
  }

  private writeFrame(flow: number, fromPod: boolean, dataLen: number, out: Uint8Array, at: number): number {
    const { frame } = this;
    const identification = fromPod ? this.podIdentification : this.remoteIdentification;
    frame.fromPod = fromPod;
    frame.srcAddr = (fromPod ? this.pod : this.remote)[flow] ?? 0;
    frame.dstAddr = (fromPod ? this.remote : this.pod)[flow] ?? 0;
    const isSix = this.six[flow] === 1, pod6 = isSix ? this.end6(flow, 0) : null, remote6 = isSix ? this.end6(flow, 1) : null;
    frame.srcAddr6 = fromPod ? pod6 : remote6;
    frame.dstAddr6 = fromPod ? remote6 : pod6;
    frame.srcPort = (fromPod ? this.podPort : this.remotePort)[flow] ?? 0;
    frame.dstPort = (fromPod ? this.remotePort : this.podPort)[flow] ?? 0;
    frame.ttl = fromPod ? POD_TTL : REPLY_TTL;
    frame.identification = identification[flow] ?? 0;
    identification[flow] = frame.identification + 1;
    if (!fromPod) this.replies += 1;
    return frame.write(out, at, dataLen);
  }
}
