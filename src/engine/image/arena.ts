// Hands out addresses in the kernel's memory, upwards and never back. What is built here is read by the kernel with the
// offsets of src/kernel/layout.ts.

/** Bytes the kernel never uses: address 0 stays "none". */
const FIRST_ADDRESS = 1024;
const PAGE = 65_536;

export class Arena {
  readonly memory: WebAssembly.Memory;
  readonly view: DataView;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly #end: number;
  #next: number;

  /** `first` and `end`: the part of the memory that is handed out. */
  constructor(memory: WebAssembly.Memory, first = FIRST_ADDRESS, end = memory.buffer.byteLength) {
    this.memory = memory;
    this.#next = first;
    this.#end = end;
    this.view = new DataView(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
  }

  /** `size` zeroed bytes at a multiple of `align` (a power of two). */
  take(size: number, align = 8): number {
    const at = (this.#next + align - 1) & -align;
    if (at + size > this.#end) throw new RangeError(`the kernel's memory, which ends at ${this.#end}, is too small by ${at + size - this.#end} bytes`);
    this.#next = at + size;
    return at;
  }

  get used(): number {
    return this.#next;
  }

  put32(at: number, value: number): void {
    this.view.setInt32(at, value | 0, true);
  }

  get32(at: number): number {
    return this.view.getInt32(at, true);
  }
}

/** Shared memory of at least `bytes` bytes; pages that nobody touches cost no real memory. */
export function sharedMemory(bytes: number): WebAssembly.Memory {
  const pages = Math.ceil(bytes / PAGE);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** An address as a number in host order (10.0.0.1 = 0x0a000001) to the word that loading its wire bytes gives, and back. */
export function wireWord(address: number): number {
  return ((address >>> 24) | ((address >>> 8) & 0xff00) | ((address << 8) & 0xff0000) | (address << 24)) | 0;
}

export function addressOf(word: number): number {
  return wireWord(word) >>> 0;
}

/** A port as a number to its raw half in wire order, and back. */
export function wirePort(port: number): number {
  return ((port & 0xff) << 8) | ((port >>> 8) & 0xff);
}

/** Network mask of a prefix length as a wire word. */
export function wireMask(bits: number): number {
  return bits === 0 ? 0 : wireWord((0xffffffff << (32 - bits)) >>> 0);
}
