// A pod's policy map in the kernel's memory: for each direction a hash by identity, behind it the identity's protocol and port
// prefixes laid flat.
import type { PolicyDirection, PolicyMapEntry } from "../../control/network-policy/policy-map.ts";
import {
  NI_ADDRESS, NI_ID, NI_SIZE, PE_AUTH, PE_COOKIE, PE_FLAGS, PE_PRECEDENCE, PE_PREFIX, PE_PROXY, PE_RULE, PE_SIZE, PEF_DENY, PEF_EXPLICIT_AUTH, PM_EGRESS,
  PM_INGRESS, PM_SIZE,
} from "../../kernel/layout-policy.ts";
import { PS_SIZE, PS_SOURCE, PS_TABLE } from "../../kernel/layout.ts";
import { type Arena, wirePort, wireWord } from "./arena.ts";
import { type PrefixValue, writePrefixTable } from "./prefix-table.ts";
import { writeStaticHash } from "./static-hash.ts";

export interface PolicyEntryImage extends PolicyMapEntry {
  /** What the value says of the key's prefix, where it is another than the key's (no agent writes that). */
  readonly valuePrefix?: number;
}

/** Writes policy maps; records and tables of ports that are alike are written once for all of them. */
export class PolicyMapWriter {
  readonly #arena: Arena;
  readonly #records = new Map<string, number>();
  readonly #tables = new Map<string, number>();

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Address of the map; never 0: a map without entries denies everything. */
  write(entries: readonly PolicyEntryImage[]): number {
    const at = this.#arena.take(PM_SIZE);
    this.#arena.put32(at + PM_EGRESS, this.#direction(entries, "egress"));
    this.#arena.put32(at + PM_INGRESS, this.#direction(entries, "ingress"));
    return at;
  }

  #direction(entries: readonly PolicyEntryImage[], direction: PolicyDirection): number {
    const byIdentity = new Map<number, PrefixValue[]>();
    for (const entry of entries) {
      if (entry.direction !== direction) continue;
      const value = { prefix: { address: ((entry.protocol << 24) | (entry.port << 8)) >>> 0, bits: entry.prefix }, value: this.#record(entry) };
      const known = byIdentity.get(entry.identity);
      if (known === undefined) byIdentity.set(entry.identity, [value]);
      else known.push(value);
    }
    return writeStaticHash(this.#arena, PS_SIZE, PS_TABLE, [...byIdentity].map(([identity, values]) => ({
      key: identity,
      write: (slot) => {
        this.#arena.put32(slot + PS_SOURCE, identity);
        this.#arena.put32(slot + PS_TABLE, this.#table(values));
      },
    })));
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

  #record(entry: PolicyEntryImage): number {
    const flags = (entry.deny ? PEF_DENY : 0) | (entry.authExplicit ? PEF_EXPLICIT_AUTH : 0), prefix = entry.valuePrefix ?? entry.prefix;
    const words: readonly (readonly [number, number])[] = [
      [PE_PRECEDENCE, entry.precedence], [PE_FLAGS, flags], [PE_PREFIX, prefix], [PE_AUTH, entry.authType], [PE_PROXY, wirePort(entry.proxyPort)],
      [PE_COOKIE, entry.cookie], [PE_RULE, entry.rule],
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
