import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { InputError, type InputProblem } from "../cluster/input-error.ts";
import { recordedCase, type RecordedCase } from "./recording.ts";

/** Far above the largest file of recordings (40 MB unpacked); a bound for packed ones that grow without end. */
const LARGEST_TEXT = 512 * 1024 * 1024;

const CURE = "every line must be one recorded case; see fixtures/vectors/README.md";

export interface CaseOfFile {
  readonly file: string;
  /** Line in the file, from 1. */
  readonly line: number;
  readonly recorded: RecordedCase;
}

/** The cases of one .jsonl or .jsonl.gz file, checked. Throws InputError. */
export function readRecordings(file: string): CaseOfFile[] {
  const cases: CaseOfFile[] = [];
  const problems: InputProblem[] = [];
  for (const [k, line] of textOf(file).split("\n").entries()) {
    if (line.trim() === "") continue;
    const at = { file, line: k + 1, column: 1 };
    const found = parseCase(line);
    if (typeof found === "string") problems.push({ at, subject: file, message: found, cure: CURE });
    else cases.push({ file, line: k + 1, recorded: found });
  }
  if (problems.length > 0) throw new InputError(problems);
  return cases;
}

function parseCase(line: string): RecordedCase | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return `not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
  const checked = recordedCase.safeParse(value);
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0];
  return `not a recorded case: ${issue === undefined ? "" : `${issue.path.map(String).join(".")}: ${issue.message}`}`;
}

function textOf(file: string): string {
  const fault = (message: string, cure: string): InputError => new InputError([{ at: null, subject: file, message, cure }]);
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw fault(`cannot be read: ${error instanceof Error ? error.message : String(error)}`, "name files of recordings, .jsonl or .jsonl.gz");
  }
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.toString("utf8");
  try {
    return gunzipSync(bytes, { maxOutputLength: LARGEST_TEXT }).toString("utf8");
  } catch (error) {
    throw fault(`cannot be unpacked: ${error instanceof Error ? error.message : String(error)}`, "get the file anew");
  }
}
