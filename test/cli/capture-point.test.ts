import { resolve } from "node:path";
import { expect, test } from "vitest";
import type { InputProblem } from "../../src/cluster/input-error.ts";
import { assignCapturePoints, readCapturePoints } from "../../src/cli/capture-point.ts";

function assign(values: readonly string[], paths: readonly string[]): { points: string[]; problems: string[] } {
  const problems: InputProblem[] = [];
  const setting = { value: values, subject: "--capture-point", at: null };
  const captures = assignCapturePoints(paths, readCapturePoints(setting, problems), resolve("/work-folder"), problems);
  return { points: captures.map((capture) => capture.point), problems: problems.map((problem) => `${problem.message}; ${problem.cure}`) };
}

test("one point holds for all captures, and a file may have its own", () => {
  expect(assign([], ["a.pcap", "-"])).toEqual({ points: ["pod", "pod"], problems: [] });
  expect(assign(["node", "pod=b.pcap"], ["a.pcap", "b.pcap"])).toEqual({ points: ["node", "pod"], problems: [] });
  expect(assign(["node=-"], ["a.pcap", "-"])).toEqual({ points: ["pod", "node"], problems: [] });
});

test("a path is the same file however it is written, equal signs and drive letters included", () => {
  expect(assign(["node=./x/../a=b.pcap"], ["a=b.pcap"])).toEqual({ points: ["node"], problems: [] });
  expect(assign(["node=C:\\captures\\gw.pcap"], ["C:\\captures\\gw.pcap"])).toEqual({ points: ["node"], problems: [] });
});

test("a folder speaks for the captures in it, and the nearest rule wins", () => {
  expect(assign(["node=gateways", "pod=gateways/x.pcap"], ["gateways/x.pcap", "gateways/y.pcap", "gateways2/z.pcap"]).points).toEqual(["pod", "node", "pod"]);
});

test("a file that is no capture, a missing name and two points for all are problems", () => {
  expect(assign(["node=monday.pca"], ["monday.pcap"]).problems).toEqual(['"monday.pca" is none of the captures; did you mean monday.pcap?']);
  expect(assign(["node="], ["a"]).problems).toEqual(['"node=" names no file; give node=FILE, or node for all captures']);
  expect(assign(["node", "pod"], ["a"]).problems).toHaveLength(1);
});
