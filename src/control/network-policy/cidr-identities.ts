// Identities for the prefixes that network policies name: numbers of this node's own scope, and what the ipcache holds for them
// (pkg/identity, pkg/policy: CIDR labels). Agents number them in the order they see them; here in order of the policies.
import { formatPrefix, type IpPrefix, prefixContains, prefixContains6 } from "../../cluster/cidr.ts";
import { FAMILY_4, FAMILY_6 } from "../address-family.ts";
import type { PrefixOf } from "../tables.ts";

/** pkg/identity/numericidentity.go: IdentityScopeLocal, the upper byte of such numbers; the first one is 1. */
const LOCAL_SCOPE = 0x0100_0000;
const SCOPE_SIZE = 0x0100_0000;
const FIRST_LOCAL = LOCAL_SCOPE + 1;

/** Does the number belong to a prefix outside of the cluster (IdentityScopeLocal)? */
export function isCidrIdentity(identity: number): boolean { return identity >= FIRST_LOCAL && identity < LOCAL_SCOPE + SCOPE_SIZE; }

export interface CidrIdentity {
  readonly identity: number;
  readonly prefix: IpPrefix;
}

export class CidrIdentities {
  readonly #byPrefix = new Map<string, CidrIdentity>();
  readonly #worlds: readonly CidrIdentity[];
  /** By address, of either family; made when first asked for. */
  readonly #sorted = new Map<4 | 6, readonly CidrIdentity[]>();

  /** The world is the identity of the prefix of no bits, in each family. */
  constructor(world4: number, world6: number) {
    this.#worlds = [
      { identity: world4, prefix: { family: 4, address: 0, bits: 0 } }, { identity: world6, prefix: { family: 6, address: 0n, bits: 0 } },
    ];
  }

  add(written: IpPrefix): void {
    const prefix = masked(written), key = formatPrefix(prefix);
    if (prefix.bits === 0 || this.#byPrefix.has(key)) return;
    this.#byPrefix.set(key, { identity: FIRST_LOCAL + this.#byPrefix.size, prefix });
    this.#sorted.clear();
  }

  /** Without the worlds, in order of their numbers. */
  list(): readonly CidrIdentity[] { return [...this.#byPrefix.values()]; }

  /** Identities of prefixes inside of `within` that are in none of `except`. A single-stack world is of both families. */
  inside(within: IpPrefix, except: readonly IpPrefix[]): readonly number[] {
    const found = new Set<number>(), holder = masked(within);
    const take = ({ identity, prefix }: CidrIdentity): void => {
      if (contains(holder, prefix) && !except.some((each) => contains(each, prefix))) found.add(identity);
    };
    for (const world of this.#worlds) take(world);
    // Prefixes inside of another begin at or behind its address, and those behind its last address are none of them.
    const sorted = this.#inOrder(holder.family), last = lastAddress(holder);
    let at = firstFrom(sorted, holder.address);
    for (let next = sorted[at]; next !== undefined && next.prefix.address <= last; next = sorted[++at]) take(next);
    return [...found];
  }

  #inOrder(family: 4 | 6): readonly CidrIdentity[] {
    let sorted = this.#sorted.get(family);
    if (sorted === undefined) {
      sorted = this.list().filter(({ prefix }) => prefix.family === family).sort((a, b) => (a.prefix.address < b.prefix.address ? -1 : a.prefix.address > b.prefix.address ? 1 : 0));
      this.#sorted.set(family, sorted);
    }
    return sorted;
  }

  /** Identities that addresses of a prefix may have: those inside of it, and the one that holds it as a whole. */
  over(prefix: IpPrefix): readonly number[] {
    let holder: CidrIdentity | undefined;
    for (const each of [...this.#worlds, ...this.#byPrefix.values()]) {
      if (contains(each.prefix, masked(prefix)) && (holder === undefined || each.prefix.bits > holder.prefix.bits)) holder = each;
    }
    return [...(holder === undefined ? [] : [holder.identity]), ...this.inside(masked(prefix), [])];
  }

  /** Every identity outside of the cluster, of one family or of both (null). */
  outside(family: 4 | 6 | null): readonly number[] {
    return [...new Set([...this.#worlds, ...this.#byPrefix.values()].filter(({ prefix }) => family === null || prefix.family === family).map(({ identity }) => identity))];
  }

  ofFamily4(): readonly { readonly identity: number; readonly prefix: PrefixOf<number> }[] {
    return this.list().flatMap(({ identity, prefix }) => (prefix.family === 4 ? [{ identity, prefix }] : []));
  }

  ofFamily6(): readonly { readonly identity: number; readonly prefix: PrefixOf<bigint> }[] {
    return this.list().flatMap(({ identity, prefix }) => (prefix.family === 6 ? [{ identity, prefix }] : []));
  }
}

function lastAddress(prefix: IpPrefix): number | bigint {
  return prefix.family === 4 ? prefix.address + 2 ** (32 - prefix.bits) - 1 : prefix.address + (1n << BigInt(128 - prefix.bits)) - 1n;
}

/** Position of the first prefix whose address is not below `address`. */
function firstFrom(sorted: readonly CidrIdentity[], address: number | bigint): number {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1, found = sorted[middle];
    if (found !== undefined && found.prefix.address < address) low = middle + 1;
    else high = middle;
  }
  return low;
}

function masked(prefix: IpPrefix): IpPrefix {
  return prefix.family === 4 ? { family: 4, ...FAMILY_4.mask(prefix) } : { family: 6, ...FAMILY_6.mask(prefix) };
}

function contains(outer: IpPrefix, inner: IpPrefix): boolean {
  if (outer.bits > inner.bits) return false;
  if (outer.family === 4) return inner.family === 4 && prefixContains(outer, inner.address);
  return inner.family === 6 && prefixContains6(outer, inner.address);
}
