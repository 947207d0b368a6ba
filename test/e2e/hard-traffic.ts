// Traffic that asks for trouble: equal source ports of pods behind one egress IP, fragments in and out of order, ICMP
// errors about all of it, and pauses in which the agents collect garbage.
import { addressText, captureAt, ACK, echo, fragments, icmpError, SYN, SYN_ACK, tcp, UDP, udp, udpDatagram, filler } from "./packets.ts";
import type { Scratch } from "./replayed.ts";

const PODS = ["10.244.1.10", "10.244.1.11", "10.244.2.10", "10.244.3.10"] as const;
const REPLY = { ttl: 62 };
/** Seconds of nothing, the longer one past the lifetime of a TCP connection. */
const PAUSES = [0, 0, 0, 400, 0, 9000] as const;

/** The same numbers on every machine (Park and Miller's generator). */
export function draws(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

export interface Timed {
  readonly at: number;
  readonly packet: Uint8Array;
}

/** Packets one after the other, half a millisecond apart but for the pauses. */
export class Bursts {
  readonly packets: Timed[] = [];
  #at = 1_700_000_000;

  readonly put = (...made: readonly Uint8Array[]): void => {
    for (const packet of made) {
      this.packets.push({ at: this.#at, packet });
      this.#at += 0.0005;
    }
  };

  /** Now and then, by the draw. */
  pause(draw: (below: number) => number): void { this.#at += PAUSES[draw(400)] ?? 0; }
}

/** `rounds` bursts for pods of fixtures/cluster. */
export function errorsAndFragments(rounds: number): Uint8Array {
  const draw = draws(4711), bursts = new Bursts(), { put, packets } = bursts;
  for (let round = 0; round < rounds; round++) {
    const pod = PODS[draw(PODS.length)] ?? PODS[0], remote = addressText(0xcb007100 + draw(40)), port = 40_000 + draw(8);
    const out = { from: pod, to: remote }, back = { from: remote, to: pod };
    const question = udp(out, port, 20_053, 40);
    switch (draw(7)) {
      case 0: put(question, udp(back, 20_053, port, 30, REPLY)); break;
      case 1: put(tcp(out, port, 443, SYN), tcp(back, 443, port, SYN_ACK, 0, REPLY), tcp(out, port, 443, ACK, 20)); break;
      case 2: put(echo(out, port), echo(back, port, true, REPLY)); break;
      case 3: put(...fragments(out, UDP, udpDatagram(out, port, 7, filler(1000)), 512, round & 0xffff), ...fragments(back, UDP, udpDatagram(back, 7, port, filler(900)), 400, round & 0xffff)); break;
      case 4: put(...fragments(out, UDP, udpDatagram(out, port, 7, filler(700)), 400, round & 0xffff).reverse(), ...fragments(out, 1, filler(600), 400, 9)); break;
      case 5: put(question, icmpError("192.0.2.77", question, 11, 0, 28, REPLY), icmpError(remote, question, 3, 3, 48, REPLY)); break;
      default: {
        const request = echo(out, port);
        put(request, icmpError("192.0.2.78", request, 3, 1, 28, REPLY));
      }
    }
    bursts.pause(draw);
  }
  return captureAt(packets);
}

/** A node with two devices, each with a network behind it that pods reach without any policy. */
export function twoMasqueradeAddresses(scratch: Scratch): { readonly capture: string; readonly cluster: string } {
  const packets: Uint8Array[] = [];
  for (let k = 0; k < 60; k++) {
    const out = { from: `10.244.7.${10 + (k % 3)}`, to: k % 2 === 0 ? `10.9.1.${1 + (k % 20)}` : `203.0.113.${1 + (k % 20)}` };
    packets.push(udp(out, 41_000, 20_053), udp({ from: out.to, to: out.from }, 20_053, 41_000, 10, REPLY));
  }
  const pods = [10, 11, 12].map((host) => `---
apiVersion: v1
kind: Pod
metadata: {name: web-${host}, namespace: default}
spec: {nodeName: node-a}
status: {podIP: 10.244.7.${host}}
`);
  const cluster = scratch.file("two-devices.yaml", `apiVersion: v1
kind: Node
metadata: {name: node-a}
status: {addresses: [{address: 192.168.70.11, type: InternalIP}]}
---
apiVersion: egwsim.dev/v1
kind: NodeNetwork
metadata: {name: node-a}
spec:
  devices:
  - {name: eth0, mac: "02:00:00:00:07:01", mtu: 1500, addresses: [192.168.70.11/24]}
  - {name: eth1, mac: "02:00:00:00:07:02", mtu: 1500, addresses: [10.9.0.11/24]}
  routes:
  - {to: 0.0.0.0/0, via: 192.168.70.1, dev: eth0}
  - {to: 10.9.0.0/16, via: 10.9.0.1, dev: eth1}
${pods.join("")}`);
  return { capture: scratch.file("two-devices.pcap", captureAt(packets.map((packet, k) => ({ at: 1_700_000_000 + k / 1000, packet })))), cluster };
}
