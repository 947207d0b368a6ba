import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatIpv6, formatPrefix, ipv6Mask, isLinkLocal6, maskIpv6, parseAddress, parseCidr, prefixContains6 } from "../../src/cluster/cidr.ts";

function address(text: string): bigint {
  const parsed = parseAddress(text);
  if (!parsed.ok || parsed.value.family !== 6) throw new Error(text);
  return parsed.value.value;
}

const anyAddress = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
const sparseAddress = fc.array(fc.constantFrom<bigint[]>(0n, 0n, 1n, 0xffffn), { minLength: 8, maxLength: 8 }).map((groups) => groups.reduce<bigint>((sum, group) => (sum << 16n) | group, 0n));

describe("IPv6 text", () => {
  it.each([
    ["2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["FE80::ABCD", "fe80::abcd"],
    ["1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"],
    ["::ffff:192.0.2.1", "::ffff:c000:201"],
  ])("%s is written %s (RFC 5952, section 4)", (text, canonical) => {
    expect(formatIpv6(address(text))).toBe(canonical);
  });

  it("reads back as the same address", () => {
    fc.assert(fc.property(fc.oneof(anyAddress, sparseAddress), (value) => address(formatIpv6(value)) === value));
  });

  it("masks prefixes to their length", () => {
    expect([0, 1, 64, 127, 128].map((bits) => formatIpv6(ipv6Mask(bits)))).toEqual(["::", "8000::", "ffff:ffff:ffff:ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]);
    const parsed = parseCidr("2001:db8:1:2:3::4/48");
    expect(parsed.ok && parsed.value.family === 6 ? formatPrefix(maskIpv6(parsed.value)) : "").toBe("2001:db8:1::/48");
    fc.assert(fc.property(anyAddress, fc.integer({ min: 0, max: 128 }), (value, bits) => prefixContains6(maskIpv6({ address: value, bits }), value)));
  });

  it("knows link-local addresses up to febf::", () => {
    expect(["fe80::1", "febf::1", "fec0::1", "fe7f::1", "::1"].map((text) => isLinkLocal6(address(text)))).toEqual([true, true, false, false, false]);
  });
});
