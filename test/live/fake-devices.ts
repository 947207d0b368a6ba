// Devices of memory instead of the kernel's: what is queued is read, what is written is kept. The loop ends when all is read.
import { MessageChannel } from "node:worker_threads";
import type { DatapathTables } from "../../src/control/tables.ts";
import { layOutMemory } from "../../src/engine/cluster-memory.ts";
import { kernelOn } from "../../src/engine/kernel-instance.ts";
import { COMMAND_END } from "../../src/engine/worker-protocol.ts";
import { STREAM_OVERLAY, X_OPTIONS, X_WRITE, XO_LIVE } from "../../src/kernel/pipeline/layout-batch.ts";
import { makeEpoch } from "../../src/live/epoch.ts";
import { counterBuffer, CounterSums } from "../../src/live/live-counters.ts";
import { frameArea, LiveLoop } from "../../src/live/live-loop.ts";
import { LIVE_COMMAND, LIVE_POSTED, type LiveEnd } from "../../src/live/live-protocol.ts";
import { controlBlock } from "../../src/live/live-worker-handle.ts";
import type { Native } from "../../src/live/native.ts";
import { type Emission, type Port, SIDE_OUTSIDE, SIDE_PODS, SIDE_TUNNEL, SIDES } from "../../src/live/sides.ts";

const WAITING = 8;
export const PODS = 10, OUTSIDE = 11, TUNNEL = 12;

export interface Written {
  readonly fd: number;
  readonly bytes: Uint8Array;
  /** Of a datagram: address as a wire word, and port. */
  readonly to: readonly [number, number] | null;
}

export class FakeDevices {
  readonly written: Written[] = [];
  readonly counters: CounterSums;
  readonly memory: ReturnType<typeof layOutMemory>;
  readonly #queues = new Map<number, { readonly bytes: Uint8Array; readonly sender: number }[]>([[PODS, []], [OUTSIDE, []], [TUNNEL, []]]);
  readonly #control: Int32Array;
  readonly #loop: LiveLoop;

  /** `socket`: the wire word that the tunnel's socket is bound to. */
  constructor(tables: DatapathTables, here: ReadonlySet<number>, socket: number, emission: Emission = "udp") {
    const { stride, count } = frameArea(1500);
    const memory = layOutMemory(
      { tables, outDir: null, write: new Set(), kernel: "ts", assumeOpener: "pod", semantics: "cilium-1.19", seed: 1, tracePackets: 0, maxFlows: 64 }, 1,
      { nodesHere: here, extraBytes: (count + SIDES * WAITING) * stride + 4096 },
    );
    const { arena, image, workers: [addresses] } = memory;
    if (addresses === undefined) throw new Error("no worker");
    this.memory = memory;
    arena.put32(addresses.context + X_WRITE, 1 << STREAM_OVERLAY);
    arena.put32(addresses.context + X_OPTIONS, XO_LIVE);
    const control = controlBlock(1), counters = counterBuffer(1);
    this.#control = new Int32Array(control);
    this.counters = new CounterSums(counters);
    const ports: Port[] = [
      { kind: "tap", side: SIDE_PODS, fd: PODS, title: "tap:pods", address: 0 }, { kind: "tap", side: SIDE_OUTSIDE, fd: OUTSIDE, title: "tap:out", address: 0 },
      { kind: "udp", side: SIDE_TUNNEL, fd: TUNNEL, title: "udp", address: socket },
    ];
    this.#loop = new LiveLoop({
      memory: arena.memory, control, counters, port: new MessageChannel().port1, wake: 1, kernel: "ts", worker: 0, workers: 1, addresses, warmUp: null,
      area: { at: arena.take(count * stride, 64), stride, count }, waiting: Array.from({ length: SIDES }, () => ({ at: arena.take(WAITING * stride, 64), stride, count: WAITING })),
      ports, emission, epoch: makeEpoch(1, tables, image, here), seed: 1, captures: false, started: performance.timeOrigin,
    }, this.#native(), kernelOn(arena.memory, "ts"));
  }

  /** `sender`: of a datagram, as a wire word. */
  arrive(fd: number, bytes: Uint8Array, sender = 0): void { this.#queues.get(fd)?.push({ bytes, sender }); }

  /** Runs until everything is read; gives what was written since the last call. */
  run(): { readonly end: LiveEnd; readonly written: readonly Written[] } {
    this.#control[LIVE_COMMAND] = 0;
    const end = this.#loop.run();
    return { end, written: this.written.splice(0) };
  }

  #native(): Native {
    const read = (fd: number, memory: Uint8Array, first: number, stride: number, count: number, lengths: Int32Array, senders?: Int32Array): number => {
      const taken = this.#queues.get(fd)?.splice(0, count) ?? [];
      for (const [k, { bytes, sender }] of taken.entries()) {
        memory.set(bytes.subarray(0, stride), first + k * stride);
        lengths[k] = bytes.length > stride ? -1 : bytes.length;
        if (senders !== undefined) senders.set([sender, 8472], 2 * k);
      }
      return taken.length;
    };
    const write = (width: number) => (fd: number, memory: Uint8Array, list: Int32Array, count: number, result: Int32Array): void => {
      for (let k = 0; k < count; k++) {
        const [at = 0, length = 0, address = 0, port = 0] = list.subarray(k * width, (k + 1) * width);
        this.written.push({ fd, bytes: memory.slice(at, at + length), to: width === 4 ? [address, port] : null });
      }
      result.set([count, 0, 0, 0]);
    };
    const unused = (): never => { throw new Error("not a call of the loop's"); };
    return {
      readTap: read, readPacket: read, readUdp: read, writeTap: write(2), writePacket: write(2), writeUdp: write(4),
      waitReady: (descriptors, ready) => {
        ready.fill(0);
        for (const [k, fd] of descriptors.entries()) if ((this.#queues.get(fd)?.length ?? 0) > 0) ready[k] = 1;
        if (ready.every((each) => each === 0)) {
          Atomics.store(this.#control, LIVE_COMMAND, COMMAND_END);
          Atomics.add(this.#control, LIVE_POSTED, 1);
        }
        return 0;
      },
      openTap: unused, setLink: unused, linkInfo: unused, openPacket: unused, openUdp: unused, openWake: unused, wake: unused, close: unused, dropPrivileges: unused,
    };
  }
}
