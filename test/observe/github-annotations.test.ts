import { expect, test } from "vitest";
import { githubAnnotations } from "../../src/observe/github-annotations.ts";
import { buildReport } from "../../src/observe/report.ts";
import { FINDINGS, MONDAY_RUN, QUIET_RUN, reportInput } from "./sample-run.ts";

test("findings and drops become workflow commands that point at the manifest", () => {
  const lines = githubAnnotations(buildReport(reportInput(MONDAY_RUN, { findings: FINDINGS }))).split("\n");
  expect(lines[0]).toBe("::warning file=policies/basic.yaml,line=12,col=3,title=egwsim policy-ignored::CiliumEgressGatewayPolicy external-api-egress: external-api-egress sets both interface and egressIP");
  expect(lines).toContain("::warning title=egwsim drop 204::861 packets dropped: No Egress IP configured (gateway-node-1, analytics-egress), first is packet 51200");
});

test("a line feed or a colon in an input cannot make a command of its own", () => {
  const finding = { rule: "r", severity: "error" as const, object: "o", at: { file: "a:b,c.yaml", line: 1, column: 2 }, message: "x\n::error::y 100%", effect: "", fix: "" };
  expect(githubAnnotations(buildReport(reportInput(QUIET_RUN, { findings: [finding] })))).toBe("::error file=a%3Ab%2Cc.yaml,line=1,col=2,title=egwsim r::o: x%0A::error::y 100%25\n");
});
