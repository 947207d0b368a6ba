import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "../../src/cluster/cidr.ts";
import { addressKey, FAMILY_4, FAMILY_6 } from "../../src/control/address-family.ts";

const six = (text: string): bigint => {
  const parsed = parseAddress(text);
  return parsed.ok && parsed.value.family === 6 ? parsed.value.value : 0n;
};

describe("keys of addresses", () => {
  const any = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });

  it("are never the same for two addresses", () => {
    fc.assert(fc.property(any, fc.integer({ min: 0, max: 127 }), (address, bit) => addressKey(address) !== addressKey(address ^ (1n << BigInt(bit)))));
    fc.assert(fc.property(any, any, (a, b) => (a === b) === (addressKey(a) === addressKey(b))));
  });

  it("spread the same few host numbers of many networks over the lowest 64 bits", () => {
    const low = new Set<bigint>();
    for (let network = 0n; network < 500n; network++) {
      for (let host = 2n; host < 12n; host++) low.add(BigInt.asUintN(64, BigInt(addressKey(((0xfd00n << 48n) + network << 64n) + host))));
    }
    expect(low.size).toBe(5000);
  });
});

describe("a stand-in for a subnet's router", () => {
  it.each([
    ["192.168.1.12/24", "192.168.1.1"],
    ["192.168.1.1/24", "192.168.1.254"],
    ["10.0.0.4/31", "10.0.0.5"],
    ["10.0.0.4/32", "0.0.0.0"],
    ["fd00::12/64", "fd00::1"],
    ["fd00::1/64", "fd00::2"],
    ["fd00::4/127", "fd00::5"],
    ["fd00::4/128", "::"],
  ])("of %s is %s", (own, wanted) => {
    const [text = "", bits = ""] = own.split("/");
    const parsed = parseAddress(text);
    const neighbour = parsed.ok && parsed.value.family === 4
      ? FAMILY_4.neighbour({ address: parsed.value.value, bits: Number(bits) })
      : FAMILY_6.neighbour({ address: six(text), bits: Number(bits) });
    expect(formatAddress(neighbour)).toBe(wanted);
  });
});

describe("what the agent counts as public (pkg/ip/ip.go)", () => {
  it("is neither private nor a documentation prefix", () => {
    const isPublic = (text: string): boolean => {
      const parsed = parseAddress(text);
      if (!parsed.ok) throw new Error(text);
      return parsed.value.family === 4 ? FAMILY_4.isPublic(parsed.value.value) : FAMILY_6.isPublic(parsed.value.value);
    };
    expect(["8.8.8.8", "2606:4700::1", "198.20.0.1"].map(isPublic)).toEqual([true, true, true]);
    expect(["10.1.2.3", "203.0.113.9", "100.64.0.1", "fd00::1", "2001:db8::1", "ff02::1"].map(isPublic)).toEqual(Array.from({ length: 6 }, () => false));
  });
});
