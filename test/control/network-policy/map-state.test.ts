import { describe, expect, test } from "vitest";
import { ALLOW_ALL, makePolicyMap } from "../../../src/control/network-policy/map-state.ts";
import { mapEntries, type PolicyMapEntry } from "../../../src/control/network-policy/policy-map.ts";
import { precedenceOf } from "../../../src/control/network-policy/precedence.ts";

const ROOM = 16_384, TCP = 6;

function allow(identity: number, port: number, changes: Partial<PolicyMapEntry> = {}): PolicyMapEntry {
  const key = port === 0 ? { protocol: 0, port: 0, prefix: 0 } : { protocol: TCP, port, prefix: 24 };
  return { ...ALLOW_ALL, ...key, identity, direction: "egress", ...changes };
}
const deny = (identity: number, port: number, changes: Partial<PolicyMapEntry> = {}): PolicyMapEntry =>
  allow(identity, port, { deny: true, precedence: precedenceOf("deny"), ...changes });

function egress(...entries: readonly PolicyMapEntry[]): readonly PolicyMapEntry[] {
  const { map } = makePolicyMap(entries.map((entry) => ({ identities: [entry.identity], ports: [entry] })), ROOM);
  return mapEntries(map).filter(({ direction }) => direction === "egress");
}

function kept(...entries: readonly PolicyMapEntry[]): string[] {
  return egress(...entries).map(({ deny: denied, identity, protocol, port, prefix }) => `${denied ? "deny" : "allow"} ${identity} ${protocol}/${port}/${prefix}`);
}

describe("entries with one key", () => {
  test("a denial wins over an allowance, in either order", () => {
    expect(kept(allow(2, 443), deny(2, 443))).toEqual(["deny 2 6/443/24"]);
    expect(kept(deny(2, 443), allow(2, 443))).toEqual(["deny 2 6/443/24"]);
  });

  test("of two redirects the one with the higher precedence counts, then the one with the lower port", () => {
    const redirect = (listenerPriority: number, proxyPort: number): PolicyMapEntry => allow(2, 80, { precedence: precedenceOf({ listenerPriority }), proxyPort });
    expect(egress(redirect(101, 10_005), redirect(1, 10_009), redirect(1, 10_007))).toEqual([redirect(1, 10_007)]);
  });
});

describe("entries without effect are not written", () => {
  test("an allowance under a denial of the same identity or of any", () => {
    expect(kept(deny(2, 0), allow(2, 443), allow(3, 443))).toEqual(["deny 2 0/0/0", "allow 3 6/443/24"]);
    expect(kept(deny(0, 443), allow(2, 443), allow(2, 80))).toEqual(["deny 0 6/443/24", "allow 2 6/80/24"]);
  });

  test("a denial under a broader one", () => {
    expect(kept(deny(2, 0), deny(2, 443))).toEqual(["deny 2 0/0/0"]);
  });

  test("an identity's entry for a port that is open to any identity, but not one for every port", () => {
    expect(kept(allow(0, 443), allow(2, 443))).toEqual(["allow 0 6/443/24"]);
    expect(kept(allow(0, 0), allow(2, 0))).toEqual(["allow 0 0/0/0", "allow 2 0/0/0"]);
  });

  test("a narrower allowance beside a broader one stays: neither has the higher precedence", () => {
    expect(kept(allow(2, 0), allow(2, 443))).toEqual(["allow 2 0/0/0", "allow 2 6/443/24"]);
  });

  test("a denial inside of an allowance stays", () => {
    expect(kept(allow(2, 0), deny(2, 443))).toEqual(["allow 2 0/0/0", "deny 2 6/443/24"]);
  });

  test("a port inside of a denied range of ports", () => {
    expect(kept(deny(2, 8080, { prefix: 20 }), allow(2, 8084), allow(2, 8096))).toEqual(["deny 2 6/8080/20", "allow 2 6/8096/24"]);
  });
});

test("what does not fit is replaced by a denial of everything, in both directions", () => {
  const identities = Array.from({ length: 300 }, (_, k) => k + 1), { map, wanted } = makePolicyMap([{ identities, ports: [allow(0, 443)] }], 256);
  expect([wanted, map.lockedDown]).toEqual([301, true]);
  expect(mapEntries(map)).toMatchObject(["egress", "ingress"].map((direction) => ({ direction, identity: 0, prefix: 0, deny: true, precedence: 0xffffffff })));
});

test("identities that the same rules name are one group, and each of them keeps its own entries", () => {
  const ports = (port: number): { ports: [PolicyMapEntry] } => ({ ports: [allow(0, port)] });
  const { map } = makePolicyMap([{ identities: [1, 2, 3, 4], ...ports(53) }, { identities: [2, 3], ...ports(80) }, { identities: [3, 4], ...ports(53) }], ROOM);
  expect(map.groups.filter(({ direction }) => direction === "egress").map(({ identities }) => [...identities])).toEqual([[1], [2], [3], [4]]);
  const entries = mapEntries(map).filter(({ direction }) => direction === "egress").map(({ identity, port }) => `${identity}:${port}`);
  expect(entries).toEqual(["1:53", "2:53", "2:80", "3:53", "3:80", "4:53"]);
  expect(makePolicyMap([{ identities: Array.from({ length: 1000 }, (_, k) => k + 1), ...ports(53) }], ROOM).map.groups).toHaveLength(2);
});
