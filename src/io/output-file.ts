import { closeSync, openSync, writeSync } from "node:fs";
import { systemFault } from "./system-fault.ts";

const GATHERED_BYTES = 262144;
/** From this length on bytes are written from where they lie: a copy of 90 kB costs as much as a third of its write. */
const DIRECT_BYTES = 32_768;

/** A file written from its beginning to its end, in blocks of 256 KiB. Throws SystemFault (an InputError) where the system
 * refuses; after that close() only closes. */
export class OutputFile {
  readonly path: string;
  /** Bytes given to write() and commit() so far. */
  length = 0;
  private readonly descriptor: number;
  private gathered = new Uint8Array(GATHERED_BYTES);
  private used = 0;
  private open = true;
  private failed = false;

  /** `overwrite` false: a file that is there already is a fault. */
  constructor(path: string, overwrite: boolean) {
    this.path = path;
    try {
      this.descriptor = openSync(path, overwrite ? "w" : "wx", 0o644);
    } catch (error) {
      throw systemFault(path, "creating it", error);
    }
  }

  /** Appends bytes, of a SharedArrayBuffer too; they may change once it returns. */
  write(bytes: Uint8Array): void {
    if (bytes.length >= DIRECT_BYTES) return this.#writeThrough(bytes);
    let taken = 0;
    while (taken < bytes.length) {
      if (this.used === this.gathered.length) this.flush();
      const count = Math.min(bytes.length - taken, this.gathered.length - this.used);
      this.gathered.set(bytes.subarray(taken, taken + count), this.used);
      this.used += count;
      this.length += count;
      taken += count;
    }
  }

  /** Room for `length` bytes that the caller builds in place, at `start` of `buffer`; commit() then appends them. */
  reserve(length: number): number {
    if (this.used + length > this.gathered.length) {
      this.flush();
      if (length > this.gathered.length) this.gathered = new Uint8Array(length);
    }
    return this.used;
  }

  get buffer(): Uint8Array {
    return this.gathered;
  }

  commit(length: number): void {
    this.used += length;
    this.length += length;
  }

  flush(): void {
    const { used } = this;
    this.used = 0;
    this.#writeAll(this.gathered, used, this.length - used);
  }

  #writeThrough(bytes: Uint8Array): void {
    this.flush();
    this.#writeAll(bytes, bytes.length, this.length);
    this.length += bytes.length;
  }

  /** `before`: bytes of the file that were written already, for messages. */
  #writeAll(bytes: Uint8Array, length: number, before: number): void {
    let written = 0;
    try {
      while (written < length) written += writeSync(this.descriptor, bytes, written, length - written);
    } catch (error) {
      this.failed = true;
      throw systemFault(this.path, `writing it (after ${before + written} bytes)`, error);
    }
  }

  /** Writes what is gathered and closes; a second call does nothing. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    try {
      this.flush();
    } finally {
      this.closeDescriptor();
    }
  }

  private closeDescriptor(): void {
    try {
      closeSync(this.descriptor);
    } catch (error) {
      if (!this.failed) throw systemFault(this.path, "closing it", error);
    }
  }
}
