import { expect, test } from "vitest";
import { flowLine } from "../../src/observe/flow-line.ts";
import { flowLineSchema } from "../../src/observe/flow-shape.ts";
import { FlowCounter } from "../../src/observe/flow-totals.ts";
import { writeFlowLines } from "../../src/observe/flows-jsonl.ts";
import type { FlowRecord } from "../../src/observe/run-result.ts";
import { tableNames } from "../../src/observe/table-names.ts";
import { FLOW, ip, TABLES } from "./sample-run.ts";

const NAMES = tableNames(TABLES);
const DROPPED: FlowRecord = {
  ...FLOW, translated: null, policy: 2, gatewayNode: -1, outcome: "dropped", dropCode: 194, dropped: { packets: 3, bytes: 180 },
  forward: { packets: 0, bytes: 0 }, reply: { packets: 0, bytes: 0 }, firstPacket: 11, lastPacket: 20, firstDroppedPacket: 11,
};

test("a line names pod, policy, gateway and egress IP and holds both tuples", () => {
  expect(flowLine(FLOW, NAMES)).toEqual({
    protocol: "TCP",
    before: { source: "10.244.1.10", sourcePort: 43210, destination: "35.190.247.9", destinationPort: 443 },
    after: { source: "10.0.1.100", sourcePort: 43210, destination: "35.190.247.9", destinationPort: 443 },
    pod: "production/pay-1", peerPod: null, service: null, node: "worker-1", identity: 20001, policy: "payment-egress", excluded: false,
    gateway: "gateway-node-1", egressIp: "10.0.1.100", opener: "pod", verdict: "delivered", drop: null, networkPolicy: null,
    forward: { packets: 6, bytes: 600 }, reply: { packets: 4, bytes: 400 }, dropped: { packets: 0, bytes: 0 },
    firstPacket: 1, lastPacket: 10, firstDroppedPacket: null, firstTime: 1764000000, lastTime: 1764000000.5,
  });
});

test("a dropped flow says why and with which packet it began, and has no second tuple", () => {
  expect(flowLine(DROPPED, NAMES)).toMatchObject({
    after: null, gateway: null, egressIp: null, policy: "aws-services-egress", firstDroppedPacket: 11,
    drop: { code: 194, text: "No egress gateway found", name: "NO_EGRESS_GATEWAY" },
  });
});

test("an excluded flow's translated address is a node's, not an egress IP", () => {
  expect(flowLine({ ...FLOW, excluded: true, gatewayNode: -1 }, NAMES)).toMatchObject({ egressIp: null, excluded: true, policy: "payment-egress" });
});

test("addresses over 127 and between two pods are told right", () => {
  const line = flowLine({ ...FLOW, source: ip("10.244.1.11"), destination: ip("10.244.2.20"), policy: -1 }, NAMES);
  expect([line.pod, line.peerPod, line.policy]).toEqual(["production/pay-2", "analytics/loader-1", null]);
  expect(flowLine({ ...FLOW, destination: ip("255.255.255.255") }, NAMES).before.destination).toBe("255.255.255.255");
});

test("lines come in order, one per flow, each of them after the schema, from plain and from asynchronous sources", async () => {
  const flows = Array.from({ length: 1500 }, (_, index) => (index % 3 === 0 ? { ...DROPPED, firstPacket: index + 1, firstDroppedPacket: index + 1 } : { ...FLOW, firstPacket: index + 1 }));
  async function* later(): AsyncIterable<FlowRecord> {
    yield* flows;
  }
  for (const source of [flows, later()]) {
    const pieces: string[] = [];
    const counter = new FlowCounter(NAMES);
    await writeFlowLines(source, NAMES, counter.add.bind(counter), async (text) => void pieces.push(text));
    expect(pieces.length).toBeGreaterThan(1);
    const lines = pieces.join("").split("\n");
    expect(lines.pop()).toBe("");
    const parsed = lines.map((line) => flowLineSchema.parse(JSON.parse(line)));
    expect(parsed.map((line) => line.firstPacket)).toEqual(flows.map((flow) => flow.firstPacket));
    expect(counter.totals()).toEqual({ listed: 1500, byOutcome: { forwarded: 0, delivered: 1000, passed: 0, dropped: 500 }, withDrops: 500, policies: new Set([0, 2]), serviceUse: [], untranslatedServiceFlows: 0 });
  }
});

test("flows are counted one by one, lines or not", () => {
  const counter = new FlowCounter(NAMES);
  for (const flow of [FLOW, DROPPED]) counter.add(flow);
  expect(counter.totals().listed).toBe(2);
});
