import { InputError } from "../cluster/input-error.ts";

/** A fault of the operating system while `path` was read or written; `code` is errno's name, e.g. "ENOSPC". */
export class SystemFault extends InputError {
  readonly code: string;
  constructor(path: string, doing: string, code: string, detail: string) {
    const known = KNOWN_FAULTS.get(code);
    const message = known === undefined ? `${doing} failed: ${detail}` : `${doing} failed: ${known.message}`;
    super([{ at: null, subject: path, message, cure: known?.cure ?? "" }]);
    this.code = code;
  }
}

/** Turns what node:fs and streams throw into a SystemFault; anything that is not a system error comes back as it is. */
export function systemFault(path: string, doing: string, error: unknown): unknown {
  if (error instanceof InputError || !(error instanceof Error)) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return code === "" ? error : new SystemFault(path, doing, code, error.message);
}

const KNOWN_FAULTS: ReadonlyMap<string, { readonly message: string; readonly cure: string }> = new Map([
  ["ENOENT", { message: "there is no such file or folder", cure: "check the path; it is taken relative to the current folder" }],
  ["ENOTDIR", { message: "a part of the path is not a folder", cure: "check the path" }],
  ["EISDIR", { message: "it is a folder", cure: "name a file" }],
  ["EACCES", { message: "permission denied", cure: "check the permissions of the file and of the folders above it" }],
  ["EPERM", { message: "the operation is not permitted", cure: "check the permissions of the file and of the folders above it" }],
  ["EROFS", { message: "the file system is read-only", cure: "choose a folder that can be written" }],
  ["EEXIST", { message: "the file exists already", cure: "choose another folder with --out, or overwrite it with --force" }],
  ["ENOSPC", { message: "no space is left on the device", cure: "free space there, or choose another folder with --out" }],
  ["EDQUOT", { message: "the disk quota is used up", cure: "free space there, or choose another folder with --out" }],
  ["EFBIG", { message: "the file would exceed the largest size allowed", cure: "check `ulimit -f` and the file system's limit" }],
  ["EPIPE", { message: "the reader closed the pipe", cure: "" }],
  ["EMFILE", { message: "too many files are open", cure: "raise the limit with `ulimit -n`, or give fewer files" }],
  ["EIO", { message: "the device reports an input/output error", cure: "check the device" }],
]);
