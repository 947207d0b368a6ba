// Where captures may lie while they are measured: in memory, so that no disk is measured, or where TMPDIR says.
import { existsSync, readFileSync, statfsSync } from "node:fs";
import { freemem, tmpdir } from "node:os";

const SHARED_MEMORY = "/dev/shm";
/** What must stay free for everything else. */
const SPARE = 2 * 2 ** 30;

/** A folder with room for so many bytes, or why there is none. */
export function folderFor(bytes: number): { readonly folder: string } | { readonly why: string } {
  const wanted = bytes + SPARE;
  if (existsSync(SHARED_MEMORY) && freeOn(SHARED_MEMORY) >= wanted && freeMemory() >= wanted) return { folder: SHARED_MEMORY };
  if (freeOn(tmpdir()) >= wanted) return { folder: tmpdir() };
  const gibibytes = (value: number): string => `${(value / 2 ** 30).toFixed(1)} GiB`;
  const has = `which has ${gibibytes(freeOn(tmpdir()))} (TMPDIR names another folder)`;
  return { why: `it wants ${gibibytes(wanted)} in ${SHARED_MEMORY} or ${tmpdir()}, ${has}` };
}

function freeOn(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** Bytes of memory that can be had, the page cache counted as free where the system says so. */
export function freeMemory(): number {
  const line = existsSync("/proc/meminfo") ? /MemAvailable:\s+(\d+) kB/.exec(readFileSync("/proc/meminfo", "utf8")) : null;
  return line === null ? freemem() : Number(line[1]) * 1024;
}
