// A pod's policy map in the kernel's memory: for each direction a hash by identity, behind it the identity's protocol and port
// prefixes laid flat.
import type { IdentityPolicy, NetworkPolicyTables } from "../../control/network-policy/network-policy-tables.ts";
import type { PolicyDirection, PolicyMapGroup, PolicyPort } from "../../control/network-policy/policy-map.ts";
import type { DatapathTables } from "../../control/tables.ts";
import {
  NI_ADDRESS, NI_ID, NI_SIZE, NPF_AUDIT, NPF_FRAG_NEEDED, NPF_ICMP_RULES, PE_AUTH, PE_COOKIE, PE_FLAGS, PE_POLICY, PE_PRECEDENCE, PE_PREFIX, PE_PROXY, PE_RULE, PE_SIZE, PEF_DENY, PEF_EXPLICIT_AUTH, PM_EGRESS,
  PM_INGRESS, PM_POLICY, PM_SIZE,
} from "../../kernel/layout-policy.ts";
import { PS_SIZE, PS_SOURCE, PS_TABLE } from "../../kernel/layout.ts";
import { type Arena, wirePort, wireWord } from "./arena.ts";
import { DEFAULT_NODE_POLICY, type NodePolicyImage } from "./node-image.ts";
import { type PrefixValue, writePrefixTable } from "./prefix-table.ts";
import { writeStaticHash } from "./static-hash.ts";

export interface PolicyPortImage extends PolicyPort {
  /** What the value says of the key's prefix, where it is another than the key's (no agent writes that). */
  readonly valuePrefix?: number;
}

export interface PolicyGroupImage extends PolicyMapGroup {
  readonly ports: readonly PolicyPortImage[];
}

/** Writes policy maps; records and tables of ports that are alike are written once for all of them. */
export class PolicyMapWriter {
  readonly #arena: Arena;
  readonly #records = new Map<string, number>();
  readonly #tables = new Map<string, number>();

  readonly #policyOfRule: readonly number[];

  /** `policyOfRule`: index of each rule's policy. */
  constructor(arena: Arena, policyOfRule: readonly number[] = []) {
    this.#arena = arena;
    this.#policyOfRule = policyOfRule;
  }

  /** Address of the map; never 0: a map without entries denies everything. `policy` is the first that selects the pod. */
  write(groups: readonly PolicyGroupImage[], policy = -1): number {
    const at = this.#arena.take(PM_SIZE);
    this.#arena.put32(at + PM_POLICY, policy);
    this.#arena.put32(at + PM_EGRESS, this.#direction(groups, "egress"));
    this.#arena.put32(at + PM_INGRESS, this.#direction(groups, "ingress"));
    return at;
  }

  #direction(groups: readonly PolicyGroupImage[], direction: PolicyDirection): number {
    return writeStaticHash(this.#arena, PS_SIZE, PS_TABLE, groups.filter((group) => group.direction === direction).flatMap(({ identities, ports }) => {
      const table = this.#table(ports.map((port) => (
        { prefix: { address: ((port.protocol << 24) | (port.port << 8)) >>> 0, bits: port.prefix }, value: this.#record(port) })));
      return identities.map((identity) => ({
        key: identity,
        write: (slot: number): void => {
          this.#arena.put32(slot + PS_SOURCE, identity);
          this.#arena.put32(slot + PS_TABLE, table);
        },
      }));
    }));
  }

  #table(values: readonly PrefixValue[]): number {
    const key = values.map(({ prefix, value }) => `${prefix.address}/${prefix.bits}=${value}`).join(" ");
    let table = this.#tables.get(key);
    if (table === undefined) {
      table = writePrefixTable(this.#arena, values);
      this.#tables.set(key, table);
    }
    return table;
  }

  #record(entry: PolicyPortImage): number {
    const flags = (entry.deny ? PEF_DENY : 0) | (entry.authExplicit ? PEF_EXPLICIT_AUTH : 0), prefix = entry.valuePrefix ?? entry.prefix;
    const words: readonly (readonly [number, number])[] = [
      [PE_PRECEDENCE, entry.precedence], [PE_FLAGS, flags], [PE_PREFIX, prefix], [PE_AUTH, entry.authType], [PE_PROXY, wirePort(entry.proxyPort)],
      [PE_COOKIE, entry.cookie], [PE_RULE, entry.rule], [PE_POLICY, this.#policyOfRule[entry.rule] ?? -1],
    ];
    const key = words.map(([, word]) => word).join(" ");
    let record = this.#records.get(key);
    if (record === undefined) {
      record = this.#arena.take(PE_SIZE);
      for (const [offset, word] of words) this.#arena.put32(record + offset, word);
      this.#records.set(key, record);
    }
    return record;
  }
}

/** What the nodes' programs read of network policy, and the map of each identity (0 for none). */
export interface ClusterPolicyImage {
  readonly node: NodePolicyImage;
  readonly mapOf: (identity: number) => number;
}

/** Bytes that are surely enough for the maps: per identity a slot of a hash at least a quarter full, per port a record and two
 * intervals, a root for tables of many intervals. */
export function clusterPolicyBytes({ byIdentity }: NetworkPolicyTables): number {
  let bytes = 4096;
  for (const { groups } of new Set([...byIdentity.values()].map(({ map }) => map))) {
    bytes += 128;
    for (const { identities, ports } of groups) bytes += identities.length * 40 + 128 + ports.length * 96 + Math.floor(ports.length / 2048) * 65_540 * 4;
  }
  return bytes;
}

/** Writes every map once, and ids for all nodes, by which authentication tells them apart. */
export function writeClusterPolicy(arena: Arena, tables: DatapathTables): ClusterPolicyImage {
  const { byIdentity, rules, audit, icmpRules } = tables.networkPolicy;
  if (byIdentity.size === 0) return { node: DEFAULT_NODE_POLICY, mapOf: () => 0 };
  const writer = new PolicyMapWriter(arena, rules.map(({ policy }) => policy)), written = new Map<IdentityPolicy, number>(), maps = new Map<number, number>();
  for (const [identity, policy] of byIdentity) {
    const at = written.get(policy) ?? writer.write(policy.map.groups, policy.policies[0]);
    written.set(policy, at);
    maps.set(identity, at);
  }
  const flags = NPF_FRAG_NEEDED | (icmpRules ? NPF_ICMP_RULES : 0) | (audit ? NPF_AUDIT : 0);
  const nodeIds = writeNodeIds(arena, new Map(tables.nodes.map(({ address }, index) => [address, index + 1])));
  return { node: { flags, nodeIds, auth: 0, authCount: 0 }, mapOf: (identity) => maps.get(identity) ?? 0 };
}

/** Node ids by tunnel address (host order), for authentication between nodes. Returns the table's address, 0 for none. */
export function writeNodeIds(arena: Arena, ids: ReadonlyMap<number, number>): number {
  return writeStaticHash(arena, NI_SIZE, NI_ID, [...ids].map(([address, id]) => ({
    key: wireWord(address),
    write: (slot) => {
      arena.put32(slot + NI_ADDRESS, wireWord(address));
      arena.put32(slot + NI_ID, id);
    },
  })));
}
