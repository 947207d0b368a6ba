import type { SourceRef } from "../cluster/source.ts";
import type { InputProblem } from "../cluster/input-error.ts";

/** A setting as it was written, before anything was checked but its shape: a flag is true, everything else is text. */
export interface RawSetting {
  readonly value: true | readonly string[];
  /** How the user wrote its name: --workers, EGWSIM_WORKERS, or the key in the defaults file. */
  readonly subject: string;
  /** Where it stands in the defaults file; null for the others. */
  readonly at: SourceRef | null;
}

/** By long option name. */
export type RawSettings = ReadonlyMap<string, RawSetting>;

export function settingProblem(setting: RawSetting, message: string, cure: string): InputProblem {
  return { at: setting.at, subject: setting.subject, message: setting.at === null ? message : `${setting.subject}: ${message}`, cure };
}
