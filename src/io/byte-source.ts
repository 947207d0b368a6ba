import { close, fstatSync, open, read, readSync } from "node:fs";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { systemFault } from "./system-fault.ts";

/** Bytes in order, pulled; nothing is read ahead of what is asked for but the stream's own buffer. */
export interface ByteSource {
  /** Fills `into` from index `at` on with at least one byte, at most to its end; resolves to the number of bytes, 0 at the
   * end of the input. Rejects with InputError, and again on every later call, once the input has failed. */
  read(into: Uint8Array, at: number): Promise<number>;
  /** The same at once, where the bytes are there and nothing need be waited for: null where they may not be. Throws what read()
   * rejects with. */
  readNow(into: Uint8Array, at: number): number | null;
  close(): Promise<void>;
}

// By the callbacks' functions: node:fs/promises takes 7 ms to load.
const openFile = promisify(open), readFrom = promisify(read), closeFile = promisify(close);

/** A file, FIFO or device by its path. */
export class FileSource implements ByteSource {
  private readonly path: string;
  private readonly file: number;
  /** A regular file: its bytes are there. */
  private readonly isRegular: boolean;

  private constructor(path: string, file: number, isRegular: boolean) {
    this.path = path;
    this.file = file;
    this.isRegular = isRegular;
  }

  static async open(path: string): Promise<FileSource> {
    try {
      const file = await openFile(path, "r");
      return new FileSource(path, file, fstatSync(file).isFile());
    } catch (error) {
      throw systemFault(path, "opening it", error);
    }
  }

  async read(into: Uint8Array, at: number): Promise<number> {
    try {
      return (await readFrom(this.file, into, at, into.length - at, null)).bytesRead;
    } catch (error) {
      throw systemFault(this.path, "reading it", error);
    }
  }

  /** By a pool's thread a block of 512 KiB takes as long again to ask for as to read, and lies in another core's cache. */
  readNow(into: Uint8Array, at: number): number | null {
    if (!this.isRegular) return null;
    try {
      return readSync(this.file, into, at, into.length - at, null);
    } catch (error) {
      throw systemFault(this.path, "reading it", error);
    }
  }

  async close(): Promise<void> {
    await closeFile(this.file);
  }
}

/** A node:stream Readable of bytes, such as standard input. Closing it destroys the stream. */
export class StreamSource implements ByteSource {
  private readonly stream: Readable;
  private chunk: Uint8Array = new Uint8Array(0);
  private taken = 0;
  private ended = false;
  private failure: unknown = null;
  private wake: () => void = () => {};

  /** `explain` makes an InputError of what the stream fails with. */
  constructor(stream: Readable, explain: (error: Error) => unknown) {
    this.stream = stream;
    stream.on("readable", () => this.wake());
    stream.on("end", () => {
      this.ended = true;
      this.wake();
    });
    stream.on("error", (error) => {
      this.failure ??= explain(error);
      this.wake();
    });
    stream.on("close", () => {
      this.ended = true;
      this.wake();
    });
  }

  async read(into: Uint8Array, at: number): Promise<number> {
    while (this.taken === this.chunk.length) {
      // A destroyed stream still hands out what it had buffered, so that the data before a fault are not lost.
      const chunk: unknown = this.stream.read();
      if (chunk instanceof Uint8Array) {
        this.chunk = chunk;
        this.taken = 0;
      } else if (chunk !== null) {
        throw new TypeError(`the stream gives ${typeof chunk}, not bytes`);
      } else if (this.failure !== null) {
        throw this.failure;
      } else if (this.ended) {
        return 0;
      } else {
        await new Promise<void>((resolve) => (this.wake = resolve));
      }
    }
    const count = Math.min(this.chunk.length - this.taken, into.length - at);
    into.set(this.chunk.subarray(this.taken, this.taken + count), at);
    this.taken += count;
    return count;
  }

  readNow(): null {
    return null;
  }

  close(): Promise<void> {
    this.stream.destroy();
    return Promise.resolve();
  }
}
