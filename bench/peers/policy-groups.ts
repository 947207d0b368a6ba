// A cluster's policy entries as peers are configured with them: pods that are treated alike form a group.
import type { DatapathTables, Prefix } from "../../src/control/tables.ts";

export interface PolicyGroup {
  /** 1 and up. */
  readonly number: number;
  /** The pods' identity, which VXLAN carries. */
  readonly vni: number;
  readonly egressIp: number;
  readonly pods: readonly { readonly address: number; readonly node: number }[];
  readonly entries: readonly { readonly destination: Prefix; readonly gateway: number }[];
}

export function policyGroups({ nodes, policyEntries }: DatapathTables): PolicyGroup[] {
  const entriesOf = byKey(policyEntries, ({ source }) => source);
  const pods = nodes.flatMap(({ address: node, endpoints }) => endpoints.filter(({ host }) => !host).map(({ address, identity }) =>
    ({ address, node, identity, entries: entriesOf.get(address) ?? [] })));
  const alike = byKey(pods.filter(({ entries }) => entries.length > 0), ({ identity, entries }) =>
    [identity, ...entries.map(({ destination, gatewayIp, egressIp }) => `${destination.address}/${destination.bits} ${gatewayIp} ${egressIp}`).sort()].join());
  return [...alike.values()].map((members, k) => {
    const [first] = members, [entry] = first?.entries ?? [];
    if (first === undefined || entry === undefined) throw new Error("a group of pods has no entries");
    if (first.entries.some(({ egressIp }) => egressIp !== entry.egressIp)) throw new Error("a pod has several egress IPs: the peers are set up for one");
    const entries = first.entries.map(({ destination, gatewayIp: gateway }) => ({ destination, gateway }));
    return { number: k + 1, vni: first.identity, egressIp: entry.egressIp, pods: members, entries };
  });
}

export const gatewaysOf = (groups: readonly PolicyGroup[]): number[] => [...new Set(groups.flatMap(({ entries }) => entries.map(({ gateway }) => gateway)))];
export const nodesOf = (groups: readonly PolicyGroup[]): number[] => [...new Set(groups.flatMap(({ pods }) => pods.map(({ node }) => node)))];

function byKey<Value, Key>(values: readonly Value[], keyOf: (value: Value) => Key): Map<Key, Value[]> {
  const grouped = new Map<Key, Value[]>();
  for (const value of values) {
    const key = keyOf(value), own = grouped.get(key);
    if (own === undefined) grouped.set(key, [value]);
    else own.push(value);
  }
  return grouped;
}
