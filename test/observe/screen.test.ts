import { expect, test } from "vitest";
import { makePaint } from "../../src/observe/paint.ts";
import { buildReport } from "../../src/observe/report.ts";
import { renderScreen } from "../../src/observe/screen.ts";
import { FINDINGS, MONDAY_RUN, QUIET_RUN, reportInput, TABLES } from "./sample-run.ts";

const PLAIN = makePaint(false);

test("a busy run shows every part with its numbers in the table's columns", () => {
  const report = buildReport(reportInput(MONDAY_RUN, {
    findings: FINDINGS,
    assumptions: [{ rule: "device-address", message: "a node without devices has eth0 with its InternalIP", count: 3 }],
    ignoredKinds: [{ kind: "Deployment", count: 12, firstAt: { file: "apps.yaml", line: 1, column: 1 } }],
    flowTotals: { listed: 48120, byOutcome: { forwarded: 400, delivered: 47400, passed: 9, dropped: 311 }, withDrops: 320, policies: new Set([3]), serviceUse: [], untranslatedServiceFlows: 0 },
    files: ["pod.pcap", "overlay.pcap", "external.pcap", "trace.pcapng", "flows.jsonl", "report.json"],
  }));
  expect(renderScreen(report, "out", PLAIN)).toMatchInlineSnapshot(`
    "monday.pcap   1,204,881 packets, 812.3 MB, 61.2 s of traffic, 48,120 flows
    cluster       3 nodes, 3 pods, 6 policies, 1 of them ignored by the agent, 1 finding, see below
    run           cilium-1.19 semantics, wasm kernel, 2 workers

      outcome                           packets    flows   (a flow counts where its last packet ended)
      forwarded                       1,001,330      400   left the cluster
      delivered                         198,402   47,400   reached a pod
      passed                                112        9   handed to a node's host stack
      dropped                             4,975      311
        194 No egress gateway found       4,102            first packet 977; no node matches the gateway selector of aws-services-egress: label one or mend the selector (and 1 place more)
        204 No Egress IP configured         861            first packet 51,200; gateway-node-1 has no egress IP for analytics-egress: put the address on one of its devices
        137 CT: Unknown L4 protocol          12            first packet 88,211; only TCP, UDP and ICMP are tracked (SCTP with sctp.enabled)
      ignored                                62            ARP 40, LLDP 22

      policy             gateway          egress IP     flows   packets      bytes   SNAT ports in use (fullest remote)
      payment-egress     gateway-node-1   10.0.1.100   30,022   811,204   590.0 MB   1.9 % (35.190.247.9:443/tcp)
      production-ns      gateway-node-1   10.0.1.100    7,441   120,118    69.0 MB   1.9 % (35.190.247.9:443/tcp)
      analytics-egress   gateway-node-1   none             96         0        0 B
      (no policy)        own node         node IP       4,414    70,008    40.0 MB   <- these leave with a node's address
      (excluded)         worker-1         10.0.1.11        20       380   110.0 kB   <- kept off the gateway by excludedCIDRs
      no traffic met staging-egress

      findings
      warning   policies/basic.yaml:12:3   policy-ignored   external-api-egress sets both interface and egressIP

      assumed
      3x   a node without devices has eth0 with its InternalIP
      not used: Deployment 12

      replies: 131,188 put back into the outside's form, 131,170 came out as captured, 18 with a checksum defect that Cilium 1.19 has too
      3,021 partial checksums completed (recorded before the network card filled it in)
      14 frames larger than the MTU (offloaded in the recording host; a real wire carries several)
      5 frames captured in part: processed by the headers
      7 flows without a visible opener: assumed pod (--assume-opener)
      1 SNAT port draw took more than half of the 32 tries

      1,204,881 in = 1,001,330 + 198,402 + 112 + 4,975 + 62      0.412 s, 2.9 M packets/s
      out/pod.pcap  out/overlay.pcap  out/external.pcap  out/trace.pcapng  out/flows.jsonl  out/report.json
    "
  `);
});

test("a quiet run leaves out everything that is zero", () => {
  const report = buildReport(reportInput(QUIET_RUN, { files: [] }));
  expect(renderScreen(report, null, PLAIN)).toMatchInlineSnapshot(`
    "quiet.pcap   10 packets, 1.0 kB, 0.500 s of traffic, 1 flow
    cluster      3 nodes, 3 pods, 6 policies, 1 of them ignored by the agent
    run          cilium-1.19 semantics, wasm kernel, 2 workers

      outcome     packets   flows   (a flow counts where its last packet ended)
      forwarded         6       0   left the cluster
      delivered         4       1   reached a pod

      policy           gateway          egress IP    flows   packets    bytes   SNAT ports in use (fullest remote)
      payment-egress   gateway-node-1   10.0.1.100       1        10   1.0 kB
      no traffic met production-ns, aws-services-egress, analytics-egress, staging-egress

      replies: 4 put back into the outside's form, 4 came out as captured

      10 in = 6 + 4 + 0 + 0 + 0      0.031 s, 321 packets/s
    "
  `);
});

test("the fullest page stays within 60 lines", () => {
  const names = Array.from({ length: 300 }, (_, index) => `policy-${index}`);
  const tables = { ...TABLES, policies: names.map((name) => ({ name, at: null, accepted: true })) };
  const use = MONDAY_RUN.policyUse[0];
  if (use === undefined) throw new Error("the sample run uses no policy");
  const result = {
    ...MONDAY_RUN,
    drops: Array.from({ length: 60 }, (_, index) => ({ code: 132 + index, hook: "to-netdev" as const, node: 0, policy: 0, networkPolicy: -1, firstPacket: 1 + index, packets: 1, bytes: 60 })),
    policyUse: Array.from({ length: 100 }, (_, policy) => ({ ...use, policy })),
    repeatedFrames: 5, snappedFrames: 1, flowsNotListed: 10, evictions: { conntrack: 4, nat: 2 }, interrupted: true,
  };
  const many = <T>(one: T): T[] => Array.from({ length: 200 }, () => one);
  const finding = FINDINGS[0];
  if (finding === undefined) throw new Error("the sample has no finding");
  const report = buildReport(reportInput(result, {
    tables, findings: many(finding), assumptions: many({ rule: "r", message: "m", count: 1 }),
    ignoredKinds: many({ kind: "Deployment", count: 1, firstAt: { file: "a.yaml", line: 1, column: 1 } }),
  }));
  const lines = renderScreen(report, "out", PLAIN).split("\n");
  expect(lines.length).toBeLessThanOrEqual(60);
  expect(lines.filter((line) => line.includes("more"))).toHaveLength(6);
});

test("a control character in a name cannot reach the terminal", () => {
  const tables = { ...TABLES, policies: TABLES.policies.map((policy, index) => (index === 0 ? { ...policy, name: "pay\u001b[2J\u202eegress" } : policy)) };
  const screen = renderScreen(buildReport(reportInput(QUIET_RUN, { tables })), "o\u0007ut", PLAIN);
  expect(screen).toContain("pay\\u001b[2J\\u202eegress");
  expect(screen).toContain("o\\u0007ut");
  expect(screen).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
});

test("colour adds escape sequences and changes no character of the text", () => {
  const report = buildReport(reportInput(MONDAY_RUN, { findings: FINDINGS }));
  const coloured = renderScreen(report, "out", makePaint(true));
  expect(coloured).toContain("\u001b[31m");
  expect(coloured.replace(/\u001b\[\d+m/g, "").split("\n").map((line) => line.trimEnd())).toEqual(renderScreen(report, "out", PLAIN).split("\n"));
});

test("an interrupted run and a broken capture are told apart", () => {
  const interrupted = renderScreen(buildReport(reportInput({ ...QUIET_RUN, interrupted: true })), null, PLAIN);
  expect(interrupted).toContain("interrupted: this is the report so far");
  const capture = QUIET_RUN.captures.map((one) => ({ ...one, fault: "record at byte 1024 is cut short" }));
  const broken = renderScreen(buildReport(reportInput({ ...QUIET_RUN, interrupted: true, captures: capture })), null, PLAIN);
  expect(broken).toContain("broken capture: record at byte 1024 is cut short");
  expect(broken).not.toContain("interrupted:");
});
