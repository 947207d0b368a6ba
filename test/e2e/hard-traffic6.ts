// The IPv6 traffic that asks for trouble, for pods of fixtures/cluster-dual: colliding ports, fragments in and out of order,
// extension headers, hop limits that run out, neighbour discovery, ICMPv6 errors of every type, and IPv4 in between.
import {
  ACK, echo, filler, fragments, icmp6Error, icmp6Message, ip, ICMP6, SYN, SYN_ACK, tcp, UDP, udp, udpDatagram, withExtensions,
} from "./packets.ts";
import { Bursts, draws, type Timed } from "./hard-traffic.ts";

const PODS = ["fd00:10:1::10", "fd00:10:1::11", "fd00:10:2::10", "fd00:10:2::11", "fd00:10:3::10"] as const;
const ROUTER = "2001:db8:77::77", ROUTER_OF_POD = "fd00:10:1::1";
const HOP_BY_HOP = 0, ROUTING = 43, DESTINATION = 60;

const solicitation = (from: string, to: string, target: string): Uint8Array => {
  const link = Uint8Array.of(1, 1, 2, 0, 0, 0, 0, 1), asked = ip({ from, to: target }, 59, new Uint8Array(0)).slice(24, 40);
  return ip({ from, to }, ICMP6, icmp6Message({ from, to }, 135, 0, 0, Buffer.concat([asked, link])), { ttl: 255 });
};

/** `rounds` bursts. The replies are as the pods get them: of errors only packet-too-big is what 1.19 brings there. */
export function hardTraffic6(rounds: number): Timed[] {
  const draw = draws(1906), bursts = new Bursts(), { put, packets } = bursts;
  for (let round = 0; round < rounds; round++) {
    const pod = PODS[draw(PODS.length)] ?? PODS[0], remote = `2001:db8:113:0:${draw(2) === 0 ? "0" : "8000"}::${(1 + draw(40)).toString(16)}`, port = 40_000 + draw(8);
    const out = { from: pod, to: remote }, back = { from: remote, to: pod }, reply = { ttl: 62 }, question = udp(out, port, 20_053, 40);
    switch (draw(11)) {
      case 0: put(question, udp(back, 20_053, port, 30, reply)); break;
      case 1: put(tcp(out, port, 443, SYN), tcp(back, 443, port, SYN_ACK, 0, reply), tcp(out, port, 443, ACK, 20)); break;
      case 2: put(echo(out, port), echo(back, port, true, reply)); break;
      case 3: put(...fragments(out, UDP, udpDatagram(out, port, 7, filler(1000)), 512, round), ...fragments(back, UDP, udpDatagram(back, 7, port, filler(900)), 400, round)); break;
      case 4: put(...fragments(out, UDP, udpDatagram(out, port, 7, filler(700)), 400, round).reverse(), ...fragments(out, ICMP6, filler(600), 400, 9)); break;
      case 5: put(question, icmp6Error(ROUTER, question, 2, 0, 1280, 200, reply), icmp6Error(remote, question, 1, 4, 0, 200, reply)); break;
      case 6: put(echo(out, port), icmp6Error(ROUTER, echo(out, port), 2, 0, 1280, 100, reply), icmp6Error(ROUTER, question, 3, 0, 0, 100, reply)); break;
      case 7: put(withExtensions(question, HOP_BY_HOP, DESTINATION), withExtensions(question, HOP_BY_HOP, ROUTING, DESTINATION, HOP_BY_HOP)); break;
      case 8: put(udp(out, port, 53, 4, { ttl: draw(4) }), tcp(out, port, 443, SYN, 0, { ttl: 1 + draw(2) }), echo(out, port, false, { ttl: 1 })); break;
      case 9: put(solicitation(pod, "ff02::1:ff00:1", ROUTER_OF_POD), solicitation(pod, "ff02::1:ff00:99", "fd00:10:1::99"), icmp6Error(pod, udp(back, 9, port, 20), 1, 4)); break;
      default: put(udp({ from: "10.0.1.10", to: "203.0.113.9" }, port, 20_053), udp({ from: "203.0.113.9", to: "10.0.1.10" }, 20_053, port, 5, reply));
    }
    bursts.pause(draw);
  }
  return packets;
}
