import {
  IC_COVER, IC_FLAGS, IC_IDENTITY, IC_OWNER, IC_SIZE, IC_TUNNEL, IPC_HAS_TUNNEL, IPC_NODE, IPC_OWNER_ONLY, IPC_SKIP_TUNNEL,
} from "../../kernel/layout.ts";
import type { Prefix } from "../../control/tables.ts";
import { type Arena, wireWord } from "./arena.ts";
import { writePrefixTable } from "./prefix-table.ts";

/** What an entry says, whatever its prefix. */
export interface IpcacheRow {
  readonly identity: number;
  /** 0 for none. */
  readonly tunnelEndpoint: number;
  readonly ownerNode: number;
  readonly isNode: boolean;
  readonly ownerOnly: boolean;
  readonly skipTunnel: boolean;
}

export interface IpcacheEntryImage extends IpcacheRow {
  readonly prefix: Prefix;
}

/** Writes one record; returns its address. */
export function writeIpcacheRecord(arena: Arena, entry: IpcacheRow): number {
  const record = arena.take(IC_SIZE);
  arena.put32(record + IC_IDENTITY, entry.identity);
  arena.put32(record + IC_TUNNEL, wireWord(entry.tunnelEndpoint));
  arena.put32(record + IC_OWNER, entry.ownerNode);
  arena.put32(record + IC_FLAGS,
    (entry.skipTunnel ? IPC_SKIP_TUNNEL : 0) | (entry.tunnelEndpoint === 0 ? 0 : IPC_HAS_TUNNEL) | (entry.isNode ? IPC_NODE : 0) |
    (entry.ownerOnly ? IPC_OWNER_ONLY : 0));
  return record;
}

/** Writes an ipcache; entries that only their owner has point at the record that all others have for the same or the next
 * shorter prefix. Of two entries of one prefix the owner's comes last. */
export function writeIpcache(arena: Arena, entries: readonly IpcacheEntryImage[]): number {
  const byPrefix = new Map<string, number>();
  const keyOf = (address: number, bits: number): string => `${bits === 0 ? 0 : (address & (0xffffffff << (32 - bits))) >>> 0}/${bits}`;
  const values = entries.map((entry) => {
    const record = writeIpcacheRecord(arena, entry);
    if (!entry.ownerOnly) byPrefix.set(keyOf(entry.prefix.address, entry.prefix.bits), record);
    return { prefix: entry.prefix, value: record };
  });
  for (const [k, entry] of entries.entries()) {
    if (!entry.ownerOnly) continue;
    for (let bits = entry.prefix.bits; bits >= 0; bits--) {
      const cover = byPrefix.get(keyOf(entry.prefix.address, bits));
      if (cover === undefined) continue;
      arena.put32((values[k]?.value ?? 0) + IC_COVER, cover);
      break;
    }
  }
  return writePrefixTable(arena, values);
}
