import { IC_COVER } from "../../kernel/layout.ts";
import type { Prefix6 } from "../../control/tables.ts";
import { mask6 } from "./address6.ts";
import type { Arena } from "./arena.ts";
import { type IpcacheRow, writeIpcacheRecord } from "./ipcache-image.ts";
import { writePrefixTable6 } from "./prefix-table6.ts";

export interface IpcacheEntryImage6 extends IpcacheRow {
  readonly prefix: Prefix6;
}

/** Writes an IPv6 ipcache (tunnel endpoints are IPv4 addresses), as writeIpcache does. */
export function writeIpcache6(arena: Arena, entries: readonly IpcacheEntryImage6[]): number {
  const keyOf = (address: bigint, bits: number): string => `${address & mask6(bits)}/${bits}`;
  const byPrefix = new Map<string, number>();
  const values = entries.map((entry) => {
    const value = writeIpcacheRecord(arena, entry);
    if (!entry.ownerOnly) byPrefix.set(keyOf(entry.prefix.address, entry.prefix.bits), value);
    return { entry, prefix: entry.prefix, value };
  });
  for (const { entry, prefix, value } of values) {
    if (!entry.ownerOnly) continue;
    for (let bits = prefix.bits; bits >= 0; bits--) {
      const cover = byPrefix.get(keyOf(prefix.address, bits));
      if (cover === undefined) continue;
      arena.put32(value + IC_COVER, cover);
      break;
    }
  }
  return writePrefixTable6(arena, values);
}
