// A node's devices, routes and rules: as its NodeNetwork says, or one device made up from its address.
import type { NetworkRoute, NetworkRule } from "../cluster/model.ts";
import { type AddressFamily, FAMILY_4, FAMILY_6, prefixesIn } from "./address-family.ts";
import type { AssumptionLog, AssumptionRule } from "./assumptions.ts";
import type { ClusterNode } from "./cluster-nodes.ts";
import { MAC_OF_DEVICE, macOfAddress, macOfName } from "./derived-addresses.ts";
import type { ChosenGateway } from "./gateway-choice.ts";
import { primaryAddress } from "./primary-address.ts";
import type { DeviceTable, NodeTable, Prefix, Prefix6, PrefixOf, RouteEntryOf, RouteRuleOf } from "./tables.ts";

export type NodeDevices = Pick<NodeTable, "devices" | "routes" | "rules" | "routes6" | "rules6">;

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
  const devices = node.network === null ? [derivedDevice(node, hints ?? NO_HINTS, assumptions)] : givenDevices(node, assumptions);
  const { routes, rules } = routing(FAMILY_4, node, devices.map(({ name, addresses }) => ({ name, addresses })), "default-route-derived", assumptions);
  const sixth = routing(FAMILY_6, node, devices.map(({ name, addresses6 }) => ({ name, addresses: addresses6 })), "ipv6-route-derived", assumptions);
  return { devices, routes, rules, routes6: sixth.routes, rules6: sixth.rules };
}

function givenDevices(node: ClusterNode, assumptions: AssumptionLog): readonly DeviceTable[] {
  const given = node.network?.devices ?? [];
  const taken = new Set(given.map((device) => device.ifindex));
  let nextIfindex = FIRST_IFINDEX;
  return given.map((device): DeviceTable => {
    const addresses = prefixesIn(FAMILY_4, device.addresses);
    const addresses6 = prefixesIn(FAMILY_6, device.addresses);
    const [first] = addresses;
    if (device.mac === null) assumptions.note("mac-derived");
    while (device.ifindex === null && taken.has(nextIfindex)) nextIfindex++;
    return {
      name: device.name,
      ifindex: device.ifindex ?? nextIfindex++,
      mac: device.mac ?? (first === undefined ? macOfName(`${node.name}/${device.name}`) : macOfAddress(MAC_OF_DEVICE, first.address)),
      mtu: device.mtu ?? DEVICE_MTU,
      ...withMasqueradeIps(node, addresses, addresses6),
    };
  });
}

function derivedDevice(node: ClusterNode, hints: GatewayHints, assumptions: AssumptionLog): DeviceTable {
  assumptions.note("device-derived");
  const addresses = [
    { address: node.address, bits: FAMILY_4.networkBits },
    ...hints.egressIps.map((address): Prefix => ({ address, bits: FAMILY_4.width })),
  ];
  const addresses6 = node.address6 === 0n ? [] : [{ address: node.address6, bits: FAMILY_6.networkBits }];
  return {
    name: hints.deviceName,
    ifindex: FIRST_IFINDEX,
    mac: macOfAddress(MAC_OF_DEVICE, node.address),
    mtu: DEVICE_MTU,
    ...withMasqueradeIps(node, addresses, addresses6),
  };
}

function withMasqueradeIps(
  node: ClusterNode,
  addresses: readonly Prefix[],
  addresses6: readonly Prefix6[],
): Pick<DeviceTable, "addresses" | "addresses6" | "masqueradeIp" | "masqueradeIp6"> {
  return {
    addresses,
    addresses6,
    masqueradeIp: primaryAddress(FAMILY_4, addresses, node.address),
    masqueradeIp6: primaryAddress(FAMILY_6, addresses6, node.address6),
  };
}

interface DeviceAddresses<Address> {
  readonly name: string;
  readonly addresses: readonly PrefixOf<Address>[];
}

/** One family's routes and rules; a default route is made up where the NodeNetwork has no route of the family. */
function routing<Address extends number | bigint>(
  family: AddressFamily<Address>,
  node: ClusterNode,
  devices: readonly DeviceAddresses<Address>[],
  assumption: AssumptionRule,
  assumptions: AssumptionLog,
): { readonly routes: readonly RouteEntryOf<Address>[]; readonly rules: readonly RouteRuleOf<Address>[] } {
  const routes = routesIn(family, node.network?.routes ?? []);
  if (routes.length === 0) {
    const derived = defaultRoute(family, devices);
    if (derived !== null) {
      assumptions.note(assumption);
      routes.push(derived);
    }
  }
  return { routes: [...connectedRoutes(family, devices, routes), ...routes], rules: rulesIn(family, node.network?.rules ?? []) };
}

function routesIn<Address extends number | bigint>(family: AddressFamily<Address>, given: readonly NetworkRoute[]): RouteEntryOf<Address>[] {
  const routes: RouteEntryOf<Address>[] = [];
  for (const { to, via, dev, table } of given) {
    const prefix = family.prefixOf(to);
    const hop = via === null ? family.none : family.addressOf(via);
    if (prefix !== null && hop !== null) routes.push({ to: family.mask(prefix), via: hop, device: dev, table });
  }
  return routes;
}

function rulesIn<Address extends number | bigint>(family: AddressFamily<Address>, given: readonly NetworkRule[]): readonly RouteRuleOf<Address>[] {
  const rules: RouteRuleOf<Address>[] = [];
  for (const { from, table } of given) {
    const prefix = family.prefixOf(from);
    if (prefix !== null) rules.push({ from: family.mask(prefix), table });
  }
  return rules;
}

/** The routes that the kernel adds with an address; a single address brings none, and nothing is forwarded to a
 * link-local one (RFC 4291, section 2.5.6). */
function connectedRoutes<Address extends number | bigint>(
  family: AddressFamily<Address>,
  devices: readonly DeviceAddresses<Address>[],
  given: readonly RouteEntryOf<Address>[],
): readonly RouteEntryOf<Address>[] {
  const known = new Set(given.filter((route) => route.table === 0).map((route) => `${route.to.address}/${route.to.bits}`));
  const routes: RouteEntryOf<Address>[] = [];
  for (const device of devices) {
    for (const address of device.addresses) {
      const to = family.mask(address);
      const key = `${to.address}/${to.bits}`;
      if (to.bits === family.width || family.isLinkLocal(to.address) || known.has(key)) continue;
      known.add(key);
      routes.push({ to, via: family.none, device: device.name, table: 0 });
    }
  }
  return routes;
}

function defaultRoute<Address extends number | bigint>(
  family: AddressFamily<Address>,
  devices: readonly DeviceAddresses<Address>[],
): RouteEntryOf<Address> | null {
  for (const device of devices) {
    const first = device.addresses.find(({ address }) => !family.isLinkLocal(address));
    if (first === undefined) continue;
    return { to: { address: family.none, bits: 0 }, via: family.neighbour(first), device: device.name, table: 0 };
  }
  return null;
}
