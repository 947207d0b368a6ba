import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatIpv4, formatIpv4Prefix, maskIpv4, parseAddress, parseCidr, parseIpv4, prefixContains } from "../../src/cluster/cidr.ts";

function why(text: string): string {
  const parsed = parseCidr(text);
  return parsed.ok ? "accepted" : parsed.why;
}

describe("parsing addresses and prefixes", () => {
  it("reads every IPv4 address back from its text", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (value) => {
        expect(parseIpv4(formatIpv4(value))).toEqual({ ok: true, value });
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("keeps the host bits of a prefix and clears them on request", () => {
    const parsed = parseCidr("10.0.1.5/8");
    expect(parsed).toEqual({ ok: true, value: { family: 4, address: 0x0a000105, bits: 8 } });
    expect(formatIpv4Prefix(maskIpv4({ address: 0x0a000105, bits: 8 }))).toBe("10.0.0.0/8");
    expect(maskIpv4({ address: 0xffffffff, bits: 0 }).address).toBe(0);
    expect(maskIpv4({ address: 0xffffffff, bits: 32 }).address).toBe(0xffffffff);
  });

  it("keeps IPv6 addresses as 128-bit numbers", () => {
    expect(parseAddress("fd00::1")).toEqual({ ok: true, value: { family: 6, value: (0xfd00n << 112n) + 1n } });
    expect(parseCidr("2001:db8::/32")).toEqual({ ok: true, value: { family: 6, address: 0x20010db8n << 96n, bits: 32 } });
  });

  it("says that Go rejects leading zeros, in octets and in the length", () => {
    expect(why("010.0.0.0/8")).toContain("leading zero, which Go's");
    expect(why("10.0.0.0/08")).toContain("leading zero, which Go's");
  });

  it.each([
    ["10.0.0.0", "prefix length is missing"],
    ["10.0.0.0/", "not a number"],
    ["10.0.0.0/+8", "not a number"],
    ["10.0.0.0/33", "above 32"],
    ["fd00::/129", "above 128"],
    ["10.0.0/8", "not an IPv4 address"],
    ["10.0.0.256/8", "above 255"],
    [" 10.0.0.0/8", "not an IPv4 address"],
    ["0x0a.0.0.0/8", "not an IPv4 address"],
    ["fe80::1%eth0/64", "zone"],
    ["1::2::3/64", "not an IPv6 address"],
    ["٣.0.0.0/8", "not an IPv4 address"],
  ])("refuses %s", (text, reason) => {
    expect(why(text)).toContain(reason);
  });

  it("never throws on any text", () => {
    const alphabet = fc.constantFrom(..."0123456789abcdef.:/% +-x");
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: alphabet, maxLength: 50 })), (text) => {
        parseCidr(text);
        parseAddress(text);
      }),
      { seed: 2, numRuns: 1000 },
    );
  });

  it("tells what a prefix contains, the whole of IPv4 included", () => {
    expect(prefixContains({ address: 0x0a000000, bits: 8 }, 0x0affffff)).toBe(true);
    expect(prefixContains({ address: 0x0a000000, bits: 8 }, 0x0b000000)).toBe(false);
    expect(prefixContains({ address: 0, bits: 0 }, 0xffffffff)).toBe(true);
  });
});
