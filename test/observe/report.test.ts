import { expect, test } from "vitest";
import { z } from "zod";
import { buildReport, reportJson } from "../../src/observe/report.ts";
import { reportSchema } from "../../src/observe/report-shape.ts";
import { flowLineSchema } from "../../src/observe/flow-shape.ts";
import { stateHeaderSchema, stateLineSchema } from "../../src/observe/state-shape.ts";
import { FINDINGS, MONDAY_RUN, QUIET_RUN, reportInput } from "./sample-run.ts";

const MONDAY = reportInput(MONDAY_RUN, { findings: FINDINGS, ignoredKinds: [{ kind: "Deployment", count: 2, firstAt: { file: "apps.yaml", line: 1, column: 1 } }] });

test("report.json fits its documented schema", () => {
  expect(reportSchema.safeParse(JSON.parse(reportJson(buildReport(MONDAY)))).error).toBeUndefined();
  expect(reportSchema.safeParse(JSON.parse(reportJson(buildReport(reportInput(QUIET_RUN))))).error).toBeUndefined();
});

test("the schemas in docs are those of the code (vitest -u rewrites them)", async () => {
  const text = (schema: z.ZodType): string => `${JSON.stringify(z.toJSONSchema(schema), null, 2)}\n`;
  await expect(text(reportSchema)).toMatchFileSnapshot("../../docs/report.schema.json");
  await expect(text(flowLineSchema)).toMatchFileSnapshot("../../docs/flows.schema.json");
  await expect(text(z.union([stateHeaderSchema, stateLineSchema]))).toMatchFileSnapshot("../../docs/state.schema.json");
});

test("timing is the only part that another kernel or number of workers changes", () => {
  const { timing: firstTiming, ...first } = buildReport(MONDAY);
  const timing = { wall: 9, read: 8, steer: 4, order: 3, idle: 2, workerIdle: 1, batch999: 0.5, kernel: 7, write: 6, packetsPerSecond: 5, packetsOnWays: 2 };
  const { timing: secondTiming, ...second } = buildReport({ ...MONDAY, kernel: "ts", workers: 4, nodeVersion: "v24.1.0", result: { ...MONDAY_RUN, timing } });
  expect(JSON.stringify(second)).toBe(JSON.stringify(first));
  expect(secondTiming).not.toEqual(firstTiming);
  expect(Object.keys(buildReport(MONDAY)).at(-1)).toBe("timing");
});

test("the order in which workers hand over their counts does not show", () => {
  const shuffled = {
    ...MONDAY_RUN, drops: [...MONDAY_RUN.drops].reverse(), policyUse: [...MONDAY_RUN.policyUse].reverse(),
    masqueradeUse: [...MONDAY_RUN.masqueradeUse].reverse(), ignoredBy: [...MONDAY_RUN.ignoredBy].reverse(),
  };
  expect(reportJson(buildReport({ ...MONDAY, result: shuffled }))).toBe(reportJson(buildReport(MONDAY)));
});

test("a drop carries number, text, Hubble's name, place and cure", () => {
  expect(buildReport(MONDAY).drops.find((drop) => drop.code === 204)).toEqual({
    code: 204, text: "No Egress IP configured", name: "DROP_NO_EGRESS_IP", hook: "from-overlay", node: "gateway-node-1", policy: "analytics-egress", networkPolicy: null,
    packets: 861, bytes: 51280, firstPacket: 51200,
    cure: "gateway-node-1 has no egress IP for analytics-egress: put the address on one of its devices",
  });
});

test("counters that do not add up are named, and sound ones are not", () => {
  expect(buildReport(MONDAY).conservation).toEqual({ holds: true, broken: [] });
  const lost = { ...MONDAY_RUN, forwarded: { packets: MONDAY_RUN.forwarded.packets - 1, bytes: MONDAY_RUN.forwarded.bytes } };
  expect(buildReport({ ...MONDAY, result: lost }).conservation).toEqual({
    holds: false, broken: ["received packets and the five outcomes: 1204881 is not 1204880"],
  });
  const unexplained = { ...MONDAY_RUN, drops: MONDAY_RUN.drops.slice(1) };
  expect(buildReport({ ...MONDAY, result: unexplained }).conservation.broken).toEqual(["dropped packets and their reasons: 4975 is not 4963"]);
});

test("a policy that met only excluded or dropped traffic counts as used, one that met nothing does not", () => {
  const input = { ...MONDAY, flowTotals: { ...MONDAY.flowTotals, policies: new Set([5]) } };
  const used = (name: string): boolean | undefined => buildReport(input).policies.find((policy) => policy.name === name)?.used;
  expect(["aws-services-egress", "staging-egress", "external-api-egress"].map(used)).toEqual([true, true, false]);
});

test("a control sequence in a name is escaped in the JSON and still means the same", () => {
  const finding = { ...FINDINGS[0], rule: "r", severity: "info" as const, object: "a\u009b31mb", at: null, message: "m", effect: "", fix: "" };
  const json = reportJson(buildReport(reportInput(QUIET_RUN, { findings: [finding] })));
  expect(json).toContain("a\\u009b31mb");
  expect(JSON.parse(json).findings[0].object).toBe("a\u009b31mb");
});
