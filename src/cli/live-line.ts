import type { LiveStatistics } from "../live/run-live.ts";
import { counted, formatRate, formatSeconds, withThousands } from "../observe/number-text.ts";
import type { Terminal } from "./terminal.ts";

/** What a live run says on standard error while it runs: that it is ready, and on a terminal a line a second. */
export class LiveLine {
  readonly #terminal: Terminal;
  #before: LiveStatistics | null = null;
  #isDrawn = false;

  readonly #isWanted: boolean;

  /** `isWanted`: false where only what concerns programs is to be said. */
  constructor(terminal: Terminal, isWanted: boolean) {
    this.#terminal = terminal;
    this.#isWanted = isWanted && terminal.errIsTerminal;
  }

  /** `user`: who it goes on as; null where no privileges were given up. */
  ready(nodes: readonly string[], devices: readonly string[], user: string | null): void {
    this.#terminal.err(`ready: stands in for ${nodes.join(", ")} on ${devices.join(", ")}${user === null ? "" : `, as user ${user}`}\n`);
  }

  reloaded(epoch: number): void { this.#terminal.err(`${this.#isDrawn ? "\r\u001b[K" : ""}manifests taken over: epoch ${epoch}\n`); }

  update(statistics: LiveStatistics): void {
    if (!this.#isWanted) return;
    this.#terminal.err(`\r${statisticsText(statistics, this.#before).slice(0, Math.max(1, this.#terminal.columns - 1))}\u001b[K`);
    this.#before = statistics;
    this.#isDrawn = true;
  }

  end(): void {
    if (this.#isDrawn) this.#terminal.err("\r\u001b[K");
  }
}

/** "12 s  in 41 k/s  out 41 k/s  dropped 3  20 flows  40 conntrack"; rates since `before`, counters from the start. */
export function statisticsText(now: LiveStatistics, before: LiveStatistics | null): string {
  const seconds = now.seconds - (before?.seconds ?? 0), rate = (value: number, earlier: number): string => formatRate(seconds > 0 ? (value - earlier) / seconds : 0);
  const parts = [
    formatSeconds(now.seconds), `in ${rate(now.received, before?.received ?? 0)}/s`, `out ${rate(now.sent, before?.sent ?? 0)}/s`,
    ...(now.dropped > 0 ? [`dropped ${withThousands(now.dropped)}`] : []), ...(now.passed > 0 ? [`passed ${withThousands(now.passed)}`] : []),
    ...(now.lost > 0 ? [`lost ${withThousands(now.lost)}`] : []), counted(now.flows, "flow"), `${withThousands(now.conntrack)} conntrack`,
  ];
  return parts.join("  ");
}
