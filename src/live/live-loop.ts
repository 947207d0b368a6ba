// A live worker's loop: wait for frames, take a batch, walk it through the datapath, write what leaves.
import { performance } from "node:perf_hooks";
import { receiveMessageOnPort } from "node:worker_threads";
import { B_LEN, B_NOW, B_SIZE, B_WROTE, LIVE_GROWTH, STREAM_OVERLAY, X_ADDRESSES, X_ADDRESSES6, X_NODES } from "../kernel/pipeline/layout-batch.ts";
import { S_EPOCH } from "../kernel/layout-way.ts";
import { AddressBook4, AddressBook6 } from "../engine/address-book.ts";
import { CLOCK_START } from "../engine/chunk-filler.ts";
import type { Kernel } from "../engine/kernel-instance.ts";
import { CHUNK_BYTES, SLOT_COUNT } from "../engine/memory-plan.ts";
import { putDescriptor } from "../engine/packet-descriptor.ts";
import { runShardCommand } from "../engine/shard-command.ts";
import { beginStreams } from "../engine/stream-blocks.ts";
import { IPV4, IPV6 } from "../engine/ip-header.ts";
import { ServiceBook } from "../engine/service-book.ts";
import { Steering } from "../engine/steer.ts";
import { COMMAND_END } from "../engine/worker-protocol.ts";
import type { IgnoredReason } from "../observe/run-result.ts";
import { Entrance, ETH_HEADER, OUTER_HEADERS } from "./entrance.ts";
import { HandOvers, LEAST_ROOM, SLOTS_PER_FRAME } from "./hand-overs.ts";
import { BATCHES, HANDED_OVER, KERNEL_TIME, LiveCounters } from "./live-counters.ts";
import { COMMAND_EPOCH, COMMAND_STOP_READING, type Epoch, LIVE_COMMAND, LIVE_NOW, LIVE_POSTED, LIVE_READ, LIVE_SLOTS, type LiveEnd, type LiveTask } from "./live-protocol.ts";
import { isGroup, macAt } from "./mac.ts";
import type { Native } from "./native.ts";
import { isDiscovery, isForProgram } from "./neighbour-discovery.ts";
import { type Port, SIDE_OUTSIDE, SIDE_PODS, SIDE_TUNNEL } from "./sides.ts";
import { Wires } from "./wires.ts";

/** Bytes before each frame: the outer headers that a socket took off; of a frame that is handed over, what is said of it. */
export const HEADROOM = 64;
/** That is the descriptor, what comes in of it, and: the side whose neighbours the frame tells of, -1 where it is a packet. */
const DESCRIBED_WORDS = B_WROTE >> 2, TELLS_OF = B_WROTE, NOTHING = -1;
const ETHERTYPE_ARP = 0x0806, ETHERTYPE_LLDP = 0x88cc;
/** Between looks at what waits for a neighbour, and at most between looks at anything. */
const WAITING_MS = 100, IDLE_MS = 1000;

export class LiveLoop {
  readonly #task: LiveTask;
  readonly #native: Native;
  readonly #kernel: Kernel;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #control: Int32Array;
  readonly #framesRead: BigInt64Array;
  readonly #counters: LiveCounters;
  readonly #lengths: Int32Array;
  readonly #senders: Int32Array;
  readonly #wires: Wires;
  readonly #handOvers: HandOvers;
  #epoch: Epoch;
  #steering: Steering;
  #entrance: Entrance;
  #slot = 0;
  #described = 0;
  /** Number of the frame under way, among those that all workers read. */
  #number = 0;
  #doneCommand = 0;
  #reads = true;
  #fault: LiveEnd["fault"] = null;
  /** Of the batch under way: seconds since 1970, nanoseconds, the datapath's clock. */
  #seconds = 0;
  #nanoseconds = 0;
  #now = CLOCK_START;

  constructor(task: LiveTask, native: Native, kernel: Kernel) {
    this.#task = task;
    this.#native = native;
    this.#kernel = kernel;
    this.#bytes = new Uint8Array(task.memory.buffer);
    this.#words = new Int32Array(task.memory.buffer);
    this.#control = new Int32Array(task.control);
    this.#framesRead = new BigInt64Array(task.control, LIVE_READ * 4, 1);
    this.#counters = new LiveCounters(task.counters, task.worker);
    this.#lengths = new Int32Array(task.area.count);
    this.#senders = new Int32Array(2 * task.area.count);
    this.#wires = new Wires(task, native, this.#bytes, this.#words, this.#counters);
    this.#handOvers = new HandOvers(task.handOvers, task.worker, this.#words, native);
    this.#epoch = task.epoch;
    ({ steering: this.#steering, entrance: this.#entrance } = this.#enter(task.epoch));
  }

  #enter(epoch: Epoch): { steering: Steering; entrance: Entrance } {
    const books = { 4: new AddressBook4(epoch.book), 6: new AddressBook6(epoch.book6) }, { context, shards } = this.#task.addresses;
    const steering = new Steering(books[4], books[6], epoch.tunnelPort, new ServiceBook(epoch.services, this.#task.seed));
    this.#words[(context + X_NODES) >> 2] = epoch.nodes;
    this.#words[(context + X_ADDRESSES) >> 2] = epoch.addresses;
    this.#words[(context + X_ADDRESSES6) >> 2] = epoch.addresses6;
    // Ways were learnt under the tables before (endWays of the kernel's datapath/sketch.ts).
    for (const shard of shards) this.#words[(shard + S_EPOCH) >> 2] = ((this.#words[(shard + S_EPOCH) >> 2] as number) + 1) | 0;
    this.#wires.enter(epoch);
    return { steering, entrance: new Entrance(steering, books, new Set(epoch.nodesHere), epoch.tunnelPort) };
  }

  /** Until it is told to end. Of a device that goes away the main thread hears at once. */
  run(): LiveEnd {
    const { ports, worker, handOvers: { wakes } } = this.#task, wake = wakes[worker] ?? -1, handOvers = this.#handOvers;
    const all = Int32Array.of(wake, ...ports.map(({ fd }) => fd)), ready = new Int32Array(all.length), wakeOnly = all.subarray(0, 1);
    for (;;) {
      const mayRead = this.#reads && handOvers.room >= LEAST_ROOM, mayRest = handOvers.mayRest(this.#reads && !mayRead);
      ready.fill(0);
      this.#native.waitReady(mayRead ? all : wakeOnly, ready, !mayRest ? 0 : this.#wires.isWaiting ? WAITING_MS : IDLE_MS);
      handOvers.goOn();
      this.#readClock();
      if (Atomics.load(this.#control, LIVE_POSTED) !== this.#doneCommand && !this.#obey()) return this.#finish();
      for (const [k, port] of ports.entries()) if (this.#reads && ready[k + 1] !== 0 && handOvers.room >= LEAST_ROOM) this.#serve(port);
      for (const each of handOvers.incoming) this.#takeOver(each);
      this.#wires.ask(this.#seconds * 1000);
    }
  }

  #readClock(): void {
    const milliseconds = performance.timeOrigin + performance.now();
    this.#seconds = Math.floor(milliseconds / 1000);
    this.#nanoseconds = Math.floor((milliseconds % 1000) * 1e6);
    this.#now = CLOCK_START + Math.floor(Math.max(0, milliseconds - this.#task.started) / 1000);
  }

  /** By now nobody reads, so that what is handed over comes to an end. */
  #finish(): LiveEnd {
    while (this.#handOvers.isWaitedFor) for (const each of this.#handOvers.incoming) this.#takeOver(each);
    return { fault: this.#fault };
  }

  /** Carries out the main thread's command; false when it is to end. */
  #obey(): boolean {
    const posted = Atomics.load(this.#control, LIVE_POSTED), command = Atomics.load(this.#control, LIVE_COMMAND), { port, addresses } = this.#task;
    this.#doneCommand = posted;
    if (command === COMMAND_END) return false;
    if (command === COMMAND_EPOCH) {
      for (let sent = receiveMessageOnPort(port); sent !== undefined; sent = receiveMessageOnPort(port)) this.#epoch = sent.message as Epoch;
      ({ steering: this.#steering, entrance: this.#entrance } = this.#enter(this.#epoch));
    } else if (command === COMMAND_STOP_READING) {
      this.#reads = false;
    } else {
      runShardCommand(this.#kernel, addresses, command, Atomics.load(this.#control, LIVE_NOW));
    }
    port.postMessage({ kind: "done", command: posted });
    return true;
  }

  /** One batch of a port that has frames. */
  #serve(port: Port): void {
    const { area } = this.#task;
    let count: number;
    try {
      count = this.#read(port, Math.min(area.count - 1, Math.floor(this.#handOvers.room / SLOTS_PER_FRAME)));
    } catch (error) {
      return this.#giveUp(port, error as Error & { code?: string; syscall?: string });
    }
    if (count === 0) return;
    this.#beginBatch();
    const largest = area.stride - HEADROOM - LIVE_GROWTH;
    this.#number = Number(Atomics.add(this.#framesRead, 0, BigInt(count)));
    for (let k = 0; k < count; k++) {
      this.#number++;
      const at = area.at + HEADROOM + k * area.stride, length = this.#lengths[k] as number;
      if (length < 0 || length > largest) this.#ignore(port.side, "too-long", Math.max(length, 0));
      else if (port.kind === "udp") this.#takeDatagram(port, at, length, this.#senders[2 * k] as number);
      else this.#takeFrame(port, at, length);
    }
    this.#handOvers.publish();
    this.#finishBatch();
  }

  #giveUp({ title }: Port, { message, code, syscall }: Error & { code?: string; syscall?: string }): void {
    this.#reads = false;
    this.#fault ??= { title, error: { message, code: code ?? "", syscall: syscall ?? "read" } };
    this.#task.port.postMessage({ kind: "fault" });
  }

  /** One batch of what another worker hands over. */
  #takeOver(from: HandOvers["incoming"][number]): void {
    const words = this.#words, { addresses, area } = this.#task, count = Math.min(from.ring.waiting, area.count - 1);
    if (count === 0) return;
    this.#beginBatch();
    for (let k = 0; k < count; k++) {
      const slot = from.ring.slot(k), side = words[(slot + TELLS_OF) >> 2] as number;
      if (side !== NOTHING) {
        this.#wires.hear(side, slot + HEADROOM, words[(slot + B_LEN) >> 2] as number, this.#seconds * 1000);
        continue;
      }
      const at = (addresses.descriptors[this.#slot] as number) + this.#described++ * B_SIZE;
      words.copyWithin(at >> 2, slot >> 2, (slot >> 2) + DESCRIBED_WORDS);
      words[(at + B_NOW) >> 2] = this.#now;
    }
    this.#finishBatch();
    this.#handOvers.release(from, count);
  }

  #read({ kind, fd }: Port, count: number): number {
    const { area } = this.#task, first = area.at + HEADROOM;
    if (kind === "tap") return this.#native.readTap(fd, this.#bytes, first, area.stride, count, this.#lengths);
    if (kind === "packet") return this.#native.readPacket(fd, this.#bytes, first, area.stride, count, this.#lengths);
    return this.#native.readUdp(fd, this.#bytes, first, area.stride, count, this.#lengths, this.#senders);
  }

  #ignore(side: number, reason: IgnoredReason, length: number): void {
    this.#counters.receive(side, length, this.#seconds);
    this.#counters.ignore(reason, length);
  }

  #takeFrame(port: Port, frame: number, length: number): void {
    const bytes = this.#bytes;
    if (length < ETH_HEADER) return this.#ignore(port.side, "too-short", length);
    const destination = macAt(bytes, frame);
    if (!isGroup(destination) && !this.#epoch.around.macs.has(destination)) return this.#ignore(port.side, "other-mac", length);
    const type = ((bytes[frame + 12] as number) << 8) | (bytes[frame + 13] as number);
    if (type === ETHERTYPE_ARP) {
      this.#ignore(port.side, "arp", length);
      this.#tellAll(port.side, frame, length);
      return this.#wires.takeArp(port, frame, length, this.#seconds * 1000);
    }
    if (type === IPV6.etherType) return this.#takeFrame6(port, frame, length);
    if (type !== IPV4.etherType) return this.#ignore(port.side, type === ETHERTYPE_LLDP ? "lldp" : "not-ip", length);
    const reason = this.#entrance.steer(IPV4, bytes, frame + ETH_HEADER, length - ETH_HEADER, port.side);
    if (reason !== null) return this.#ignore(port.side, reason, length);
    const inner = this.#steering.innerOffset;
    if (inner === 0) this.#describe(port.side, frame, length);
    else this.#describe(port.side === SIDE_PODS ? SIDE_PODS : SIDE_OUTSIDE, frame + ETH_HEADER + inner, length - ETH_HEADER - inner);
  }

  #takeFrame6(port: Port, frame: number, length: number): void {
    const bytes = this.#bytes, ip = frame + ETH_HEADER, { around, book6 } = this.#epoch, isAtPods = port.side === SIDE_PODS;
    if (book6.length === 0) return this.#ignore(port.side, "ipv6", length);
    const tells = isDiscovery(bytes, frame, length), goesOn = !tells || isForProgram(bytes, frame, length, isAtPods, around);
    if (tells) this.#tellAll(port.side, frame, length);
    if (!goesOn) {
      this.#ignore(port.side, "neighbour-discovery", length);
      return this.#wires.takeDiscovery(port, frame, length, this.#seconds * 1000);
    }
    if (tells) this.#wires.hear(port.side, frame, length, this.#seconds * 1000);
    const reason = tells && !isAtPods ? this.#entrance.steerSolicitation(bytes, ip) : this.#entrance.steer(IPV6, bytes, ip, length - ETH_HEADER, port.side);
    if (reason !== null) return this.#ignore(port.side, reason, length);
    this.#describe(port.side, frame, length);
  }

  #takeDatagram(port: Port, at: number, length: number, sender: number): void {
    const ip = this.#entrance.wrap(this.#bytes, at, length, sender, port.address);
    const reason = this.#entrance.steer(IPV4, this.#bytes, ip, OUTER_HEADERS + length, SIDE_TUNNEL);
    if (reason !== null) return this.#ignore(SIDE_TUNNEL, reason, length);
    this.#describe(SIDE_TUNNEL, ip + this.#steering.innerOffset, OUTER_HEADERS + length - this.#steering.innerOffset);
  }

  /** The packet goes into the batch, or to the worker that has its flow. */
  #describe(side: number, frame: number, length: number): void {
    const { addresses, worker, workers } = this.#task, owner = this.#steering.shard % workers;
    this.#counters.receive(side, length, this.#seconds);
    if (owner === worker) return this.#putDescriptor((addresses.descriptors[this.#slot] as number) + this.#described++ * B_SIZE, frame, length);
    const slot = this.#handOvers.claim(owner);
    this.#bytes.copyWithin(slot + HEADROOM, frame, frame + length);
    this.#putDescriptor(slot, slot + HEADROOM, length);
    this.#words[(slot + TELLS_OF) >> 2] = NOTHING;
    this.#counters.add(HANDED_OVER, 1);
  }

  #putDescriptor(at: number, frame: number, length: number): void {
    putDescriptor(this.#words, at, this.#steering, frame, length, length, this.#number, this.#seconds, this.#nanoseconds, this.#now);
  }

  /** What a frame tells of a neighbour may be what another worker's packets wait for. */
  #tellAll(side: number, frame: number, length: number): void {
    for (const slot of this.#handOvers.claimAll()) {
      this.#bytes.copyWithin(slot + HEADROOM, frame, frame + length);
      this.#words[(slot + B_LEN) >> 2] = length;
      this.#words[(slot + TELLS_OF) >> 2] = side;
    }
  }

  #beginBatch(): void {
    this.#described = 0;
    if (this.#task.captures) this.#slot = this.#freeSlot();
    const { addresses: { context, streams } } = this.#task;
    beginStreams(this.#words, context, streams[this.#slot] ?? []);
  }

  /** The next slot; waits where its captures are still being written. */
  #freeSlot(): number {
    const slot = (this.#slot + 1) % SLOT_COUNT, at = LIVE_SLOTS + this.#task.worker * SLOT_COUNT + slot;
    while (Atomics.load(this.#control, at) === 1) Atomics.wait(this.#control, at, 1);
    return slot;
  }

  #finishBatch(): void {
    const { addresses, captures, port, worker } = this.#task, first = addresses.descriptors[this.#slot] as number;
    if (this.#described > 0) {
      const before = performance.now();
      this.#kernel.processBatch(addresses.context, first, this.#described);
      this.#counters.add(KERNEL_TIME, (performance.now() - before) / 1000);
      this.#counters.add(BATCHES, 1);
      this.#wires.emit(first, this.#described, addresses.streams[this.#slot]?.[STREAM_OVERLAY] ?? 0, this.#seconds * 1000);
    }
    this.#wires.flush();
    if (captures && this.#described > 0) {
      Atomics.store(this.#control, LIVE_SLOTS + worker * SLOT_COUNT + this.#slot, 1);
      port.postMessage({ kind: "slot", slot: this.#slot, packets: this.#described });
    }
  }
}

/** Frames of a batch: as many as fit what a slot's streams hold. `mtu`: of the largest device. */
export function frameArea(mtu: number): { readonly stride: number; readonly count: number } {
  // A VLAN tag, and the tunnel's headers where tunnel packets come as frames; then room to answer in the frame's place.
  const stride = (HEADROOM + mtu + 128 + LIVE_GROWTH + 63) & ~63;
  return { stride, count: Math.max(65, Math.min(257, Math.floor(CHUNK_BYTES / stride))) };
}
