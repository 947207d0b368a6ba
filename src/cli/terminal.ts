/** What a command may see of the process around it. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Settles when what was written to standard output is on its way; absent: writing never waits. */
  readonly outDrained?: () => Promise<void>;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  /** Columns of the terminal on standard error; 80 where it is none. */
  readonly columns: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** Whether to paint text on standard output: no-color.org, and terminals that say they cannot. */
export function wantsColour(terminal: Terminal, noColorFlag: boolean): boolean {
  const { NO_COLOR, TERM } = terminal.env;
  return terminal.outIsTerminal && !noColorFlag && (NO_COLOR === undefined || NO_COLOR === "") && TERM !== "dumb";
}

/** The process's own streams. A reader that went away (EPIPE) is no error: what follows is written nowhere. */
export function processTerminal(): Terminal {
  const silenceBrokenPipe = (stream: NodeJS.WriteStream): ((text: string) => void) => {
    let open = true;
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE" && error.code !== "EOF") throw error;
      open = false;
    });
    return (text) => {
      if (open) stream.write(text);
    };
  };
  return {
    out: silenceBrokenPipe(process.stdout),
    err: silenceBrokenPipe(process.stderr),
    outDrained: () => drained(process.stdout),
    outIsTerminal: process.stdout.isTTY === true,
    errIsTerminal: process.stderr.isTTY === true,
    columns: process.stderr.columns ?? 80,
    env: process.env,
    cwd: process.cwd(),
  };
}

/** A pipe takes what was written later than write() returns; one that is gone takes nothing and is not waited for. */
export function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) resolve();
    else stream.write("", () => resolve());
  });
}
