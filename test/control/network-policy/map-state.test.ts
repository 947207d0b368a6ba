import { describe, expect, test } from "vitest";
import { ALLOW_ALL, MapState } from "../../../src/control/network-policy/map-state.ts";
import type { PolicyMapEntry } from "../../../src/control/network-policy/policy-map.ts";
import { precedenceOf } from "../../../src/control/network-policy/precedence.ts";

const ROOM = 16_384, TCP = 6;

function allow(identity: number, port: number, changes: Partial<PolicyMapEntry> = {}): PolicyMapEntry {
  const key = port === 0 ? { protocol: 0, port: 0, prefix: 0 } : { protocol: TCP, port, prefix: 24 };
  return { ...ALLOW_ALL, ...key, identity, direction: "egress", ...changes };
}
const deny = (identity: number, port: number, changes: Partial<PolicyMapEntry> = {}): PolicyMapEntry =>
  allow(identity, port, { deny: true, precedence: precedenceOf("deny"), ...changes });

function kept(...entries: readonly PolicyMapEntry[]): string[] {
  const state = new MapState();
  for (const entry of entries) state.add(entry);
  return state.finish(ROOM).map.entries.map(({ deny: denied, identity, protocol, port, prefix }) => `${denied ? "deny" : "allow"} ${identity} ${protocol}/${port}/${prefix}`);
}

describe("entries with one key", () => {
  test("a denial wins over an allowance, in either order", () => {
    expect(kept(allow(2, 443), deny(2, 443))).toEqual(["deny 2 6/443/24"]);
    expect(kept(deny(2, 443), allow(2, 443))).toEqual(["deny 2 6/443/24"]);
  });

  test("of two redirects the one with the higher precedence counts, then the one with the lower port", () => {
    const state = new MapState(), redirect = (listenerPriority: number, proxyPort: number): PolicyMapEntry =>
      allow(2, 80, { precedence: precedenceOf({ listenerPriority }), proxyPort });
    for (const entry of [redirect(101, 10_005), redirect(1, 10_009), redirect(1, 10_007)]) state.add(entry);
    expect(state.finish(ROOM).map.entries).toEqual([redirect(1, 10_007)]);
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
  const state = new MapState();
  for (let identity = 1; identity <= 300; identity++) state.add(allow(identity, 443));
  const { map, wanted } = state.finish(256);
  expect(wanted).toBe(300);
  expect(map).toEqual({ lockedDown: true, entries: [
    expect.objectContaining({ direction: "egress", identity: 0, prefix: 0, deny: true, precedence: 0xffffffff }),
    expect.objectContaining({ direction: "ingress", identity: 0, prefix: 0, deny: true, precedence: 0xffffffff }),
  ] });
});
