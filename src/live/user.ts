// Who an egwsim that was started as root goes on as.
import { readFileSync } from "node:fs";
import { InputError } from "../cluster/input-error.ts";
import type { UserIds } from "./live-options.ts";

const NOBODY: UserIds = { name: "nobody", uid: 65_534, gid: 65_534 };

/** The user named, else the caller of sudo, else nobody; null where there are no privileges to drop. Throws InputError. */
export function userToBe(named: string | null, uid: number | undefined, env: Readonly<Record<string, string | undefined>>): UserIds | null {
  if (uid !== 0) {
    if (named !== null) throw new InputError([{ at: null, subject: `--user ${named}`, message: "only root can become another user", cure: "leave it out" }]);
    return null;
  }
  if (named !== null) return known(named);
  const sudoUid = Number(env["SUDO_UID"]), sudoGid = Number(env["SUDO_GID"]);
  if (Number.isInteger(sudoUid) && Number.isInteger(sudoGid) && sudoUid > 0 && sudoGid > 0) return { name: env["SUDO_USER"] ?? String(sudoUid), uid: sudoUid, gid: sudoGid };
  return entries().find(({ name }) => name === "nobody") ?? NOBODY;
}

function known(named: string): UserIds {
  const found = entries().find(({ name, uid }) => name === named || String(uid) === named);
  if (found !== undefined) return found;
  throw new InputError([{ at: null, subject: `--user ${named}`, message: "there is no such user in /etc/passwd", cure: "name a user or a uid that is in it" }]);
}

/** passwd(5). */
function entries(): UserIds[] {
  try {
    return readFileSync("/etc/passwd", "utf8").split("\n").map((line) => line.split(":")).filter((fields) => fields.length >= 4)
      .map(([name = "", , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
  } catch {
    return [];
  }
}
