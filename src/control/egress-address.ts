// The egress IP of a gateway item on its node (pkg/egressgateway/policy.go, deriveFromPolicyGatewayConfig).
import { formatIpv4 } from "../cluster/cidr.ts";
import type { Finding } from "../cluster/finding.ts";
import { type AcceptedPolicy, policyFinding } from "./accepted-policies.ts";
import type { ChosenGateway } from "./gateway-choice.ts";
import type { DeviceTable, NodeTable } from "./tables.ts";

/** The address as an unsigned number, or 0 with a finding: the gateway then drops the policy's traffic. */
export function egressAddress(accepted: AcceptedPolicy, gateway: ChosenGateway, table: NodeTable, findings: Finding[]): number {
  const found = lookUp(gateway, table);
  if (typeof found === "number") return found;
  const { policy } = accepted;
  findings.push(
    policyFinding(policy, gateway.item.path, {
      rule: "egress-ip-missing",
      severity: "error",
      message: `${policy.name}: ${found.missing}`,
      effect: `all nodes send the policy's traffic to ${table.name}, which drops it: 204 No Egress IP configured`,
      fix: found.fix,
    }),
  );
  return 0;
}

interface Missing {
  readonly missing: string;
  readonly fix: string;
}

function lookUp({ item }: ChosenGateway, table: NodeTable): number | Missing {
  const { egressIp, interfaceName } = item;
  if (interfaceName !== "") {
    const device = table.devices.find((each) => each.name === interfaceName);
    if (device === undefined) {
      return { missing: `${table.name} has no device ${interfaceName}`, fix: `name one of ${deviceNames(table)}` };
    }
    if (egressIp === null) return firstAddress(device, table);
    // Semantics "intent" only: the agent has ignored such a policy before.
    return device.addresses.some((each) => each.address === egressIp)
      ? egressIp
      : { missing: `${formatIpv4(egressIp)} is not on ${interfaceName} of ${table.name}`, fix: `add ${formatIpv4(egressIp)} to ${interfaceName}` };
  }
  if (egressIp !== null) {
    if (table.devices.some((device) => device.addresses.some((each) => each.address === egressIp))) return egressIp;
    const address = formatIpv4(egressIp);
    return {
      missing: `${address} is on no device of ${table.name}`,
      fix: `add ${address} to a device of ${table.name}, then touch the policy: the agent does not notice new addresses by itself`,
    };
  }
  const route = table.routes.find((each) => each.table === 0 && each.to.bits === 0);
  const device = table.devices.find((each) => each.name === route?.device);
  if (device === undefined) return { missing: `${table.name} has no IPv4 default route`, fix: "set egressIP or interface" };
  return firstAddress(device, table);
}

function firstAddress(device: DeviceTable, table: NodeTable): number | Missing {
  const [first] = device.addresses;
  return first?.address ?? { missing: `${device.name} of ${table.name} has no IPv4 address`, fix: `add one to ${device.name}` };
}

function deviceNames(table: NodeTable): string {
  return table.devices.map((device) => device.name).join(", ");
}
