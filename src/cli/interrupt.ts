// The first SIGINT or SIGTERM asks the run to end with the report so far; the second one ends the process as if we had
// never listened, so that the shell sees a death by signal.

export interface Interrupt {
  isAsked(): boolean;
  /** Stops listening. */
  release(): void;
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export function listenForInterrupt(say: (text: string) => void): Interrupt {
  let asked = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (asked) {
      release();
      process.kill(process.pid, signal);
      return;
    }
    asked = true;
    say("stopping: the report so far follows; once more to end at once\n");
  };
  const release = (): void => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return { isAsked: () => asked, release };
}
