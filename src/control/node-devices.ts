// A node's devices, routes and rules: as its NodeNetwork says, or one device made up from its address.
import { type Ipv4Prefix, ipv4Mask, maskIpv4 } from "../cluster/cidr.ts";
import type { AssumptionLog } from "./assumptions.ts";
import { type ClusterNode, ipv4Prefixes } from "./cluster-nodes.ts";
import { MAC_OF_DEVICE, macOfAddress, macOfName } from "./derived-addresses.ts";
import type { ChosenGateway } from "./gateway-choice.ts";
import type { DeviceTable, Prefix, RouteEntry, RouteRule } from "./tables.ts";

export interface NodeDevices {
  readonly devices: readonly DeviceTable[];
  readonly routes: readonly RouteEntry[];
  readonly rules: readonly RouteRule[];
}

/** What policies say about a gateway that no NodeNetwork describes. */
export interface GatewayHints {
  readonly deviceName: string;
  readonly egressIps: readonly number[];
}

const NO_HINTS: GatewayHints = { deviceName: "eth0", egressIps: [] };
/** Ethernet's MTU (pkg/mtu: the agent's default for a device). */
const DEVICE_MTU = 1500;
/** 1 is the loopback device. */
const FIRST_IFINDEX = 2;
const DERIVED_BITS = 24;

/** Policies in order of name: the first interface named wins, every egress IP counts. */
export function gatewayHints(chosen: Iterable<readonly ChosenGateway[]>, assumptions: AssumptionLog): ReadonlyMap<ClusterNode, GatewayHints> {
  const names = new Map<ClusterNode, string>();
  const addresses = new Map<ClusterNode, Set<number>>();
  for (const gateways of chosen) {
    for (const { item, node } of gateways) {
      if (node.network !== null) continue;
      if (item.interfaceName !== "" && !names.has(node)) names.set(node, item.interfaceName);
      const ofNode = addresses.get(node) ?? new Set<number>();
      if (item.egressIp !== null && item.egressIp !== node.address) ofNode.add(item.egressIp);
      addresses.set(node, ofNode);
    }
  }
  const hints = new Map<ClusterNode, GatewayHints>();
  for (const [node, ofNode] of addresses) {
    const deviceName = names.get(node) ?? NO_HINTS.deviceName;
    if (deviceName !== NO_HINTS.deviceName) assumptions.note("device-name-from-policy");
    assumptions.note("egress-ip-assumed", ofNode.size);
    hints.set(node, { deviceName, egressIps: [...ofNode] });
  }
  return hints;
}

export function nodeDevices(node: ClusterNode, hints: GatewayHints | undefined, assumptions: AssumptionLog): NodeDevices {
  if (node.network === null) return derivedDevices(node, hints ?? NO_HINTS, assumptions);
  const taken = new Set(node.network.devices.map((device) => device.ifindex));
  let nextIfindex = FIRST_IFINDEX;
  const devices = node.network.devices.map((device): DeviceTable => {
    const addresses = ipv4Prefixes(device.addresses);
    const [first] = addresses;
    if (device.mac === null) assumptions.note("mac-derived");
    while (device.ifindex === null && taken.has(nextIfindex)) nextIfindex++;
    return {
      name: device.name,
      ifindex: device.ifindex ?? nextIfindex++,
      mac: device.mac ?? (first === undefined ? macOfName(`${node.name}/${device.name}`) : macOfAddress(MAC_OF_DEVICE, first.address)),
      mtu: device.mtu ?? DEVICE_MTU,
      addresses: addresses.map(plainPrefix),
      masqueradeIp: (addresses.find((each) => each.address === node.address) ?? first)?.address ?? 0,
    };
  });
  const routes: RouteEntry[] = [];
  for (const { to, via, dev, table } of node.network.routes) {
    if (to.family === 4) routes.push({ to: plainPrefix(maskIpv4(to)), via: via?.family === 4 ? via.value : 0, device: dev, table });
  }
  if (node.network.routes.length === 0) routes.push(...defaultRoute(devices, assumptions));
  const rules: RouteRule[] = [];
  for (const { from, table } of node.network.rules) if (from.family === 4) rules.push({ from: plainPrefix(maskIpv4(from)), table });
  return { devices, routes: [...connectedRoutes(devices, routes), ...routes], rules };
}

function derivedDevices(node: ClusterNode, hints: GatewayHints, assumptions: AssumptionLog): NodeDevices {
  assumptions.note("device-derived");
  const device: DeviceTable = {
    name: hints.deviceName,
    ifindex: FIRST_IFINDEX,
    mac: macOfAddress(MAC_OF_DEVICE, node.address),
    mtu: DEVICE_MTU,
    addresses: [
      { address: node.address, bits: DERIVED_BITS },
      ...hints.egressIps.map((address): Prefix => ({ address, bits: 32 })),
    ],
    masqueradeIp: node.address,
  };
  const routes = defaultRoute([device], assumptions);
  return { devices: [device], routes: [...connectedRoutes([device], []), ...routes], rules: [] };
}

/** The routes that the kernel adds with an address; a /32 brings none. */
function connectedRoutes(devices: readonly DeviceTable[], given: readonly RouteEntry[]): readonly RouteEntry[] {
  const known = new Set(given.filter((route) => route.table === 0).map((route) => `${route.to.address}/${route.to.bits}`));
  const routes: RouteEntry[] = [];
  for (const device of devices) {
    for (const address of device.addresses) {
      const to = plainPrefix(maskIpv4(address));
      const key = `${to.address}/${to.bits}`;
      if (to.bits === 32 || known.has(key)) continue;
      known.add(key);
      routes.push({ to, via: 0, device: device.name, table: 0 });
    }
  }
  return routes;
}

function defaultRoute(devices: readonly DeviceTable[], assumptions: AssumptionLog): readonly RouteEntry[] {
  for (const device of devices) {
    const [first] = device.addresses;
    if (first === undefined) continue;
    assumptions.note("default-route-derived");
    return [{ to: { address: 0, bits: 0 }, via: neighbourOf(first), device: device.name, table: 0 }];
  }
  return [];
}

/** The first host address of a subnet, or the last where the device has the first itself; 0 where there is none. */
function neighbourOf(own: Prefix): number {
  if (own.bits >= 31) return own.bits === 31 ? (own.address ^ 1) >>> 0 : 0;
  const network = (own.address & ipv4Mask(own.bits)) >>> 0;
  const first = network + 1;
  const last = network + 2 ** (32 - own.bits) - 2;
  return own.address === first ? last : first;
}

function plainPrefix(prefix: Prefix | Ipv4Prefix): Prefix {
  return { address: prefix.address, bits: prefix.bits };
}
