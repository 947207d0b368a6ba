// The IPv6 side of a compiled cluster as the kernel's look-ups read it back.
import { beforeAll, describe, expect, test } from "vitest";
import { NO_NETWORK_POLICY } from "../../../src/control/network-policy/network-policy-tables.ts";
import { type DatapathConfig, type DatapathTables, type DeviceTable, NO_SERVICES, type NodeTable } from "../../../src/control/tables.ts";
import { getAddress6, putAddress6 } from "../../../src/engine/image/address6.ts";
import { Arena, sharedMemory, wireWord } from "../../../src/engine/image/arena.ts";
import { clusterImageBytes6, configFlags6, writeNodeTables6, writeShared6 } from "../../../src/engine/image/cluster-image6.ts";
import { writeNode } from "../../../src/engine/image/node-image.ts";
import { kernelOn } from "../../../src/engine/kernel-instance.ts";
import { egressGatewayReplyNeedsRedirect6 } from "../../../src/kernel/datapath/egress-gateway6.ts";
import { FIB_LOCAL, FIB_OK } from "../../../src/kernel/datapath/lookups.ts";
import { egressPolicyFind6, endpointFind6, fibFind6, ipcacheFind6, loadEgress6 } from "../../../src/kernel/datapath/lookups6.ts";
import {
  D_MASQUERADE6, E_GATEWAY, EP_ADDRESS, EP_FLAGS, EP_IDENTITY, EPF_HOST, IPC_HAS_TUNNEL, N_DEVICES, N_FLAGS, NF_DUAL_STACK, NF_EXCLUSION6, NF_IPMASQ6, NF_IPV6,
  NF_MASQUERADE6, P_FIB_IFINDEX, P_INFO_FLAGS, P_INFO_IDENTITY, P_INFO_TUNNEL, P_NODE, P_ROOM,
} from "../../../src/kernel/layout.ts";
import { N_EXCLUSION6_ADDR, N_ROUTER6, P_FIB_NEXTHOP6, P_SNAT_ADDR6, P_SNAT_IFINDEX } from "../../../src/kernel/layout6.ts";
import { ipv6, prefix6 } from "../../../src/vectors/lab-addresses.ts";

const CONFIG = {
  ipv4: true, ipv6: true, ipv6Masquerade: true, fragmentTracking6: true, ipMasqAgent: true, nonMasqueradeCidrs6: [prefix6("2001:db8:5::/48")],
} as unknown as DatapathConfig;
const device = (name: string, ifindex: number, masqueradeIp6: string): DeviceTable => ({
  name, ifindex, mac: [2, 0, 0, 0, 0, ifindex], mtu: 1500, addresses: [], masqueradeIp: 0, addresses6: [], masqueradeIp6: ipv6(masqueradeIp6),
});

function node(last: number, fields: Partial<NodeTable>): NodeTable {
  return {
    name: `n${last}`, address: 0xc0a80100 + last, podCidrs: [], devices: [device("eth0", 10, `fd00:c0a8:1::${last}`), device("eth1", 11, `2001:db8:198::${last}`)],
    routes: [], rules: [], endpoints: [], snatExclusion: null, address6: ipv6(`fd00:c0a8:1::${last}`), podCidrs6: [],
    routes6: [
      { to: prefix6("::/0"), via: ipv6("fd00:c0a8:1::1"), device: "eth0", table: 0 }, { to: prefix6("fd00:c0a8:1::/64"), via: 0n, device: "eth0", table: 0 },
      { to: prefix6("::/0"), via: ipv6("fe80::1"), device: "eth1", table: 100 },
    ],
    rules6: [{ from: prefix6("2001:db8:198::50/128"), table: 100 }], endpoints6: [], snatExclusion6: prefix6("fd00:10::/32"),
    routerAddress6: ipv6("fd00:10:1::1"), serviceLoopback4: 0, serviceLoopback6: ipv6("fe80::1"), ...fields,
  };
}
const endpoint = { identity: 20001, endpointId: 7, ifindex: 20, host: false, mac: [2, 0, 0, 0, 1, 1], nodeMac: [2, 0, 0, 0, 1, 2], label: "a/pod" };
const TABLES = {
  config: CONFIG, policies: [], policyEntries: [], ipcache: [],
  nodes: [
    node(11, {
      endpoints: [{ ...endpoint, address: 0x0a00010a }],
      endpoints6: [{ ...endpoint, address: ipv6("fd00:10:1::10") }, { ...endpoint, address: ipv6("fd00:c0a8:1::11"), host: true, identity: 1, endpointId: 0 }],
    }),
    node(12, {}),
  ],
  ipcache6: [
    { prefix: prefix6("::/0"), identity: 10, ownerNode: -1, isNode: false, ownerOnly: false, skipTunnel: false },
    { prefix: prefix6("fd00:10:1::10/128"), identity: 20001, ownerNode: 0, isNode: false, ownerOnly: false, skipTunnel: false },
  ],
  services: NO_SERVICES, policyEntries6: [{
    source: ipv6("fd00:10:1::10"), destination: prefix6("2001:db8:113::/64"), gatewayIp: 0xc0a8010c, egressIp: ipv6("fd00:c0a8:1::50"), egressIfindex: 10,
    gatewayNode: 1, policy: 0,
  }],
  networkPolicy: NO_NETWORK_POLICY,
} satisfies DatapathTables;

let arena: Arena;
let packet: number;
let address: number;
const nodes: number[] = [];

beforeAll(() => {
  const memory = sharedMemory(256 * 1024);
  kernelOn(memory, "ts");
  arena = new Arena(memory);
  packet = arena.take(P_ROOM);
  address = arena.take(64);
  const before = arena.used, shared = writeShared6(arena, TABLES, () => 0);
  let bytes = arena.used - before;
  for (const [index, table] of TABLES.nodes.entries()) {
    const at = writeNode(arena, {
      index, address: table.address, flags: configFlags6(CONFIG), policyTable: 0, ipcacheTable: 0, endpoints: [], devices: table.devices, routes: [[]], rules: [],
      exclusion: null, nonMasquerade: null, snatMin: 32768, snatMax: 65535, lifetimes: { tcp: 1, syn: 1, fin: 1, any: 1 }, worldIdentity: 9, tunnelIfindex: 4,
      tunnelPort: 8472, tunnelMac: [], hostMac: [], vlanAllowed: 0,
    });
    const own = arena.used;
    writeNodeTables6(arena, at, table, CONFIG, shared, () => 0);
    bytes += arena.used - own;
    nodes.push(at);
  }
  expect(bytes).toBeLessThanOrEqual(clusterImageBytes6(TABLES));
});

/** Places an address where the kernel can read it, seen from a node. */
function on(index: number, text: string, other = "::"): { first: number; second: number } {
  arena.put32(packet + P_NODE, nodes[index] ?? 0);
  putAddress6(arena, address, ipv6(text));
  putAddress6(arena, address + 16, ipv6(other));
  return { first: address, second: address + 16 };
}

describe("a node of a dual-stack cluster", () => {
  test("has its flags, addresses and masquerade addresses", () => {
    const at = nodes[0] ?? 0;
    expect(arena.get32(at + N_FLAGS)).toBe(configFlags6(CONFIG) | NF_EXCLUSION6 | NF_IPMASQ6);
    expect(configFlags6(CONFIG) & (NF_DUAL_STACK | NF_MASQUERADE6)).toBe(NF_DUAL_STACK | NF_MASQUERADE6);
    expect(configFlags6({ ...CONFIG, ipv6: false })).toBe(0);
    expect(configFlags6({ ...CONFIG, ipv4: false }) & (NF_IPV6 | NF_DUAL_STACK)).toBe(NF_IPV6);
    expect(getAddress6(arena.view, at + N_ROUTER6)).toBe(ipv6("fd00:10:1::1"));
    expect(getAddress6(arena.view, at + N_EXCLUSION6_ADDR)).toBe(ipv6("fd00:10::"));
    expect(getAddress6(arena.view, arena.get32(at + N_DEVICES) + D_MASQUERADE6)).toBe(ipv6("fd00:c0a8:1::11"));
  });

  test("finds its pods, with both addresses, and itself", () => {
    const pod = endpointFind6(packet, on(0, "fd00:10:1::10").first);
    expect([arena.get32(pod + EP_IDENTITY), arena.get32(pod + EP_ADDRESS)]).toEqual([20001, wireWord(0x0a00010a)]);
    expect(arena.get32(endpointFind6(packet, on(0, "fd00:c0a8:1::11").first) + EP_FLAGS) & EPF_HOST).toBe(EPF_HOST);
    expect(endpointFind6(packet, on(1, "fd00:10:1::10").first)).toBe(0);
  });

  test("sees a tunnel to pods of other nodes only, and the world elsewhere", () => {
    expect(ipcacheFind6(packet, on(1, "fd00:10:1::10").first)).toBe(true);
    expect([arena.get32(packet + P_INFO_FLAGS) & IPC_HAS_TUNNEL, arena.get32(packet + P_INFO_TUNNEL)]).toEqual([IPC_HAS_TUNNEL, wireWord(0xc0a8010b)]);
    expect(ipcacheFind6(packet, on(0, "fd00:10:1::10").first)).toBe(true);
    expect(arena.get32(packet + P_INFO_FLAGS) & IPC_HAS_TUNNEL).toBe(0);
    ipcacheFind6(packet, on(0, "2001:db8::1").first);
    expect(arena.get32(packet + P_INFO_IDENTITY)).toBe(10);
  });

  test.each([[0, 0n, 0], [1, ipv6("fd00:c0a8:1::50"), 10]])("holds the egress IP where it is the gateway (node %d)", (index, egressIp, ifindex) => {
    const { first, second } = on(index, "fd00:10:1::10", "2001:db8:113::7"), record = egressPolicyFind6(packet, first, second);
    expect(arena.get32(record + E_GATEWAY)).toBe(wireWord(0xc0a8010c));
    loadEgress6(packet, record);
    expect([getAddress6(arena.view, packet + P_SNAT_ADDR6), arena.get32(packet + P_SNAT_IFINDEX)]).toEqual([egressIp, ifindex]);
    expect(egressPolicyFind6(packet, second, first)).toBe(0);
  });

  test("steers a translated reply to the pod's node", () => {
    // The addresses lie as in a header: source at 8, destination at 24.
    const { first } = on(1, "2001:db8:113::7", "fd00:10:1::10");
    expect(egressGatewayReplyNeedsRedirect6(packet, first - 8)).toBe(true);
    expect(arena.get32(packet + P_INFO_TUNNEL)).toBe(wireWord(0xc0a8010b));
  });

  test.each([
    ["2001:db8::1", "2001:db8:113::7", FIB_OK, 10, "fd00:c0a8:1::1"], ["2001:db8:198::50", "2001:db8:113::7", FIB_OK, 11, "fe80::1"],
    ["2001:db8::1", "fd00:c0a8:1::99", FIB_OK, 10, "fd00:c0a8:1::99"], ["2001:db8::1", "fd00:c0a8:1::11", FIB_LOCAL, 0, "::"],
    ["2001:db8::1", "ff02::1", FIB_LOCAL, 0, "::"], ["fe80::2", "2001:db8:113::7", FIB_LOCAL, 0, "::"], ["2001:db8::1", "::1", FIB_LOCAL, 0, "::"],
  ])("routes from %s to %s", (from, to, result, ifindex, nextHop) => {
    const { first, second } = on(0, from, to);
    expect(fibFind6(packet, first, second)).toBe(result);
    if (result === FIB_OK) expect([arena.get32(packet + P_FIB_IFINDEX), getAddress6(arena.view, packet + P_FIB_NEXTHOP6)]).toEqual([ifindex, ipv6(nextHop)]);
  });
});
