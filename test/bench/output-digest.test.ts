import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { sameTranslated, secondHalf, translatedPackets } from "../../bench/peers/output-digest.ts";

const folder = mkdtempSync(join(tmpdir(), "egwsim-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const POD = 0x0a000001, EGRESS = 0xac180001, REMOTE = 0xc6120001, NODE = 0xac10000a, GATEWAY = 0xac100012;

function udp(source: number, port: number, payload: number): Buffer {
  const frame = Buffer.alloc(60);
  frame.writeUInt16BE(0x0800, 12);
  frame.writeUInt16BE(0x4500, 14);
  frame.writeUInt16BE(32, 16);
  frame.writeUInt8(17, 23);
  frame.writeUInt32BE(source, 26);
  frame.writeUInt32BE(REMOTE, 30);
  frame.writeUInt16BE(port, 34);
  frame.writeUInt16BE(53, 36);
  frame.writeUInt32BE(payload, 42);
  return frame;
}

/** `sourcePort` of the outer header is what everyone may choose. */
function inTunnel(inner: Buffer, vni: number, sourcePort: number): Buffer {
  const outer = Buffer.alloc(50);
  outer.writeUInt32BE(NODE, 26);
  outer.writeUInt32BE(GATEWAY, 30);
  outer.writeUInt16BE(sourcePort, 34);
  outer.writeUInt32BE(vni << 8, 46);
  return Buffer.concat([outer, inner]);
}

function capture(name: string, frames: readonly Buffer[], secondsApart = 1): string {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65_535, 16);
  header.writeUInt32LE(1, 20);
  const records = frames.flatMap((frame, k) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(k * secondsApart);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return [record, frame];
  });
  const path = join(folder, name);
  writeFileSync(path, Buffer.concat([header, ...records]));
  return path;
}

const PAYLOADS = [1, 2, 3];
const overlay = capture("overlay.pcap", PAYLOADS.map((payload) => inTunnel(udp(POD, 40_000, payload), 7, 1000)));
// A packet that leaves with a node's own address did not take the tunnel.
const external = capture("external.pcap", [udp(EGRESS, 40_000, 1), udp(NODE, 40_000, 9), udp(EGRESS, 40_000, 2), udp(EGRESS, 40_000, 3)]);
const wanted = async () => {
  const bag = await translatedPackets(overlay, external, new Set([EGRESS]));
  if (bag === null) throw new Error("the captures do not match");
  return bag;
};
const others = (name: string, frames: readonly Buffer[]) => capture(`${name}.pcap`, frames);

describe("what a peer sends into its tunnel", () => {
  it("is the same in any order and with any outer source port", async () => {
    const path = others("order", [3, 1, 2].map((payload) => inTunnel(udp(EGRESS, 40_000, payload), 7, 2000 + payload)));
    expect(await sameTranslated(path, await wanted())).toBe("yes, inner packets");
  });

  it("is the same with another SNAT port, which is said", async () => {
    const path = others("port", PAYLOADS.map((payload) => inTunnel(udp(EGRESS, payload === 2 ? 50_000 : 40_000, payload), 7, 1000)));
    expect(await sameTranslated(path, await wanted())).toBe("yes, inner packets; 1 with another port");
  });

  it("may lack packets, which are counted", async () => {
    const path = others("lost", [1, 3].map((payload) => inTunnel(udp(EGRESS, 40_000, payload), 7, 1000)));
    expect(await sameTranslated(path, await wanted())).toBe("yes, inner packets; 1 lost");
  });

  it("is not the same with another payload, source or identity", async () => {
    const frames = [inTunnel(udp(EGRESS, 40_000, 4), 7, 1000), inTunnel(udp(POD, 40_000, 2), 7, 1000), inTunnel(udp(EGRESS, 40_000, 3), 8, 1000)];
    expect(await sameTranslated(others("foreign", frames), await wanted())).toBe("no, 3 packets differ");
  });

  it("cannot be compared where packets of the tunnel never got out", async () => {
    const fewer = capture("fewer.pcap", [udp(EGRESS, 40_000, 1)]);
    expect(await translatedPackets(overlay, fewer, new Set([EGRESS]))).toBeNull();
  });

  it("is timed by its second half", async () => {
    expect(await secondHalf(others("times", [1, 2, 3, 4].map((payload) => inTunnel(udp(EGRESS, 40_000, payload), 7, 1000))))).toEqual({ packets: 4, seconds: 1, share: 0.25 });
  });
});
