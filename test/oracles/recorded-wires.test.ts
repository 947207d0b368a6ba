// Real frames of real wires: two nodes joined by a real vxlan device, Cilium 1.19.4's programs attached to real devices.
// What the pod sent and the world answered is replayed in a model of that laboratory, and every wire must carry the same
// bytes but for what the kernel alone decides: the outer source port and identification, and MACs of neighbours.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { DatapathTables } from "../../src/control/tables.ts";
import * as verdicts from "../../src/kernel/verdict.ts";
import { captureOfFrames, ethernet, internetChecksum } from "../e2e/packets.ts";
import { replay, Scratch, tablesOf, UNBUILT } from "../e2e/replayed.ts";
import { readFile } from "../io/read-records.ts";
import { withTtl } from "../properties/traffic.ts";

const FRAMES = new URL("../../../shared/vectors/e2e_frames.jsonl", import.meta.url);
const REASON = UNBUILT !== "" ? UNBUILT : existsSync(FRAMES) ? "" : "../shared/vectors is not beside the checkout";
const ETH = 14, OUTER = 50, VXLAN_PORT = 8472, ERROR_QUOTE = ETH + 20 + 8, PODS_TTL = 64;
/** Linux' ip_local_port_range, from which a vxlan device picks by the inner flow's hash. */
const SOURCE_PORTS = [32_768, 60_999] as const;

const recordedCase = z.object({
  name: z.string(), drops: z.array(z.tuple([z.enum(["src", "gw"]), z.string(), z.number()])),
  frames: z.array(z.object({ iface: z.enum(["pod.eth0", "wire.src_node_eth0", "wire.gw_node_eth0"]), dir: z.enum(["from_pod", "to_pod", "from_node", "to_node"]), hex: z.string() })),
});
type RecordedCase = z.infer<typeof recordedCase>;

const LABORATORY = `apiVersion: v1
kind: ConfigMap
metadata: {name: cilium-config, namespace: kube-system}
data: {enable-egress-gateway: "true", enable-bpf-masquerade: "true", kube-proxy-replacement: "true", routing-mode: tunnel, tunnel-protocol: vxlan, ipv4-native-routing-cidr: 10.0.0.0/8}
---
apiVersion: v1
kind: Node
metadata: {name: src}
spec: {podCIDR: 10.0.1.0/24}
status: {addresses: [{address: 192.168.1.11, type: InternalIP}]}
---
apiVersion: v1
kind: Node
metadata: {name: gw, labels: {gateway: "yes"}}
spec: {podCIDR: 10.0.3.0/24}
status: {addresses: [{address: 192.168.1.12, type: InternalIP}]}
---
apiVersion: egwsim.dev/v1
kind: NodeNetwork
metadata: {name: src}
spec:
  devices: [{name: eth0, mac: "02:00:00:00:01:0b", mtu: 1500, addresses: [192.168.1.11/24]}]
  routes: [{to: 0.0.0.0/0, via: 192.168.1.1, dev: eth0}]
---
apiVersion: egwsim.dev/v1
kind: NodeNetwork
metadata: {name: gw}
spec:
  devices: [{name: eth0, mac: "02:00:00:00:01:0c", mtu: 1500, addresses: [192.168.1.12/24, 192.168.1.50/24, 192.168.1.51/24]}]
  routes: [{to: 0.0.0.0/0, via: 192.168.1.1, dev: eth0}]
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: default, labels: {app: client}}
spec: {nodeName: src}
status: {podIP: 10.0.1.10}
---
apiVersion: cilium.io/v2
kind: CiliumEndpoint
metadata: {name: client, namespace: default, uid: 00000000-0000-4000-8000-000000000001}
status:
  id: 1001
  identity: {id: 20001, labels: ["k8s:app=client", "k8s:io.kubernetes.pod.namespace=default"]}
  networking: {addressing: [{ipv4: 10.0.1.10}], node: 192.168.1.11}
  state: ready
---
apiVersion: cilium.io/v2
kind: CiliumEgressGatewayPolicy
metadata: {name: by-gw}
spec:
  selectors: [{podSelector: {matchLabels: {app: client}}}]
  destinationCIDRs: [203.0.113.0/24]
  egressGateway: {nodeSelector: {matchLabels: {gateway: "yes"}}, egressIP: 192.168.1.50}
`;

const dropName = (code: number): string => Object.entries(verdicts).find(([name, value]) => name.startsWith("DROP_") && value === -code)?.[0] ?? String(code);
const isTunnel = (frame: Buffer): boolean => frame[ETH + 9] === 17 && (frame.readUInt16BE(ETH + 6) & 0x1fff) === 0 && frame.readUInt16BE(ETH + 22) === VXLAN_PORT;
const framesOf = ({ frames }: RecordedCase, iface: string, dir: string): Buffer[] =>
  frames.filter((frame) => frame.iface === iface && frame.dir === dir).map(({ hex }) => Buffer.from(hex, "hex"));

/** Frames as hex digits with what nobody can know blanked out, sorted. */
function comparable(frames: readonly Buffer[], ...unknown: readonly (readonly [number, number])[]): string[] {
  return frames.map((frame) => {
    const copy = Buffer.from(frame);
    for (const [from, to] of unknown) copy.fill(0, from, to);
    return copy.toString("hex");
  }).sort();
}

const sourcePort = (frame: Buffer): number => frame.readUInt16BE(ETH + 20);

describe.skipIf(REASON !== "")(REASON === "" ? "frames of real wires" : `frames of real wires (skipped: ${REASON})`, () => {
  const scratch = new Scratch();
  afterAll(() => scratch.remove());
  let tables: DatapathTables;
  beforeAll(async () => { tables = await tablesOf(scratch.file("laboratory.yaml", LABORATORY)); });
  const cases = REASON !== "" ? [] : readFileSync(FRAMES, "utf8").trim().split("\n").map((line) => recordedCase.parse(JSON.parse(line)));

  it.each(cases.map((each) => [each.name, each] as const))("are what a replay of %s writes", async (_, its) => {
    const sent = framesOf(its, "pod.eth0", "from_pod"), answers = framesOf(its, "wire.gw_node_eth0", "to_node").filter((frame) => !isTunnel(frame));
    const reached = framesOf(its, "pod.eth0", "to_pod");
    // Errors about what was sent in an earlier case: the pod sends it once more, as they quote it.
    const earlier = sent.length > 0 ? [] : reached.map((frame) => Buffer.from(ethernet(withTtl(frame.subarray(ERROR_QUOTE), PODS_TTL))));
    const left = framesOf(its, "wire.gw_node_eth0", "from_node").filter((frame) => !isTunnel(frame));
    // The real program drew a port; a range of one is the only draw here.
    const quoted = answers.filter((frame) => frame[ETH + 9] === 1 && frame[ETH + 20] === 3).map((frame) => frame.readUInt16BE(ERROR_QUOTE + 20));
    const drawn = [...left.filter((frame) => frame[ETH + 9] === 17 && (frame.readUInt16BE(ETH + 6) & 0x1fff) === 0).map(sourcePort), ...quoted];
    const config = drawn[0] === undefined ? tables.config : { ...tables.config, snatMinPort: drawn[0], snatMaxPort: drawn[0] };
    const record = (frames: readonly Buffer[], first: number): Uint8Array => captureOfFrames(frames.map((frame, k) => ({ sec: 1_700_000_000, nsec: (first + k) * 1000, frame })));
    const folder = scratch.place(), spoken = [...earlier, ...sent];
    const { result } = await replay({ ...tables, config }, [
      { path: scratch.file("pod.pcap", record(spoken, 0)), point: "pod" }, { path: scratch.file("node.pcap", record(answers, 100)), point: "node" },
    ], { outDir: folder, write: new Set(["pod", "overlay", "external"]) });
    const written = async (name: string): Promise<Buffer[]> => (await readFile(join(folder, name))).records.map(({ frame }) => Buffer.from(frame));

    expect(result.drops.map(({ node, code, packets }) => [tables.nodes[node]?.name, dropName(code), packets]).sort()).toEqual([...its.drops].sort());
    const overlay = (await written("overlay.pcap")).slice(earlier.length);
    const realOverlay = [...framesOf(its, "wire.src_node_eth0", "from_node"), ...framesOf(its, "wire.gw_node_eth0", "from_node")].filter(isTunnel);
    const kernels: readonly (readonly [number, number])[] = [[ETH + 4, ETH + 6], [ETH + 10, ETH + 12], [ETH + 20, ETH + 22], [OUTER, OUTER + 12]];
    expect(comparable(overlay, ...kernels)).toEqual(comparable(realOverlay, ...kernels));
    for (const frame of [...overlay, ...realOverlay]) {
      expect(internetChecksum(frame.subarray(ETH, ETH + 20))).toBe(0);
      expect(sourcePort(frame) >= SOURCE_PORTS[0] && sourcePort(frame) <= SOURCE_PORTS[1]).toBe(true);
    }
    const egress = (await written("external.pcap")).filter((frame) => frame.readUInt32BE(ETH + 12) === 0xc0a80132).slice(earlier.length);
    expect(comparable(egress, [0, 6])).toEqual(comparable(left, [0, 6]));
    const delivered = (await written("pod.pcap")).filter((frame) => frame.readUInt32BE(ETH + 16) === 0x0a00010a);
    expect(comparable(delivered, [0, 12])).toEqual(comparable(reached, [0, 12]));
    expect(overlay.length + egress.length + delivered.length).toBeGreaterThan(0);
  });

  it("cover echo, errors, fragments, time to live and type of service", () => {
    expect(cases.map(({ name }) => name.split(" ")[0])).toEqual([
      "e2e_icmp_echo", "e2e_icmp_error_about_echo", "e2e_icmp_error_about_udp", "e2e_ipv4_fragments_udp", "e2e_ttl1", "e2e_tos_df",
    ]);
  });
});
