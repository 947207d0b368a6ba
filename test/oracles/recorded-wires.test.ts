// Real frames of real wires: two nodes joined by a real vxlan device, Cilium 1.19.4's programs attached to real devices.
// What the pod sent and the world answered is replayed in a model of that laboratory, and every wire must carry the same
// bytes but for what the kernel alone decides: the outer source port and identification, and MACs of neighbours.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { DatapathTables } from "../../src/control/tables.ts";
import * as verdicts from "../../src/kernel/verdict.ts";
import { addressAt, captureOfFrames, ethernet, ICMP, ICMP6, internetChecksum, UDP } from "../e2e/packets.ts";
import { FIXTURES, replay, Scratch, tablesOf, UNBUILT } from "../e2e/replayed.ts";
import { readFile } from "../io/read-records.ts";
import { headerOf, isFirst, isSixth, mirrored, protocolOf, quoteOf, withTtl } from "../properties/traffic.ts";
import { laboratory } from "./laboratory-model.ts";

const ETH = 14, OUTER = 50, VXLAN_PORT = 8472, PODS_TTL = 64, SOURCE = { 4: 12, 6: 8 } as const, DESTINATION = { 4: 16, 6: 24 } as const;
const POD = ["10.0.1.10", "fd00:10:1::10"], EGRESS = ["192.168.1.50", "fd00:c0a8:1::50"];
/** Linux' ip_local_port_range, from which a vxlan device picks by the inner flow's hash. */
const SOURCE_PORTS = [32_768, 60_999] as const;
/** Damaged by what an earlier packet had left in a CPU's scratch tuple: type, code and checksum are not those of the clean case. */
const LEFTOVER = /stale per-CPU tuple/, DAMAGED = [ETH + 40, ETH + 44] as const;

const recordedCase = z.object({
  name: z.string(), drops: z.array(z.tuple([z.enum(["src", "gw"]), z.string(), z.number()])),
  frames: z.array(z.object({ iface: z.enum(["pod.eth0", "wire.src_node_eth0", "wire.gw_node_eth0"]), dir: z.enum(["from_pod", "to_pod", "from_node", "to_node"]), hex: z.string() })),
});
type RecordedCase = z.infer<typeof recordedCase>;

const dropName = (code: number): string => Object.entries(verdicts).find(([name, value]) => name.startsWith("DROP_") && value === -code)?.[0] ?? String(code);
const packetOf = (frame: Buffer): Buffer => frame.subarray(ETH);
const version = (frame: Buffer): 4 | 6 => (isSixth(packetOf(frame)) ? 6 : 4);
const sourceOf = (frame: Buffer): string => addressAt(packetOf(frame), SOURCE[version(frame)]);
const destinationOf = (frame: Buffer): string => addressAt(packetOf(frame), DESTINATION[version(frame)]);
const isDatagram = (frame: Buffer): boolean => protocolOf(packetOf(frame)) === UDP && isFirst(packetOf(frame));
const isTunnel = (frame: Buffer): boolean => version(frame) === 4 && isDatagram(frame) && frame.readUInt16BE(ETH + 22) === VXLAN_PORT;
const sourcePort = (packet: Buffer): number => packet.readUInt16BE(headerOf(packet));
const framesOf = ({ frames }: RecordedCase, iface: string, dir: string): Buffer[] =>
  frames.filter((frame) => frame.iface === iface && frame.dir === dir).map(({ hex }) => Buffer.from(hex, "hex"));
/** What ICMP errors among the frames quote. */
const quotesOf = (frames: readonly Buffer[]): Buffer[] => frames.flatMap((frame) => quoteOf(packetOf(frame)) ?? []);

/** Frames as hex digits with what nobody can know blanked out, sorted. */
function comparable(frames: readonly Buffer[], ...unknown: readonly (readonly [number, number])[]): string[] {
  return frames.map((frame) => {
    const copy = Buffer.from(frame);
    for (const [from, to] of unknown) copy.fill(0, from, to);
    return copy.toString("hex");
  }).sort();
}

describe.each([
  ["e2e_frames.jsonl.gz", false, ["e2e_icmp_echo", "e2e_icmp_error_about_echo", "e2e_icmp_error_about_udp", "e2e_ipv4_fragments_udp", "e2e_ttl1", "e2e_tos_df"]],
  ["e2e6_frames.jsonl.gz", true, [
    "e2e6_echo", "e2e6_tcp_syn_closed_port", "e2e6_time_exceeded_about_udp", "e2e6_icmp_error_from_pod", "e2e6_icmp_error_from_pod", "e2e6_hoplimit_1",
    "e2e6_fragments_udp", "e2e6_hbh_echo", "e2e6_dualstack",
  ]],
] as const)(`frames of real wires, %s${UNBUILT === "" ? "" : ` (skipped: ${UNBUILT})`}`, (file, ipv6, names) => {
  const scratch = new Scratch();
  afterAll(() => scratch.remove());
  let tables: DatapathTables;
  beforeAll(async () => { tables = await tablesOf(scratch.file("laboratory.yaml", laboratory(ipv6))); });
  const cases = gunzipSync(readFileSync(join(FIXTURES, "wires", file))).toString().trim().split("\n").map((line) => recordedCase.parse(JSON.parse(line)));

  it.skipIf(UNBUILT !== "").each(cases.map((each) => [each.name, each] as const))("are what a replay of %s writes", async (_, its) => {
    const sent = framesOf(its, "pod.eth0", "from_pod"), answers = framesOf(its, "wire.gw_node_eth0", "to_node").filter((frame) => !isTunnel(frame));
    const reached = framesOf(its, "pod.eth0", "to_pod"), left = framesOf(its, "wire.gw_node_eth0", "from_node").filter((frame) => !isTunnel(frame));
    // Errors about what passed in an earlier case: the pod sends its packet once more, as they quote it or its answer.
    const earlier = [
      ...(sent.length > 0 ? [] : quotesOf(reached)).map((packet) => Buffer.from(ethernet(withTtl(packet, PODS_TTL)))),
      ...quotesOf(sent).map((packet) => Buffer.from(ethernet(mirrored(packet, PODS_TTL)))),
    ];
    // The real program drew a port; a range of one is the only draw here.
    const drawn = [
      ...left.filter(isDatagram).map((frame) => sourcePort(packetOf(frame))), ...quotesOf(answers).filter((packet) => protocolOf(packet) !== ICMP).map(sourcePort),
      ...quotesOf(left).map((packet) => packet.readUInt16BE(headerOf(packet) + 2)),
    ];
    const isLeftover = LEFTOVER.test(its.name), drawnPort = isLeftover ? cases.flatMap((each) => quotesOf(framesOf(each, "wire.gw_node_eth0", "from_node")))[0]?.readUInt16BE(42) : drawn[0];
    const config = drawnPort === undefined ? tables.config : { ...tables.config, snatMinPort: drawnPort, snatMaxPort: drawnPort };
    const record = (frames: readonly Buffer[], first: number): Uint8Array => captureOfFrames(frames.map((frame, k) => ({ sec: 1_700_000_000, nsec: (first + k) * 1000, frame })));
    const folder = scratch.place(), spoken = [...earlier, ...sent];
    const { result } = await replay({ ...tables, config }, [
      { path: scratch.file("pod.pcap", record(spoken, 0)), point: "pod" }, { path: scratch.file("node.pcap", record(answers, 100)), point: "node" },
    ], { outDir: folder, write: new Set(["pod", "overlay", "external"]) });
    const written = async (name: string): Promise<Buffer[]> => (await readFile(join(folder, name))).records.map(({ frame }) => Buffer.from(frame));

    expect(result.drops.map(({ node, code, packets }) => [tables.nodes[node]?.name, dropName(code), packets]).sort()).toEqual([...its.drops].sort());
    expect(result.ignored.packets).toBe(0);
    const overlay = (await written("overlay.pcap")).slice(earlier.length);
    const realOverlay = [...framesOf(its, "wire.src_node_eth0", "from_node"), ...framesOf(its, "wire.gw_node_eth0", "from_node")].filter(isTunnel);
    const kernels: readonly (readonly [number, number])[] = [[ETH + 4, ETH + 6], [ETH + 10, ETH + 12], [ETH + 20, ETH + 22], [OUTER, OUTER + 12]];
    expect(comparable(overlay, ...kernels)).toEqual(comparable(realOverlay, ...kernels));
    for (const frame of [...overlay, ...realOverlay]) {
      expect(internetChecksum(frame.subarray(ETH, ETH + 20))).toBe(0);
      const port = sourcePort(packetOf(frame));
      expect(port >= SOURCE_PORTS[0] && port <= SOURCE_PORTS[1]).toBe(true);
    }
    const egress = (await written("external.pcap")).filter((frame) => EGRESS.includes(sourceOf(frame))).slice(earlier.length);
    const unknown = isLeftover ? [[0, 6], DAMAGED] as const : [[0, 6]] as const;
    expect(comparable(egress, ...unknown)).toEqual(comparable(left, ...unknown));
    const delivered = (await written("pod.pcap")).filter((frame) => POD.includes(destinationOf(frame)));
    expect(comparable(delivered, [0, 12])).toEqual(comparable(reached, [0, 12]));
    expect(overlay.length + egress.length + delivered.length + result.defects.errorNotTranslated6 + result.passed.packets).toBeGreaterThan(0);
  });

  it("cover what their names say", () => {
    expect(cases.map(({ name }) => name.split(" ")[0])).toEqual(names);
    const protocols = new Set(cases.flatMap(({ frames }) => frames.map(({ hex }) => protocolOf(packetOf(Buffer.from(hex, "hex"))))));
    expect(protocols.has(ipv6 ? ICMP6 : ICMP)).toBe(true);
  });
});
