import { expect, test } from "vitest";
import { InputError } from "../../src/cluster/input-error.ts";
import { failureJson, failureOf, failureText, UsageError } from "../../src/cli/failure.ts";

const INPUT = new InputError([
  { at: { file: "policies/pay.yaml", line: 9, column: 5 }, subject: "", message: "egressIP is no address", cure: "give an IPv4 address" },
  { at: null, subject: "monday.pcap", message: "there is no such file", cure: "" },
]);

test("a fault in the input is told with place, matter and cure, every problem", () => {
  expect(failureText(failureOf(INPUT), false)).toMatchInlineSnapshot(`
    "egwsim: cannot use the input (2 problems)
      policies/pay.yaml:9:5: egressIP is no address
        give an IPv4 address
      monday.pcap: there is no such file
    "
  `);
  expect(failureOf(INPUT)).toMatchObject({ kind: "input", exitCode: 2 });
});

test("usage, system and our own faults have different kinds and exit codes", () => {
  expect(failureOf(new UsageError([]))).toMatchObject({ kind: "usage", exitCode: 2 });
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write", path: "out/pod.pcap" });
  expect(failureOf(full)).toMatchObject({ kind: "system", exitCode: 2, problems: [{ subject: "out/pod.pcap" }] });
  expect(failureOf(new TypeError("x is not a function"))).toMatchObject({ kind: "fault", exitCode: 3 });
  expect(failureOf("a thrown text")).toMatchObject({ kind: "fault", exitCode: 3, problems: [{ message: "a thrown text" }] });
  const misuse = Object.assign(new TypeError("The path must be a string"), { code: "ERR_INVALID_ARG_TYPE" });
  expect(failureOf(misuse)).toMatchObject({ kind: "fault", exitCode: 3 });
});

test("a fault of ours says so, and shows its stack only on demand", () => {
  const failure = failureOf(new TypeError("x is not a function"));
  expect(failureText(failure, false)).toContain("this is a fault of egwsim, not of your input");
  expect(failureText(failure, false)).not.toContain("failure.test.ts");
  expect(failureText(failure, true)).toContain("failure.test.ts");
});

test("as JSON it is one line with one object", () => {
  const text = failureJson(failureOf(INPUT), false);
  expect(text.split("\n")).toHaveLength(2);
  expect(JSON.parse(text)).toEqual({
    error: {
      kind: "input", exitCode: 2,
      problems: [
        { place: "policies/pay.yaml:9:5", at: { file: "policies/pay.yaml", line: 9, column: 5 }, message: "egressIP is no address", cure: "give an IPv4 address" },
        { place: "monday.pcap", at: null, message: "there is no such file", cure: "" },
      ],
    },
  });
});

test("a file name with an escape sequence cannot reach the terminal", () => {
  const error = new InputError([{ at: null, subject: "a\u001b]0;owned\u0007.pcap", message: "bad", cure: "" }]);
  expect(failureText(failureOf(error), true).replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f]/);
});
