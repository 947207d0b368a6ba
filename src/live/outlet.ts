// Frames on their way out: gathered side by side during a batch, written in one call each.
import type { LiveCounters } from "./live-counters.ts";
import { LAST_ERROR, LOST_NO_DEVICE, LOST_QUEUE_FULL, LOST_REFUSED } from "./live-counters.ts";
import type { Native } from "./native.ts";
import type { Port } from "./sides.ts";

const FULL = 1, REFUSED = 2, ERROR = 3;
const FRAME_WORDS = 2, DATAGRAM_WORDS = 4;

/** One port's list. */
export class Outlet {
  readonly port: Port;
  readonly #native: Native;
  readonly #bytes: Uint8Array;
  readonly #counters: LiveCounters;
  readonly #result = new Int32Array(4);
  readonly #width: number;
  readonly #list: Int32Array;
  #count = 0;
  #bytesListed = 0;

  constructor(port: Port, native: Native, bytes: Uint8Array, counters: LiveCounters, room: number) {
    this.port = port;
    this.#native = native;
    this.#bytes = bytes;
    this.#counters = counters;
    this.#width = port.kind === "udp" ? DATAGRAM_WORDS : FRAME_WORDS;
    this.#list = new Int32Array(room * this.#width);
  }

  /** Lists a frame of the shared memory, which must stay as it is until flush(). `address` (wire word) and `destinationPort`
   * are a datagram's. */
  put(frame: number, length: number, address = 0, destinationPort = 0): void {
    if (this.#count * this.#width === this.#list.length) this.flush();
    const at = this.#count++ * this.#width;
    this.#list[at] = frame;
    this.#list[at + 1] = length;
    if (this.#width === DATAGRAM_WORDS) {
      this.#list[at + 2] = address;
      this.#list[at + 3] = destinationPort;
    }
    this.#bytesListed += length;
  }

  flush(): void {
    if (this.#count === 0) return;
    const { fd, kind, side } = this.port, native = this.#native, result = this.#result;
    if (kind === "tap") native.writeTap(fd, this.#bytes, this.#list, this.#count, result);
    else if (kind === "packet") native.writePacket(fd, this.#bytes, this.#list, this.#count, result);
    else native.writeUdp(fd, this.#bytes, this.#list, this.#count, result);
    this.#counters.send(side, result[0] as number, this.#bytesListed);
    if (result[0] !== this.#count) {
      this.#counters.add(LOST_QUEUE_FULL, result[FULL] as number);
      this.#counters.add(LOST_REFUSED, result[REFUSED] as number);
      if (result[ERROR] !== 0) this.#counters.set(LAST_ERROR, result[ERROR] as number);
    }
    this.#count = 0;
    this.#bytesListed = 0;
  }
}

/** Where there is no device for a side. */
export function loseFrame(counters: LiveCounters): void { counters.add(LOST_NO_DEVICE, 1); }
