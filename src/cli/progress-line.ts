import { counted, formatBytes, formatRate } from "../observe/number-text.ts";

const REDRAW_MS = 100;
const BAR_WIDTH = 24;

/** One line on standard error, redrawn at most ten times a second and taken away at the end. */
export class ProgressLine {
  private readonly write: (text: string) => void;
  private readonly columns: number;
  private readonly nowMs: () => number;
  private readonly startedMs: number;
  private drawnMs = -Infinity;
  private isDrawn = false;

  constructor(write: (text: string) => void, columns: number, nowMs: () => number) {
    this.write = write;
    this.columns = columns;
    this.nowMs = nowMs;
    this.startedMs = nowMs();
  }

  update(bytesRead: number, bytesTotal: number | null, packets: number): void {
    const now = this.nowMs();
    if (now - this.drawnMs < REDRAW_MS) return;
    this.drawnMs = now;
    this.isDrawn = true;
    const line = progressText(bytesRead, bytesTotal, packets, (now - this.startedMs) / 1000);
    this.write(`\r${line.slice(0, Math.max(1, this.columns - 1))}\u001b[K`);
  }

  erase(): void {
    if (this.isDrawn) this.write("\r\u001b[K");
    this.isDrawn = false;
  }
}

/** Share by bytes read where the total is known, packets so far, packets per second. */
export function progressText(bytesRead: number, bytesTotal: number | null, packets: number, seconds: number): string {
  const rate = `${formatRate(seconds > 0 ? packets / seconds : 0)}/s`;
  const count = `${counted(packets, "packet")}, ${rate}`;
  if (bytesTotal === null || bytesTotal <= 0) return `${formatBytes(bytesRead)} read, ${count}`;
  const share = Math.min(1, bytesRead / bytesTotal);
  const filled = Math.floor(share * BAR_WIDTH);
  return `[${"#".repeat(filled)}${".".repeat(BAR_WIDTH - filled)}] ${String(Math.floor(share * 100)).padStart(3)} %  ${count}`;
}
