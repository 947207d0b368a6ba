import { resolve, sep } from "node:path";
import type { InputProblem } from "../cluster/input-error.ts";
import type { CaptureInput, CapturePoint } from "../engine/replay-options.ts";
import { settingProblem, type RawSetting } from "./raw-setting.ts";
import { didYouMean } from "./suggestion.ts";

/** `pod` or `node` for all captures, `pod=FILE` or `node=FILE` for one: the point comes first, so that no path (C:\…,
 * a=b.pcap) can be mistaken for one. FILE may be a folder among the captures: it then speaks for the files in it. */
export interface CapturePoints {
  readonly everywhere: CapturePoint;
  readonly perFile: readonly { readonly file: string; readonly point: CapturePoint }[];
  readonly setting: RawSetting | null;
}

const isPoint = (text: string): text is CapturePoint => text === "pod" || text === "node";

export function readCapturePoints(setting: RawSetting | undefined, problems: InputProblem[]): CapturePoints {
  let everywhere: CapturePoint | null = null;
  const perFile: { file: string; point: CapturePoint }[] = [];
  for (const text of setting === undefined || setting.value === true ? [] : setting.value) {
    const [point = "", ...rest] = text.split("=");
    const file = rest.join("=");
    if (setting === undefined) continue;
    if (!isPoint(point)) {
      problems.push(settingProblem(setting, `"${text}" begins with no capture point`, "give pod, node, pod=FILE or node=FILE"));
    } else if (rest.length > 0) {
      if (file === "") problems.push(settingProblem(setting, `"${text}" names no file`, `give ${point}=FILE, or ${point} for all captures`));
      else perFile.push({ file, point });
    } else if (everywhere !== null && everywhere !== point) {
      problems.push(settingProblem(setting, "both pod and node are given for all captures", "give one of them, and the other as pod=FILE or node=FILE"));
    } else everywhere = point;
  }
  return { everywhere: everywhere ?? "pod", perFile, setting: setting ?? null };
}

/** Gives each capture its point; a FILE that is none of the captures is a problem. */
export function assignCapturePoints(paths: readonly string[], points: CapturePoints, cwd: string, problems: InputProblem[]): CaptureInput[] {
  const whole = (path: string): string => (path === "-" ? "-" : resolve(cwd, path));
  const rules = points.perFile.map((rule) => ({ ...rule, whole: whole(rule.file), met: false }));
  const captures = paths.map((path): CaptureInput => {
    const full = whole(path);
    let point = points.everywhere, closest = -1;
    for (const rule of rules) {
      const inside = full === rule.whole || (rule.whole !== "-" && full.startsWith(rule.whole.endsWith(sep) ? rule.whole : rule.whole + sep));
      if (!inside) continue;
      rule.met = true;
      if (rule.whole.length > closest) {
        closest = rule.whole.length;
        point = rule.point;
      }
    }
    return { path, point };
  });
  for (const rule of rules) {
    if (!rule.met && points.setting !== null) {
      problems.push(settingProblem(points.setting, `"${rule.file}" is none of the captures`, didYouMean(rule.file, paths)));
    }
  }
  return captures;
}
