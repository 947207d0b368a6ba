import { describe, expect, test } from "vitest";
import { type IpPrefix, parseCidr } from "../../../src/cluster/cidr.ts";
import { CidrIdentities, isCidrIdentity } from "../../../src/control/network-policy/cidr-identities.ts";
import { below, seeded } from "../../kernel/seeded.ts";

const WORLD4 = 9, WORLD6 = 10;

function prefix(text: string): IpPrefix {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.value;
}

function identities(...written: readonly string[]): CidrIdentities {
  const made = new CidrIdentities(WORLD4, WORLD6);
  for (const each of written) made.add(prefix(each));
  return made;
}

test("a prefix has one number, however it is written, and the prefix of no bits is the world", () => {
  const made = identities("203.0.113.0/24", "203.0.113.9/24", "0.0.0.0/0", "2001:db8::/32", "2001:db8:0::1/32");
  expect(made.list().map(({ identity }) => identity)).toEqual([0x1000001, 0x1000002]);
  expect(made.list().every(({ identity }) => isCidrIdentity(identity))).toBe(true);
  expect([1, WORLD4, 20_001, 0x2000001].some(isCidrIdentity)).toBe(false);
});

test("families stay apart in dual stack", () => {
  const made = identities("203.0.113.0/24", "2001:db8::/32");
  expect(made.inside(prefix("0.0.0.0/0"), [])).toEqual([WORLD4, 0x1000001]);
  expect(made.inside(prefix("::/0"), [])).toEqual([WORLD6, 0x1000002]);
  expect(made.outside(4)).toEqual([WORLD4, 0x1000001]);
});

test("addresses of a prefix may have the identity of what holds it, and of what is in it", () => {
  const made = identities("10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24");
  expect(made.over(prefix("10.1.0.0/17"))).toEqual([0x1000002, 0x1000003]);
  expect(made.over(prefix("192.0.2.0/24"))).toEqual([WORLD4]);
});

describe.each([1, 2, 3])("prefixes at random (seed %s)", (seed) => {
  test("inside of one are those whose every address is, less those that are inside of an excepted one", () => {
    const random = seeded(seed), some = (): IpPrefix => {
      const bits = 1 + below(random, 32), address = ((below(random, 256) * 65_536 + below(random, 256)) * 256) >>> 0;
      return { family: 4, address, bits };
    };
    const made = new CidrIdentities(WORLD4, WORLD6);
    for (let k = 0; k < 300; k++) made.add(some());
    const holds = (outer: IpPrefix, inner: IpPrefix): boolean => {
      const span = 2 ** (32 - outer.bits);
      return outer.bits <= inner.bits && Math.floor(Number(outer.address) / span) === Math.floor(Number(inner.address) / span);
    };
    for (let k = 0; k < 300; k++) {
      const within = some(), except = [some(), some()];
      const expected = made.list().filter((each) => holds(within, each.prefix) && !except.some((out) => holds(out, each.prefix))).map(({ identity }) => identity);
      expect([...made.inside(within, except)].sort()).toEqual(expected.sort());
    }
  });
});
