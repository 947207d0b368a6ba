// Network policy on IPv6: recordings of it do not exist, so recorded connections are sent again with policy maps of ours. What is
// allowed must go exactly as it was recorded without policy; what is not must end at the pod, before any state.
import { describe, expect, test } from "vitest";
import { VERDICT_REDIRECT } from "../../../src/kernel/verdict.ts";
import { LabMemory } from "../../../src/vectors/lab-memory.ts";
import type { RecordedCase, RecordedPodPolicy } from "../../../src/vectors/recording.ts";
import { runCase } from "../../../src/vectors/run-case.ts";
import { recordedCaseOf, WASM, WASM_IS_BUILT } from "../../vectors/recorded-files.ts";
import { runSteps } from "./lab-run.ts";

const WORLD6 = 10, TCP = 6, ICMP6 = 58, HTTPS = 443, ECHO_REQUEST = 128;
const ALLOW = 0xffffff01, DENY = 0xffffffff;
const DROP_POLICY = -133, DROP_POLICY_DENY = -181;

function row(identity: number, proto: number, dport: number, prefixlen: number, changes: Partial<RecordedPodPolicy> = {}): RecordedPodPolicy {
  return {
    identity, dir: "egress", proto, dport, prefixlen, deny: false, precedence: ALLOW, auth_type: 0, auth_explicit: false, proxy_port: 0, cookie: 0, ...changes,
  };
}
const INGRESS_OPEN = row(0, 0, 0, 0, { dir: "ingress" });

function under(file: string, name: string, ...policy: readonly RecordedPodPolicy[]): RecordedCase {
  const recorded = structuredClone(recordedCaseOf(file, name).recorded);
  recorded.maps.source.policy = [INGRESS_OPEN, ...policy];
  return recorded;
}
const connection = (...policy: readonly RecordedPodPolicy[]): RecordedCase => under("tcp6.jsonl.gz", "tcp6_lifecycle", ...policy);
const echo = (...policy: readonly RecordedPodPolicy[]): RecordedCase => under("icmp6.jsonl.gz", "icmp6_echo_reply", ...policy);

describe.each(WASM_IS_BUILT ? ["ts", "wasm"] as const : ["ts"] as const)("on the kernel %s", (kind) => {
  const memory = kind === "ts" ? new LabMemory(kind) : new LabMemory(kind, WASM);
  const verdicts = (recorded: RecordedCase): readonly number[] => runSteps(memory, recorded, 0).map(({ verdict }) => verdict);

  test.each([
    ["any identity, everything", row(0, 0, 0, 0)],
    ["the IPv6 world, every port of TCP", row(WORLD6, TCP, 0, 8)],
    ["a range of ports", row(WORLD6, TCP, HTTPS & 0xfffc, 22)],
    ["the port", row(0, TCP, HTTPS, 24)],
  ])("a connection that is allowed by %s is as recorded, step by step", (_what, policy) => {
    expect(runCase(memory, connection(policy)).steps.flatMap(({ differences }) => differences)).toEqual([]);
  });

  test("what no entry matches is dropped at the pod and leaves no conntrack entry", () => {
    for (const policy of [[], [row(WORLD6, TCP, 80, 24)], [row(9, 0, 0, 0)], [row(WORLD6, 17, HTTPS, 24)]]) {
      const recorded = connection(...policy), [first] = recorded.steps;
      if (first === undefined) throw new Error("the recording is empty");
      expect(verdicts(recorded)[0]).toBe(DROP_POLICY);
      const after = runCase(memory, { ...recorded, steps: [{ ...first, ct_after: [] }] }).steps[0]?.differences ?? [];
      expect(after.filter(({ category }) => category === "conntrack")).toEqual([]);
    }
  });

  test("a denial wins over a narrower allowance for the same identity's port", () => {
    expect(verdicts(connection(row(WORLD6, TCP, HTTPS, 24), row(0, TCP, 0, 8, { deny: true, precedence: DENY })))[0]).toBe(DROP_POLICY_DENY);
  });

  test("an ICMPv6 message goes by its type", () => {
    expect(verdicts(echo(row(WORLD6, ICMP6, ECHO_REQUEST, 24)))[0]).toBe(VERDICT_REDIRECT);
    expect(verdicts(echo(row(WORLD6, ICMP6, ECHO_REQUEST + 1, 24)))[0]).toBe(DROP_POLICY);
    expect(verdicts(echo(row(WORLD6, 1, ECHO_REQUEST, 24)))[0]).toBe(DROP_POLICY);
  });

  test("a redirect gives the packet to the stack with the proxy's port in its mark", () => {
    const recorded = connection(row(WORLD6, TCP, HTTPS, 24, { proxy_port: 10_080, precedence: 0xffffff9a })), [first] = recorded.steps;
    if (first === undefined) throw new Error("the recording is empty");
    const differences = runCase(memory, { ...recorded, steps: [{ ...first, verdict: "OK", out_mark: "0x60270200", redirect: null, tunnel_key: null, out_hex: first.in_hex }] }).steps[0]?.differences;
    expect(differences).toEqual([]);
  });

  test("replies to the pod and the pod's replies are not asked about", () => {
    const steps = runSteps(memory, connection(row(WORLD6, TCP, HTTPS, 24)), 0);
    const arriving = steps.filter(({ step }) => step.hook === "from_overlay" && step.node === "src");
    expect(arriving.length).toBeGreaterThan(0);
    expect(arriving.every(({ verdict }) => verdict === VERDICT_REDIRECT)).toBe(true);
  });
});
