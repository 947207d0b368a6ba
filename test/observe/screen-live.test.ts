import { expect, test } from "vitest";
import { makePaint } from "../../src/observe/paint.ts";
import { buildReport } from "../../src/observe/report.ts";
import type { LiveSummary } from "../../src/observe/run-result.ts";
import { liveLines } from "../../src/observe/screen-live.ts";
import { QUIET_RUN, reportInput } from "./sample-run.ts";

const LIVE: LiveSummary = {
  role: "source", nodes: [0], emission: "udp",
  sides: [
    { side: "pods", devices: ["tap:egw-pods"], received: { packets: 1234, bytes: 99 }, sent: { packets: 5, bytes: 1 } },
    { side: "tunnel", devices: ["udp:10.0.0.1:8472"], received: { packets: 0, bytes: 0 }, sent: { packets: 1200, bytes: 9 } },
  ],
  lost: { queueFull: 0, refused: 0, unresolved: 0, noDevice: 0 }, arp: { answered: 1, asked: 2 }, neighbourDiscovery: { answered: 3, asked: 4 }, epochs: 1, batches: 7,
  handedOver: 0,
};
const lines = (live: LiveSummary | undefined, tooLong = 0): string[] =>
  liveLines(buildReport(reportInput({ ...QUIET_RUN, ...(live === undefined ? {} : { live }), ignoredBy: tooLong === 0 ? [] : [{ reason: "too-long", packets: tooLong, bytes: 0 }] })), makePaint(false));

test("a replay's screen says nothing about devices", () => {
  expect(lines(undefined)).toEqual([]);
});

test("a live run's says what went over each device", () => {
  expect(lines(LIVE)).toMatchInlineSnapshot(`
    [
      "  source: worker-1   device              received    sent",
      "  pods               tap:egw-pods           1,234       5",
      "  tunnel             udp:10.0.0.1:8472          0   1,200",
    ]
  `);
});

test("and what got lost, with the reason, only where something did", () => {
  expect(lines({ ...LIVE, lost: { queueFull: 1, refused: 2, unresolved: 3, noDevice: 4 } }, 5).slice(3)).toMatchInlineSnapshot(`
    [
      "  3 packets lost on the way out: the neighbour did not answer ARP",
      "  1 packet lost on the way out: the device's queue was full",
      "  2 packets lost on the way out: the kernel refused them (down, too long, or no route)",
      "  4 packets lost on the way out: there is no device on that side (--pods, --outside)",
      "  5 frames too long for the devices' MTU: turn off segmentation offload where they come from (ethtool -K)",
    ]
  `);
});
