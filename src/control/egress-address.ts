// The egress addresses of a gateway item on its node (pkg/egressgateway/policy.go, deriveFromPolicyGatewayConfig).
import { formatIpv4 } from "../cluster/cidr.ts";
import type { Finding } from "../cluster/finding.ts";
import { type AcceptedPolicy, policyFinding } from "./accepted-policies.ts";
import { FAMILY_6 } from "./address-family.ts";
import type { ChosenGateway } from "./gateway-choice.ts";
import type { DeviceTable, NodeTable } from "./tables.ts";

export interface EgressAddresses {
  /** 0: none found, the gateway drops IPv4. */
  readonly egressIp: number;
  /** 0n: none found or none looked for, the gateway drops IPv6. */
  readonly egressIp6: bigint;
  /** The device that the agent recorded, 0 for none. */
  readonly egressIfindex: number;
}

/** Where an address cannot be found there is a finding. One that is missing leaves the policy without any: the agent gives up
 * on both families at the first failure. */
export function egressAddresses(accepted: AcceptedPolicy, gateway: ChosenGateway, table: NodeTable, findings: Finding[]): EgressAddresses {
  const found = lookUp(gateway, table, accepted.v6Needed);
  const { policy, v6Needed } = accepted;
  if ("missing" in found) {
    const both = v6Needed ? ", of either family" : "";
    findings.push(
      policyFinding(policy, gateway.item.path, {
        rule: "egress-ip-missing",
        severity: "error",
        message: `${policy.name}: ${found.missing}`,
        effect: `all nodes send the policy's traffic to ${table.name}, which drops it${both}: 204 No Egress IP configured`,
        fix: found.fix,
      }),
    );
    return { egressIp: 0, egressIp6: 0n, egressIfindex: found.egressIfindex };
  }
  if (v6Needed && found.egressIp6 === 0n) {
    findings.push(
      policyFinding(policy, [...gateway.item.path, "egressIP"], {
        rule: "egress-ip-ipv4-only",
        severity: "error",
        message: `${policy.name} names IPv6 destinations and an egressIP, which gives IPv4 an address only`,
        effect: `IPv6 traffic of the policy reaches ${table.name} and is dropped there: 204 No Egress IP configured; IPv4 works`,
        fix: "put the IPv6 prefixes into a policy of their own that names an interface, or neither",
      }),
    );
  }
  return found;
}

interface Missing {
  readonly missing: string;
  readonly fix: string;
  /** Recorded before the search failed. */
  readonly egressIfindex: number;
}

function lookUp({ item }: ChosenGateway, table: NodeTable, v6Needed: boolean): EgressAddresses | Missing {
  const { egressIp, interfaceName } = item;
  if (interfaceName !== "") {
    const device = table.devices.find((each) => each.name === interfaceName);
    if (device === undefined) {
      return { missing: `${table.name} has no device ${interfaceName}`, fix: `name one of ${deviceNames(table)}`, egressIfindex: 0 };
    }
    if (egressIp === null) return firstAddresses(device, table, v6Needed);
    // Semantics "intent" only: the agent has ignored such a policy before.
    if (carries(device, egressIp)) return { egressIp, egressIp6: v6Needed ? first6(device) : 0n, egressIfindex: device.ifindex };
    const address = formatIpv4(egressIp);
    return { missing: `${address} is not on ${interfaceName} of ${table.name}`, fix: `add ${address} to ${interfaceName}`, egressIfindex: 0 };
  }
  if (egressIp !== null) {
    if (table.devices.some((device) => carries(device, egressIp))) return { egressIp, egressIp6: 0n, egressIfindex: 0 };
    const address = formatIpv4(egressIp);
    return {
      missing: `${address} is on no device of ${table.name}`,
      fix: `add ${address} to a device of ${table.name}, then touch the policy: the agent does not notice new addresses by itself`,
      egressIfindex: 0,
    };
  }
  return ofDefaultRoute(table, v6Needed);
}

function ofDefaultRoute(table: NodeTable, v6Needed: boolean): EgressAddresses | Missing {
  const device = defaultDevice(table, table.routes);
  if (device === undefined) return { missing: `${table.name} has no IPv4 default route`, fix: "set egressIP or interface", egressIfindex: 0 };
  const device6 = v6Needed ? defaultDevice(table, table.routes6) : device;
  const { ifindex } = device;
  if (device6 === undefined) {
    const fix = "name an interface, or put the IPv6 prefixes into a policy of their own";
    return { missing: `${table.name} has no IPv6 default route, which its IPv6 destinations need`, fix, egressIfindex: ifindex };
  }
  if (device6 !== device) {
    return {
      missing: `the default routes of ${table.name} leave by ${device.name} (IPv4) and ${device6.name} (IPv6)`,
      fix: "name an interface",
      egressIfindex: ifindex,
    };
  }
  return firstAddresses(device, table, v6Needed);
}

function defaultDevice(table: NodeTable, routes: NodeTable["routes"] | NodeTable["routes6"]): DeviceTable | undefined {
  for (const { to, device, table: number } of routes) {
    if (number === 0 && to.bits === 0) return table.devices.find((each) => each.name === device);
  }
  return undefined;
}

function firstAddresses(device: DeviceTable, table: NodeTable, v6Needed: boolean): EgressAddresses | Missing {
  const { name, ifindex } = device;
  const [first] = device.addresses;
  if (first === undefined) return { missing: `${name} of ${table.name} has no IPv4 address`, fix: `add one to ${name}`, egressIfindex: ifindex };
  const egressIp6 = v6Needed ? first6(device) : 0n;
  if (v6Needed && egressIp6 === 0n) {
    return {
      missing: `${name} of ${table.name} has no IPv6 address but link-local ones, which its IPv6 destinations need`,
      fix: `add one to ${name}, or put the IPv6 prefixes into a policy of their own`,
      egressIfindex: ifindex,
    };
  }
  return { egressIp: first.address, egressIp6, egressIfindex: ifindex };
}

function first6(device: DeviceTable): bigint {
  return device.addresses6.find(({ address }) => !FAMILY_6.isLinkLocal(address))?.address ?? 0n;
}

function carries(device: DeviceTable, address: number): boolean {
  return device.addresses.some((each) => each.address === address);
}

function deviceNames(table: NodeTable): string {
  return table.devices.map((device) => device.name).join(", ");
}
