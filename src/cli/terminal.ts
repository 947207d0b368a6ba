import { fstatSync, statSync, writeSync } from "node:fs";

/** What a command may see of the process around it. */
export interface Terminal {
  /** Both return when the text is written. */
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  /** Columns of the terminal on standard output; absent where it is none. */
  readonly outColumns?: number;
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

/** Standard output and error, written at once. Node's own streams, which do the same for files, terminals and pipes, take 8 ms to
 * load: as long as the rest of --help. */
export function processTerminal(): Terminal {
  const outIsTerminal = maybeTerminal(1) && process.stdout.isTTY === true, errIsTerminal = maybeTerminal(2) && process.stderr.isTTY === true;
  return {
    out: writerTo(1),
    err: writerTo(2),
    outIsTerminal,
    errIsTerminal,
    ...(outIsTerminal ? { outColumns: process.stdout.columns } : {}),
    columns: errIsTerminal ? process.stderr.columns : 80,
    env: process.env,
    cwd: process.cwd(),
  };
}

/** False where it is certain that this is none; asking Node loads its streams. */
function maybeTerminal(descriptor: number): boolean {
  try {
    if (process.platform === "win32") return true;
    const device = fstatSync(descriptor);
    return device.isCharacterDevice() && device.rdev !== statSync("/dev/null").rdev;
  } catch {
    return false;
  }
}

/** A reader that went away (EPIPE), or was never there, is no error: what follows is written nowhere. */
function writerTo(descriptor: number): (text: string) => void {
  let open = true;
  return (text) => {
    const bytes = Buffer.from(text);
    for (let written = 0; open && written < bytes.length; ) {
      try {
        written += writeSync(descriptor, bytes, written);
      } catch (error) {
        const code = error instanceof Error && "code" in error ? error.code : "";
        if (code === "EPIPE" || code === "EOF" || code === "EBADF") open = false;
        // Whoever shares the pipe made it one that does not wait.
        else if (code === "EAGAIN") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_MS);
        else throw error;
      }
    }
  };
}

const FULL_PIPE_MS = 2;
