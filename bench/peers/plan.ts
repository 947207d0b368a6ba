// What a peer must know of a cluster to do work W1: pods with their nodes, policy entries, MAC addresses of nodes. One line each,
// numbers and addresses as hexadecimal words, so that any language reads it with a line of code.
import type { DatapathTables } from "../../src/control/tables.ts";

const hex = (value: number): string => (value >>> 0).toString(16);
const mac = (bytes: readonly number[]): string => bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** pod ADDRESS VNI NODE NEXT-HOP (0: the destination), node ADDRESS MAC, entry SOURCE PREFIX BITS GATEWAY. */
export function peerPlan(tables: DatapathTables): string {
  const lines: string[] = [];
  for (const node of tables.nodes) {
    lines.push(`node ${hex(node.address)} ${mac(node.devices[0]?.mac ?? [])}`);
    const hop = node.routes.find(({ to, table }) => table === 0 && to.bits === 0)?.via ?? 0;
    for (const { address, identity, host } of node.endpoints) if (!host) lines.push(`pod ${hex(address)} ${hex(identity)} ${hex(node.address)} ${hex(hop)}`);
  }
  for (const { source, destination, gatewayIp } of tables.policyEntries) lines.push(`entry ${hex(source)} ${hex(destination.address)} ${hex(destination.bits)} ${hex(gatewayIp)}`);
  return `${lines.join("\n")}\n`;
}
