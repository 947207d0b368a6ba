// A cluster model made for captures that nobody made for it: in each file the most frequent address is a pod's, so that
// the hooks really run on what is in there.
import { ETHERTYPE_IPV4, LINK_OK, LinkLayer, locateNetworkHeader } from "../../src/io/link-layer.ts";
import { openCapture } from "../../src/io/open-capture.ts";
import { NEXT_END, NEXT_FILL } from "../../src/io/capture-record.ts";
import { InputError } from "../../src/cluster/input-error.ts";
import { addressText } from "./packets.ts";

export interface ForeignFile {
  readonly path: string;
  /** Its most frequent IPv4 addresses, private ones first. */
  readonly addresses: readonly string[];
  /** Why it cannot be opened or read to its end; null where it can. */
  readonly fault: string | null;
  readonly opens: boolean;
}

const PODS_PER_FILE = 2;

function isPrivate(address: number): boolean {
  return address >>> 24 === 10 || address >>> 20 === 0xac1 || address >>> 16 === 0xc0a8;
}

/** Reads a file with no more than the reader and the link layer. */
export async function surveyFile(path: string): Promise<ForeignFile> {
  const counts = new Map<number, number>();
  let opens = false, fault: string | null = null;
  try {
    const reader = await openCapture(path, { blockSize: 65_536 });
    opens = true;
    const link = new LinkLayer();
    try {
      for (let status = reader.next(); status !== NEXT_END; status = reader.next()) {
        if (status === NEXT_FILL) {
          await reader.fill();
          continue;
        }
        if (locateNetworkHeader(reader.linkType, reader.block, reader.offset, reader.capLen, link) !== LINK_OK || link.etherType !== ETHERTYPE_IPV4) continue;
        if (reader.capLen - link.networkOffset < 20) continue;
        const view = new DataView(reader.block.buffer, reader.block.byteOffset + reader.offset + link.networkOffset);
        for (const at of [12, 16]) counts.set(view.getUint32(at), (counts.get(view.getUint32(at)) ?? 0) + 1);
      }
    } finally {
      await reader.close();
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    fault = error.message;
  }
  const usable = [...counts].filter(([address]) => address !== 0 && address >>> 24 !== 127 && address >>> 28 < 0xe);
  usable.sort(([a, m], [b, n]) => Number(isPrivate(b)) - Number(isPrivate(a)) || n - m || a - b);
  return { path, addresses: usable.slice(0, PODS_PER_FILE).map(([address]) => addressText(address)), fault, opens };
}

/** Three nodes, the last one a gateway; two pods of three are selected by a policy, the third is masqueraded. */
export function foreignCluster(addresses: readonly string[]): string {
  const nodes = ["node-a", "node-b", "node-c"].map((name, k) => `---
apiVersion: v1
kind: Node
metadata: {name: ${name}, labels: {role: ${k === 2 ? "gateway" : "worker"}}}
status: {addresses: [{address: 172.31.255.${k + 1}, type: InternalIP}]}
`);
  const pods = [...new Set(addresses)].map((address, k) => `---
apiVersion: v1
kind: Pod
metadata: {name: pod-${k}, namespace: default, labels: {kind: ${k % 3 === 2 ? "plain" : "selected"}}}
spec: {nodeName: ${["node-a", "node-b", "node-c"][k % 5 % 3] ?? "node-a"}}
status: {podIP: ${address}}
`);
  return `${nodes.join("")}${pods.join("")}---
apiVersion: cilium.io/v2
kind: CiliumEgressGatewayPolicy
metadata: {name: everything}
spec:
  selectors: [{podSelector: {matchLabels: {kind: selected}}}]
  destinationCIDRs: [0.0.0.0/0]
  egressGateway: {nodeSelector: {matchLabels: {role: gateway}}}
`;
}
