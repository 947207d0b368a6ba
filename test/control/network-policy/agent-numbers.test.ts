// Numbers that the real agent writes: port ranges as prefixes, precedence, what a full map makes of further entries.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ALLOW_ALL, makePolicyMap } from "../../../src/control/network-policy/map-state.ts";
import { portPrefixes } from "../../../src/control/network-policy/port-range.ts";
import { listenerPriority, precedenceOf } from "../../../src/control/network-policy/precedence.ts";

const recorded = <T>(name: string): T => JSON.parse(readFileSync(new URL(`../../../fixtures/vectors/${name}.json`, import.meta.url), "utf8")) as T;

interface RangeExample {
  readonly start: number;
  readonly end: number;
  readonly prefixes: readonly { readonly port: number; readonly port_prefix: number }[];
}

describe("port ranges", () => {
  test.each(recorded<RangeExample[]>("portrange_examples"))("$start-$end is split as the agent splits it", ({ start, end, prefixes }) => {
    expect(portPrefixes(start, end)).toEqual(prefixes.map(({ port, port_prefix: bits }) => ({ port, bits })));
  });

  test("prefixes of any range hold each of its ports once, and no other", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const start = (seed * 7919) % 65_536, end = start + ((seed * 104_729) % (65_536 - start)), held = new Uint8Array(65_536);
      for (const { port, bits } of portPrefixes(start, end)) {
        expect(port % 2 ** (16 - bits), `${port}/${bits}`).toBe(0);
        for (let k = 0; k < 2 ** (16 - bits); k++) held[port + k] = (held[port + k] ?? 0) + 1;
      }
      expect(held.every((count, port) => count === (port >= start && port <= end ? 1 : 0)), `${start}-${end}`).toBe(true);
    }
  });
});

describe("precedence", () => {
  const examples = new Map(recorded<{ rule: string; precedence: number }[]>("precedence_examples").map(({ rule, precedence }) => [rule, precedence]));
  const redirect = (parser: Parameters<typeof listenerPriority>[0], named = 0): number => precedenceOf({ listenerPriority: listenerPriority(parser, named) });
  test.each<[string, number]>([
    ["allow, no proxy (also allow-all of an unenforced endpoint)", precedenceOf("allow")],
    ["deny", precedenceOf("deny")],
    ["L7 listener priority 0 (none given, proxy_port != 0)", precedenceOf({ listenerPriority: 0 })],
    ["L7 explicit listener, highest (listener priority 1)", redirect("listener", 1)],
    ["L7 explicit listener, lowest (listener priority 100)", redirect("listener", 100)],
    ["L7 HTTP (listener priority 101)", redirect("http")],
    ["L7 Kafka (listener priority 106)", redirect("kafka")],
    ["L7 proxylib (listener priority 111)", redirect("proxylib")],
    ["L7 TLS/SNI (listener priority 116)", redirect("tls")],
    ["L7 DNS (listener priority 121)", redirect("dns")],
    ["L7 CRD listener without priority (listener priority 126)", redirect("listener")],
    ["priority 1 allow", precedenceOf("allow", 1)],
    ["priority 1 deny", precedenceOf("deny", 1)],
    ["priority 1000 allow", precedenceOf("allow", 1000)],
    ["LowestPriority 0xffffff allow", precedenceOf("allow", 0xffffff)],
    ["LowestPriority deny", precedenceOf("deny", 0xffffff)],
  ])("of %s is the agent's", (rule, ours) => {
    expect(ours).toBe(examples.get(rule));
    expect(examples.size).toBe(16);
  });
});

test("a policy map takes as many entries as it has room for, and the next one locks the pod down instead", () => {
  // Of a map of two entries the kernel refuses the third (error 28), in either family.
  const refused = recorded<[string, number, string][]>("policy_map_full").filter(([family]) => family === "v4").map(([, , said]) => said !== "OK");
  const filled = (count: number): boolean => {
    // One of them is the entry that lets everything in.
    const identities = Array.from({ length: count - 1 }, (_, k) => k + 1);
    return makePolicyMap([{ identities, ports: [ALLOW_ALL] }], 2).map.lockedDown;
  };
  expect(refused.map((_each, k) => filled(k + 1))).toEqual(refused);
});
