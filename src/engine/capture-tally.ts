import type { CaptureReader, CaptureRecord } from "../io/capture-record.ts";
import type { CaptureFault } from "../io/merge.ts";
import type { CaptureSummary, IgnoredReason } from "../observe/run-result.ts";

/** What the main thread counts: packets per capture, and those that enter nowhere. */
export class CaptureTally {
  packets = 0;
  bytes = 0;
  ignoredPackets = 0;
  ignoredBytes = 0;
  readonly #ignored = new Map<IgnoredReason, { packets: number; bytes: number }>();
  readonly #captures: { packets: number; bytes: number; first: number | null; last: number | null }[];

  constructor(captures: number) {
    this.#captures = Array.from({ length: captures }, () => ({ packets: 0, bytes: 0, first: null, last: null }));
  }

  /** Counts a record of `bytes` bytes, whatever becomes of it. */
  receive(capture: number, record: CaptureRecord, bytes: number): void {
    this.packets++;
    this.bytes += bytes;
    const counts = this.#captures[capture];
    if (counts === undefined) return;
    const time = record.timeSec + record.timeNsec / 1e9;
    counts.packets++;
    counts.bytes += bytes;
    counts.first ??= time;
    counts.last = time;
  }

  /** The same for records that follow one another, of `bytes` bytes together, the last at this time; it is not the first. */
  receiveRun(capture: number, packets: number, bytes: number, lastSecond: number, lastNanosecond: number): void {
    this.packets += packets;
    this.bytes += bytes;
    const counts = this.#captures[capture];
    if (counts === undefined) return;
    counts.packets += packets;
    counts.bytes += bytes;
    counts.last = lastSecond + lastNanosecond / 1e9;
  }

  ignore(reason: IgnoredReason, bytes: number): void {
    this.ignoredPackets++;
    this.ignoredBytes += bytes;
    const counts = this.#ignored.get(reason);
    if (counts === undefined) this.#ignored.set(reason, { packets: 1, bytes });
    else {
      counts.packets++;
      counts.bytes += bytes;
    }
  }

  ignoredBy(): { reason: IgnoredReason; packets: number; bytes: number }[] {
    return [...this.#ignored].map(([reason, counts]) => ({ reason, ...counts })).sort((a, b) => b.packets - a.packets || (a.reason < b.reason ? -1 : 1));
  }

  summaries(readers: readonly CaptureReader[], faults: readonly CaptureFault[]): CaptureSummary[] {
    return readers.map((reader, index) => {
      const counts = this.#captures[index];
      return {
        name: reader.name, format: reader.format, compressed: reader.compressed, packets: counts?.packets ?? 0, bytes: counts?.bytes ?? 0,
        firstTime: counts?.first ?? null, lastTime: counts?.last ?? null, fault: faultText(faults.find((fault) => fault.capture === index)),
      };
    });
  }
}

/** The summary names the file already; what is wrong and where in it remains. */
function faultText(fault: CaptureFault | undefined): string | null {
  return fault === undefined ? null : fault.error.problems.map((problem) => problem.message).join("; ");
}
