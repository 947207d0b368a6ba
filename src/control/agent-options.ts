// The agent's options as text to values: Go's booleans, numbers and durations.
import type { Finding } from "../cluster/finding.ts";
import type { Setting } from "../cluster/model.ts";
import { placeOf } from "../cluster/origin.ts";

const TRUE = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE = new Set(["0", "f", "F", "FALSE", "false", "False"]);
const DURATION = /^([0-9]+(\.[0-9]+)?(h|ms|m|s|us|ns))+$/;
const SECONDS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1, ms: 1e-3, us: 1e-6, ns: 1e-9 };

export class AgentOptions {
  readonly #settings: ReadonlyMap<string, Setting>;
  readonly #findings: Finding[];

  constructor(settings: ReadonlyMap<string, Setting>, findings: Finding[]) {
    this.#settings = settings;
    this.#findings = findings;
  }

  setting(option: string): Setting | undefined {
    return this.#settings.get(option);
  }

  text(option: string, otherwise: string): string {
    return this.#settings.get(option)?.value ?? otherwise;
  }

  oneOf<Choice extends string>(option: string, choices: readonly Choice[], otherwise: Choice): Choice {
    return this.#read(option, otherwise, (value) => choices.find((choice) => choice === value), choices.join(" or "));
  }

  flag(option: string, otherwise: boolean): boolean {
    return this.#read(option, otherwise, (value) => (TRUE.has(value) ? true : FALSE.has(value) ? false : undefined), "true or false");
  }

  count(option: string, otherwise: number, low: number, high: number): number {
    const read = (value: string): number | undefined => {
      const number = /^[0-9]{1,10}$/.test(value) ? Number(value) : Number.NaN;
      return number >= low && number <= high ? number : undefined;
    };
    return this.#read(option, otherwise, read, `a number from ${low} to ${high}`);
  }

  /** Whole seconds, at least 1. */
  seconds(option: string, otherwise: number): number {
    return this.#read(option, otherwise, durationSeconds, "a duration such as 2h13m20s");
  }

  /** Reads an option with `read`; what it cannot read becomes a finding and the default is used. */
  parsed<T>(option: string, otherwise: T, read: (value: string) => T | undefined, expected: string): T {
    return this.#read(option, otherwise, read, expected);
  }

  #read<T>(option: string, otherwise: T, read: (value: string) => T | undefined, expected: string): T {
    const setting = this.#settings.get(option);
    if (setting === undefined || setting.value === "") return otherwise;
    const value = read(setting.value.trim());
    if (value !== undefined) return value;
    this.#findings.push({
      rule: "config-value",
      severity: "error",
      object: `Option ${option}`,
      at: placeOf(setting.origin),
      message: `${setting.writtenAs} is ${JSON.stringify(setting.value.slice(0, 60))}: expected ${expected}`,
      effect: "the agent does not start with it; this run uses the default",
      fix: "correct the value",
    });
    return otherwise;
  }
}

/** Older values files say strict, partial or disabled. */
export function kubeProxyReplaced(options: AgentOptions, otherwise: boolean): boolean {
  const { value } = options.setting("kube-proxy-replacement") ?? { value: String(otherwise) };
  return value === "true" || value === "strict" || value === "partial";
}

function durationSeconds(text: string): number | undefined {
  if (text.length > 40 || !DURATION.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/([0-9.]+)(h|ms|m|s|us|ns)/g)) total += Number(amount) * (SECONDS[unit ?? ""] ?? 0);
  const whole = Math.floor(total);
  return whole >= 1 && whole <= 0x7fffffff ? whole : undefined;
}
