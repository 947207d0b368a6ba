// Devices of memory instead of the kernel's: what is queued is read, what is written is kept. The loop ends when all is read.
import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { DatapathTables } from "../../src/control/tables.ts";
import { layOutMemory } from "../../src/engine/cluster-memory.ts";
import { kernelOn } from "../../src/engine/kernel-instance.ts";
import type { KernelBuild } from "../../src/engine/replay-options.ts";
import { COMMAND_END } from "../../src/engine/worker-protocol.ts";
import { STREAM_OVERLAY, X_OPTIONS, X_WRITE, XO_LIVE } from "../../src/kernel/pipeline/layout-batch.ts";
import { ClusterEpochs, epochBytes } from "../../src/live/cluster-epochs.ts";
import { handOverBytes, planHandOvers, ringShape } from "../../src/live/hand-overs.ts";
import { counterBuffer, CounterSums } from "../../src/live/live-counters.ts";
import { frameArea, LiveLoop } from "../../src/live/live-loop.ts";
import { COMMAND_EPOCH, LIVE_COMMAND, LIVE_POSTED, type LiveEnd } from "../../src/live/live-protocol.ts";
import { controlBlock } from "../../src/live/live-workers.ts";
import type { Native } from "../../src/live/native.ts";
import { type Emission, type Port, SIDE_OUTSIDE, SIDE_PODS, SIDE_TUNNEL, SIDES } from "../../src/live/sides.ts";

const WAITING = 65;
export const PODS = 10, OUTSIDE = 11, TUNNEL = 12;
/** Between the descriptors of one worker's queues and the next one's. */
const QUEUE = 100, WAKE = 1;

export interface Written {
  readonly fd: number;
  readonly bytes: Uint8Array;
  /** Of a datagram: address as a wire word, and port. */
  readonly to: readonly [number, number] | null;
}

export interface Wishes {
  readonly emission?: Emission;
  readonly workers?: number;
  readonly kernel?: KernelBuild;
  /** False: every packet is walked. */
  readonly flowWays?: boolean;
  /** Slots of a ring between two workers. */
  readonly slots?: number;
  /** The kernel's choice: the queue by which a frame comes in. */
  readonly queueOf?: (bytes: Uint8Array) => number;
}

interface Queued {
  readonly bytes: Uint8Array;
  readonly sender: number;
}

export class FakeDevices {
  readonly written: Written[] = [];
  readonly counters: CounterSums;
  readonly memory: ReturnType<typeof layOutMemory>;
  readonly #queues = new Map<number, Queued[]>();
  readonly #queueOf: (bytes: Uint8Array) => number;
  /** By worker: words by which its loop is told what to do. */
  readonly #controls: readonly Int32Array[];
  readonly #loops: readonly LiveLoop[];
  readonly #epochs: ClusterEpochs;
  /** Workers that have a command to obey. */
  readonly #commanded = new Set<number>();
  readonly #ports: readonly MessagePort[];

  /** `socket`: the wire word that the tunnel's socket is bound to. */
  constructor(tables: DatapathTables, here: ReadonlySet<number>, socket: number, { emission = "udp", workers = 1, kernel = "ts", flowWays = true, slots, queueOf = () => 0 }: Wishes = {}) {
    const { stride, count } = frameArea(1500), planned = ringShape(workers, stride), shape = { ...planned, slots: slots ?? planned.slots };
    const memory = layOutMemory(
      { tables, outDir: null, write: new Set(), kernel, assumeOpener: "pod", semantics: "cilium-1.19", seed: 1, tracePackets: 0, maxFlows: 64, flowWays }, workers,
      { nodesHere: here, extraBytes: workers * (count + SIDES * WAITING) * stride + handOverBytes(workers, shape) + epochBytes(tables, workers) + workers * 4096 },
    );
    this.#epochs = new ClusterEpochs(memory, tables, here, false, 1);
    const { arena } = memory, counters = counterBuffer(workers);
    const handOvers = planHandOvers(arena, shape, Array.from({ length: workers }, (_, worker) => worker * QUEUE + WAKE));
    this.memory = memory;
    this.#queueOf = queueOf;
    this.counters = new CounterSums(counters);
    const controls = memory.workers.map(() => controlBlock(workers)), channels = memory.workers.map(() => new MessageChannel());
    this.#ports = channels.map(({ port2 }) => port2);
    this.#controls = controls.map((control) => new Int32Array(control));
    this.#loops = memory.workers.map((addresses, worker) => {
      arena.put32(addresses.context + X_WRITE, 1 << STREAM_OVERLAY);
      arena.put32(addresses.context + X_OPTIONS, XO_LIVE);
      const port = (kind: Port["kind"], side: number, fd: number, address: number): Port => {
        this.#queues.set(worker * QUEUE + fd, []);
        return { kind, side, fd: worker * QUEUE + fd, title: `${kind} ${fd}`, address };
      };
      return new LiveLoop({
        memory: arena.memory, control: controls[worker] ?? controlBlock(workers), counters, port: channels[worker]?.port1 ?? new MessageChannel().port1, kernel, worker, workers, addresses, warmUp: null, handOvers,
        area: { at: arena.take(count * stride, 64), stride, count }, waiting: Array.from({ length: SIDES }, () => ({ at: arena.take(WAITING * stride, 64), stride, count: WAITING })),
        ports: [port("tap", SIDE_PODS, PODS, 0), port("tap", SIDE_OUTSIDE, OUTSIDE, 0), port("udp", SIDE_TUNNEL, TUNNEL, socket)],
        emission, epoch: this.#epochs.first(), seed: 1, captures: false, started: performance.timeOrigin,
      }, this.#native(worker), kernelOn(arena.memory, kernel));
    });
  }

  /** `sender`: of a datagram, as a wire word. */
  arrive(fd: number, bytes: Uint8Array, sender = 0): void { this.#queues.get((this.#queueOf(bytes) % this.#loops.length) * QUEUE + fd)?.push({ bytes, sender }); }

  /** Runs the workers in turns until everything is read and handed over; gives what was written since the last call. */
  run(): { readonly end: LiveEnd; readonly written: readonly Written[] } {
    let end: LiveEnd = { fault: null };
    do end = this.#turn(end); while ([...this.#queues.values()].some((queue) => queue.length > 0));
    // What the last ones gave to the first ones.
    return { end: this.#loops.length === 1 ? end : this.#turn(end), written: this.written.splice(0) };
  }

  /** All workers take the tables over before they read anything else. */
  reload(tables: DatapathTables): void {
    const next = this.#epochs.next(tables);
    for (const [worker, loop] of this.#loops.entries()) {
      const control = this.#controls[worker] as Int32Array;
      this.#ports[worker]?.postMessage(next);
      control[LIVE_COMMAND] = COMMAND_EPOCH;
      Atomics.add(control, LIVE_POSTED, 1);
      this.#commanded.add(worker);
      loop.run();
    }
  }

  #turn(before: LiveEnd): LiveEnd {
    return this.#loops.reduce((end, loop, worker) => {
      (this.#controls[worker] as Int32Array)[LIVE_COMMAND] = 0;
      const mine = loop.run();
      return end.fault === null ? mine : end;
    }, before);
  }

  #native(worker: number): Native {
    const control = this.#controls[worker] as Int32Array;
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
        this.written.push({ fd: fd % QUEUE, bytes: memory.slice(at, at + length), to: width === 4 ? [address, port] : null });
      }
      result.set([count, 0, 0, 0]);
    };
    const unused = (): never => { throw new Error("not a call of the loop's"); };
    return {
      readTap: read, readPacket: read, readUdp: read, writeTap: write(2), writePacket: write(2), writeUdp: write(4),
      waitReady: (descriptors, ready, milliseconds) => {
        ready.fill(0);
        for (const [k, fd] of descriptors.entries()) if ((this.#queues.get(fd)?.length ?? 0) > 0) ready[k] = 1;
        // About to sleep: there is nothing left to do, once a command has been obeyed.
        if (this.#commanded.delete(worker)) return 0;
        if (milliseconds > 0 && ready.every((each) => each === 0)) {
          Atomics.store(control, LIVE_COMMAND, COMMAND_END);
          Atomics.add(control, LIVE_POSTED, 1);
        }
        return 0;
      },
      wake: () => undefined,
      openTap: unused, setLink: unused, linkInfo: unused, openPackets: unused, openUdps: unused, openWake: unused, close: unused, dropPrivileges: unused,
    };
  }
}
