// What a live run's screen has beside a replay's: what went over each device, and what got lost there.
import { counted, withThousands } from "./number-text.ts";
import type { Paint } from "./paint.ts";
import { printable } from "./printable.ts";
import type { Report } from "./report-shape.ts";
import { alignRows, left, right } from "./text-table.ts";

/** Empty for a replay. */
export function liveLines({ live, ignored }: Report, paint: Paint): string[] {
  if (live === undefined) return [];
  const rows = live.sides.map(({ side, devices, received, sent }) =>
    [left(side), left(devices.map(printable).join(", ")), right(withThousands(received.packets)), right(withThousands(sent.packets))]);
  const head = [left(`${live.role}: ${live.nodes.map(printable).join(", ")}`, paint.dim), left("device", paint.dim), right("received", paint.dim), right("sent", paint.dim)];
  const lost = (count: number, why: string): string[] => (count === 0 ? [] : [paint.bad(`${counted(count, "packet")} lost on the way out: ${why}`)]);
  const tooLong = ignored.find(({ reason }) => reason === "too-long")?.packets ?? 0;
  const notes = [
    ...lost(live.lost.unresolved, "the neighbour did not answer ARP"),
    ...lost(live.lost.queueFull, "the device's queue was full"),
    ...lost(live.lost.refused, "the kernel refused them (down, too long, or no route)"),
    ...lost(live.lost.noDevice, "there is no device on that side (--pods, --outside)"),
    ...(tooLong === 0 ? [] : [paint.warn(`${counted(tooLong, "frame")} too long for the devices' MTU: turn off segmentation offload where they come from (ethtool -K)`)]),
  ];
  return [...alignRows([head, ...rows], "  "), ...notes.map((line) => `  ${line}`)];
}
