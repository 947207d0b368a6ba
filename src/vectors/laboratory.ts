// The laboratory that the recordings were made in (fixtures/vectors/README.md): two nodes, their devices, routes, pods.
import { type DeviceImage, type EndpointImage, type NodeImage } from "../engine/image/node-image.ts";
import { type EndpointImage6, type NodeImage6 } from "../engine/image/node-image6.ts";
import { EPF_HOST } from "../kernel/layout.ts";
import type { LabSettings } from "./lab-settings.ts";
import type { LabMaps } from "./lab-maps.ts";
import { ipv4, ipv6, isIpv6Text, mac, prefix4, prefix6 } from "./lab-addresses.ts";

export type LabNodeName = "src" | "gw";
export const LAB_NODES: readonly LabNodeName[] = ["src", "gw"];

const TUNNEL_IFINDEX = 30;
/** A device without a program, which one recorded policy names. */
const CILIUM_NET_IFINDEX = 50;
const ETHERNET_MTU = 1500;
const TUNNEL_MAC = mac("02:00:00:00:dd:01");
const HOST_MAC = mac("ce:72:a7:03:88:56");
/** Agent defaults in seconds (pkg/defaults: CT timeouts), as the recorded builds had them. */
const LIFETIMES = { tcp: 8000, syn: 60, fin: 10, any: 60 };

interface LabDevice {
  readonly name: string;
  readonly masqueradeIp6: bigint;
  readonly image: DeviceImage;
}

function device(name: string, ifindex: number, macText: string, masqueradeIp: string, masqueradeIp6: string): LabDevice {
  return { name, masqueradeIp6: ipv6(masqueradeIp6), image: { ifindex, mac: mac(macText), mtu: ETHERNET_MTU, masqueradeIp: ipv4(masqueradeIp) } };
}

const DEVICES: Readonly<Record<LabNodeName, readonly LabDevice[]>> = {
  src: [device("eth0", 10, "02:00:00:00:01:0b", "192.168.1.11", "fd00:c0a8:1::11")],
  gw: [
    device("eth0", 10, "02:00:00:00:01:0c", "192.168.1.12", "fd00:c0a8:1::12"),
    device("eth1", 11, "02:00:00:00:02:0c", "198.51.100.12", "2001:db8:198::12"),
  ],
};

/** The pods of the source node whose program a step may name, by the device in front of them. */
const PODS: readonly LabPod[] = [
  pod("lxc1", 20, "10.0.1.10", "fd00:10:1::10", 1001, 20001), pod("lxc2", 21, "10.0.1.11", "fd00:10:1::11", 1002, 20002),
  pod("lxc3", 22, "10.0.1.12", "fd00:10:1::12", 1003, 20003),
];

export interface LabPod {
  readonly device: string;
  readonly address: number;
  readonly address6: bigint;
  readonly ifindex: number;
  readonly id: number;
  readonly identity: number;
  readonly mac: readonly number[];
  readonly nodeMac: readonly number[];
}

function pod(deviceName: string, ifindex: number, address: string, address6: string, id: number, identity: number): LabPod {
  const n = deviceName.slice(3);
  return {
    device: deviceName, address: ipv4(address), address6: ipv6(address6), ifindex, id, identity, mac: mac(`02:00:00:00:a1:0${n}`),
    nodeMac: mac(`02:00:00:00:aa:0${n}`),
  };
}

/** Is it the pod whose policy map recordings show? */
export function hasPolicyMap(ifindex: number): boolean { return ifindex === PODS[0]?.ifindex; }

/** The pod behind a device, or the one with an address where a step names it. */
export function labPod(deviceName: string, endpoint: string | undefined): LabPod | undefined {
  return PODS.find((each) => (endpoint === undefined ? each.device === deviceName : hasAddress(each, endpoint)));
}

function hasAddress(each: LabPod, text: string): boolean { return isIpv6Text(text) ? each.address6 === ipv6(text) : each.address === ipv4(text); }

export function deviceIndex(node: LabNodeName, name: string): number | undefined {
  if (name === "cilium_vxlan") return TUNNEL_IFINDEX;
  return DEVICES[node].find((each) => each.name === name)?.image.ifindex ?? PODS.find((each) => each.device === name)?.ifindex;
}

export function deviceName(node: LabNodeName, ifindex: number): string {
  if (ifindex === TUNNEL_IFINDEX) return "cilium_vxlan";
  if (ifindex === CILIUM_NET_IFINDEX) return "cilium_net";
  return DEVICES[node].find((each) => each.image.ifindex === ifindex)?.name ?? PODS.find((each) => each.ifindex === ifindex)?.device ?? String(ifindex);
}

const ROUTES: Readonly<Record<LabNodeName, Pick<NodeImage, "routes" | "rules">>> = {
  src: {
    routes: [[route("0.0.0.0/0", "192.168.1.1", 10), route("192.168.1.0/24", null, 10), route("10.0.2.0/24", "192.168.1.13", 10)]],
    rules: [],
  },
  gw: {
    routes: [
      [route("0.0.0.0/0", "192.168.1.1", 10), route("192.168.1.0/24", null, 10), route("198.51.100.0/24", null, 11)],
      [route("0.0.0.0/0", "198.51.100.1", 11)],
    ],
    rules: [{ from: prefix4("198.51.100.50/32"), table: 1 }],
  },
};

function route(to: string, via: string | null, ifindex: number): NodeImage["routes"][number][number] {
  return { to: prefix4(to), via: via === null ? 0 : ipv4(via), ifindex };
}

/** A node of the laboratory with the tables of a case. */
export function labNode(
  name: LabNodeName, settings: LabSettings, maps: LabMaps, policyTable: number, ipcacheTable: number, podPolicy: number,
): NodeImage {
  const devices = DEVICES[name].map((each) => each.image);
  return {
    index: LAB_NODES.indexOf(name),
    address: ipv4(name === "src" ? "192.168.1.11" : "192.168.1.12"),
    flags: settings.flags,
    policyTable,
    ipcacheTable,
    endpoints: maps.endpoints.map((each): EndpointImage => {
      const local = PODS.find((known) => known.ifindex === each.ifindex);
      return {
        address: each.address, flags: each.flags | (each.host ? EPF_HOST : 0), ifindex: each.ifindex, id: each.id, identity: each.identity,
        mac: local?.mac ?? [], nodeMac: local?.nodeMac ?? [], policyMap: hasPolicyMap(each.ifindex) ? podPolicy : 0,
      };
    }),
    devices,
    ...ROUTES[name],
    exclusion: settings.exclusion,
    nonMasquerade: settings.ipMasqAgent ? maps.ipmasq : null,
    snatMin: settings.snatMin,
    snatMax: settings.snatMax,
    lifetimes: LIFETIMES,
    worldIdentity: settings.worldIdentity,
    tunnelIfindex: TUNNEL_IFINDEX,
    tunnelPort: settings.tunnelPort,
    tunnelMac: TUNNEL_MAC,
    hostMac: HOST_MAC,
    vlanAllowed: settings.vlanAllowed,
  };
}

const ROUTES6: Readonly<Record<LabNodeName, Pick<NodeImage6, "routes" | "rules">>> = {
  src: {
    routes: [[route6("::/0", "fd00:c0a8:1::1", 10), route6("fd00:c0a8:1::/64", null, 10), route6("fd00:10:2::/64", "fd00:c0a8:1::13", 10)]],
    rules: [],
  },
  gw: {
    routes: [
      [route6("::/0", "fd00:c0a8:1::1", 10), route6("fd00:c0a8:1::/64", null, 10), route6("2001:db8:198::/64", null, 11)],
      [route6("::/0", "2001:db8:198::1", 11)],
    ],
    rules: [{ from: prefix6("2001:db8:198::50/128"), table: 1 }],
  },
};

function route6(to: string, via: string | null, ifindex: number): NodeImage6["routes"][number][number] {
  return { to: prefix6(to), via: via === null ? 0n : ipv6(via), ifindex };
}

/** The IPv6 side of a node of the laboratory. */
export function labNode6(
  name: LabNodeName, settings: LabSettings, maps: LabMaps, policyTable: number, ipcacheTable: number, podPolicy: number,
): NodeImage6 {
  return {
    address: ipv6(name === "src" ? "fd00:c0a8:1::11" : "fd00:c0a8:1::12"),
    router: ipv6(name === "src" ? "fd00:10:1::1" : "fd00:10:3::1"),
    loopback: ipv6("fe80::1"),
    policyTable,
    ipcacheTable,
    endpoints: maps.v6.endpoints.map((each): EndpointImage6 => {
      const local = PODS.find((known) => known.ifindex === each.ifindex);
      return {
        address: local?.address ?? 0, address6: each.address, flags: each.flags | (each.host ? EPF_HOST : 0), ifindex: each.ifindex, id: each.id,
        identity: each.identity, mac: local?.mac ?? [], nodeMac: local?.nodeMac ?? [], policyMap: hasPolicyMap(each.ifindex) ? podPolicy : 0,
      };
    }),
    masqueradeIps: DEVICES[name].map((each) => each.masqueradeIp6),
    ...ROUTES6[name],
    exclusion: settings.exclusion6,
    nonMasquerade: settings.ipMasqAgent ? maps.v6.ipmasq : null,
  };
}
