// IPv6 through a whole replay of fixtures/cluster-dual: hop limits, errors and answers of the programs in either semantics,
// captures of nodes, frames that are cut or not complete.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatAddress } from "../../src/cluster/cidr.ts";
import type { DatapathTables } from "../../src/control/tables.ts";
import type { ReplayOptions } from "../../src/engine/replay-options.ts";
import { brokenSums } from "../../src/observe/conservation.ts";
import { readFile } from "../io/read-records.ts";
import { checksumIsRight } from "../kernel/ipv6-frames.ts";
import { destinationOf, isSixth, quoteOf, sourceOf, ttlOf } from "../properties/traffic.ts";
import { hardTraffic6 } from "./hard-traffic6.ts";
import { captureAt, captureOf, captureOfFrames, echo, ethernet, icmp6Error, internetChecksum, addressBytes, PSH_ACK, SYN, tcp, udp } from "./packets.ts";
import { DUAL_STACK, type Outcome, replay, Scratch, tablesOf, UNBUILT } from "./replayed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());
const ETH = 14, L4 = ETH + 40, POD = "fd00:10:1::10", REMOTE = "2001:db8:113::10", EGRESS = "fd00:c0a8:1::50", ROUTER = "2001:db8:113::fe", OUT = { from: POD, to: REMOTE };

interface Run extends Outcome {
  readonly pod: readonly Buffer[];
  readonly external: readonly Buffer[];
  readonly overlay: readonly Buffer[];
  readonly folder: string;
}

describe.skipIf(UNBUILT !== "")(UNBUILT === "" ? "IPv6" : `IPv6 (skipped: ${UNBUILT})`, { timeout: 60_000 }, () => {
  let tables: DatapathTables;
  beforeAll(async () => { tables = await tablesOf(DUAL_STACK); });

  /** Replays a capture, or the file of one. */
  async function run(capture: Uint8Array | string, changes: Partial<ReplayOptions> = {}, point: "pod" | "node" = "pod"): Promise<Run> {
    const folder = scratch.place(), path = typeof capture === "string" ? capture : scratch.file("sent.pcap", capture);
    const outcome = await replay(tables, [{ path, point }], { outDir: folder, write: new Set(["pod", "external", "overlay"]), ...changes });
    expect(brokenSums(outcome.result)).toEqual([]);
    const packets = async (name: string): Promise<Buffer[]> => (await readFile(join(folder, name))).records.map(({ frame }) => Buffer.from(frame).subarray(ETH));
    return { ...outcome, pod: await packets("pod.pcap"), external: await packets("external.pcap"), overlay: await packets("overlay.pcap"), folder };
  }

  it("ends where its hop limit ends: at the pod's program, which answers, at the gateway, whose answer 1.19 loses, or not at all", async () => {
    const { result, pod, external } = await run(captureOf([1, 2, 3].map((ttl) => udp(OUT, 5000 + ttl, 53, 4, { ttl }))));
    const [answer = Buffer.alloc(48), ...others] = pod.filter((packet) => destinationOf(packet) === POD);
    expect(others).toEqual([]);
    expect([sourceOf(answer), answer[40], quoteOf(answer)?.length]).toEqual(["fd00:10:1::1", 3, 48]);
    expect(checksumIsRight(ethernet(answer))).toBe(true);
    expect(external.map((packet) => [sourceOf(packet), ttlOf(packet)])).toEqual([[EGRESS, 1]]);
    expect([result.delivered.packets, result.passed.packets, result.forwarded.packets]).toEqual([1, 1, 1]);
    expect([result.answered, result.defects.timeExceededLost6]).toEqual([2, 1]);
    // Bytes are those of the packets that came in, not of their answers.
    expect(result.delivered.bytes).toBe(ETH + 40 + 8 + 4);
  });

  it("brings the gateway's Time Exceeded and every error from outside to the pod where the defects are mended", async () => {
    const question = udp(OUT, 5000, 53, 40), capture = captureOf([
      udp(OUT, 5002, 53, 4, { ttl: 2 }), question, ...[1, 2, 3, 4].map((type) => icmp6Error(ROUTER, question, type, 0, type === 2 ? 1280 : 0, 500, { ttl: 62 })),
    ]);
    const mended = await run(capture, { semantics: "intent" }), real = await run(capture);
    const toPod = ({ pod }: Run): number[] => pod.filter((packet) => destinationOf(packet) === POD).map((packet) => packet[40] ?? 0);
    expect(toPod(mended)).toEqual([3, 1, 2, 3, 4]);
    expect(mended.result.replies).toMatchObject({ restored: 4, identical: 4, different: 0 });
    expect(toPod(real)).toEqual([2]);
    expect([real.result.defects.errorNotTranslated6, mended.result.defects.errorNotTranslated6]).toEqual([3, 0]);
  });

  it("keeps count of who sent what as which address", async () => {
    const { result, flows } = await run(captureOf([tcp(OUT, 40_000, 443, SYN), udp({ from: POD, to: "2001:db8:198::1" }, 40_000, 53), echo({ from: POD, to: "2001:db8:aaaa::1" }, 9)]));
    expect(result.policyUse.map(({ egressIp }) => formatAddress(egressIp))).toEqual([EGRESS]);
    expect(result.masqueradeUse.map(({ sourceIp, excluded }) => [formatAddress(sourceIp), excluded])).toEqual([["fd00:c0a8:1::11", false], ["fd00:c0a8:1::11", true]]);
    expect(flows.map(({ protocol, source, translated }) => [protocol, formatAddress(source), formatAddress(translated?.source ?? 0)])).toEqual([
      [6, POD, EGRESS], [17, POD, "fd00:c0a8:1::11"], [58, POD, "fd00:c0a8:1::11"],
    ]);
    expect(result.snatPorts.map(({ remote }) => typeof remote)).toEqual(["bigint", "bigint", "bigint"]);
  });

  it("goes on at the gateway where a capture of the tunnel is given as taken at a node", async () => {
    const first = await run(captureAt(hardTraffic6(200))), again = await run(join(first.folder, "overlay.pcap"), {}, "node");
    // Replies in the tunnel come to their pods, everything else leaves the gateway once more, with the same bytes.
    const sent = (each: Run): string[] => each.external.filter((packet) => isSixth(packet) && sourceOf(packet).startsWith("fd00:c0a8")).map((packet) => packet.toString("hex"));
    expect(first.overlay.length).toBeGreaterThan(200);
    const leftBefore = new Set(sent(first)), leftNow = sent(again);
    expect(leftNow.length).toBeGreaterThan(100);
    expect(leftNow.filter((hex) => !leftBefore.has(hex))).toEqual([]);
    expect(again.result.ignored.packets).toBe(0);
  });

  it("has checksums completed that the capture saw before the network card, and is judged by its headers where it was cut", async () => {
    const whole = Buffer.from(ethernet(tcp(OUT, 40_000, 443, PSH_ACK, 100))), partial = Buffer.from(whole);
    const pseudo = internetChecksum(addressBytes(POD), addressBytes(REMOTE), Buffer.of(0, 6, 0, whole.length - L4));
    partial.writeUInt16BE(~pseudo & 0xffff, L4 + 16);
    const record = (frame: Buffer, length = frame.length) => ({ sec: 1_700_000_000, nsec: 0, frame: frame.subarray(0, length), origLen: frame.length });
    const { result, external } = await run(captureOfFrames([record(partial), record(whole, L4 + 18), record(whole, L4 + 17)]));
    expect([result.partialChecksumsCompleted, result.snappedFrames]).toEqual([1, 1]);
    expect(result.ignoredBy).toMatchObject([{ reason: "too-short", packets: 1 }]);
    expect(checksumIsRight(ethernet(external[0] ?? Buffer.alloc(40)))).toBe(true);
  });
});
