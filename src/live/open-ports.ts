// Opens what a live run reads and writes, while there are privileges to do it with.
import { formatIpv4 } from "../cluster/address-text.ts";
import type { DatapathTables } from "../control/tables.ts";
import { wireWord } from "../engine/image/arena.ts";
import type { DeviceWish, LiveOptions } from "./live-options.ts";
import { deviceFault, type Native } from "./native.ts";
import { type Port, SIDE_OUTSIDE, SIDE_PODS, SIDE_TUNNEL } from "./sides.ts";

/** What a run listens to: a queue of each device for every worker. close() may be called any number of times. */
export class OpenPorts {
  readonly byWorker: readonly Port[][];
  /** Of the largest device. */
  mtu = 1500;
  readonly #native: Native;
  readonly #open = new Set<number>();

  constructor(native: Native, workers: number) {
    this.#native = native;
    this.byWorker = Array.from({ length: workers }, () => []);
  }

  /** Those of the first worker: the others' are queues of the same. */
  get ports(): readonly Port[] { return this.byWorker[0] ?? []; }

  /** Throws InputError that says which device, which call and what right is missing; then nothing stays open. */
  openAll(options: LiveOptions, tables: DatapathTables, here: ReadonlySet<number>): void {
    try {
      this.#device(options.pods, SIDE_PODS);
      this.#device(options.outside, SIDE_OUTSIDE);
      this.#device(options.tunnelDevice, SIDE_TUNNEL);
      // Where all nodes are here nothing leaves by a tunnel.
      if (options.emission !== "tap" && here.size < tables.nodes.length) for (const node of here) this.#socket(tables.nodes[node]?.address ?? 0, tables.config.tunnelPort);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #device(wish: DeviceWish | null, side: number): void {
    if (wish === null) return;
    const title = `${wish.kind}:${wish.name}`, native = this.#native;
    try {
      this.#add({ kind: wish.kind, side, title, address: 0 }, wish.kind === "tap" ? this.#taps(wish) : this.#keepAll((descriptors) => native.openPackets(wish.name, descriptors)));
      const { address, bits } = wish.address ?? { address: 0, bits: 0 };
      native.setLink(wish.name, wish.mtu, Uint8Array.from(wish.mac), address, bits);
      this.mtu = Math.max(this.mtu, native.linkInfo(wish.name, new Uint8Array(6)));
    } catch (error) {
      throw deviceFault(error, title);
    }
  }

  #taps({ name, persist }: DeviceWish): number[] {
    const one = this.byWorker.length === 1;
    return this.byWorker.map(() => this.#keep(one ? this.#onlyQueue(name, persist) : this.#native.openTap(name, true, persist)));
  }

  /** A device that somebody made for several queues must be opened as such. */
  #onlyQueue(name: string, persist: boolean): number {
    try {
      return this.#native.openTap(name, false, persist);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EINVAL" && this.#native.linkInfo(name, new Uint8Array(6)) > 0) return this.#native.openTap(name, true, persist);
      throw error;
    }
  }

  #socket(address: number, port: number): void {
    if (address === 0) return;
    const title = `udp:${formatIpv4(address)}:${port}`;
    try {
      this.#add({ kind: "udp", side: SIDE_TUNNEL, title, address: wireWord(address) }, this.#keepAll((descriptors) => this.#native.openUdps(address, port, descriptors)));
    } catch (error) {
      throw deviceFault(error, title);
    }
  }

  #add(port: Omit<Port, "fd">, descriptors: readonly number[]): void {
    for (const [worker, fd] of descriptors.entries()) this.byWorker[worker]?.push({ ...port, fd });
  }

  /** One for each worker, opened by one call. */
  #keepAll(open: (descriptors: Int32Array) => void): number[] {
    const descriptors = new Int32Array(this.byWorker.length);
    open(descriptors);
    return [...descriptors].map((fd) => this.#keep(fd));
  }

  /** A descriptor for each worker that wakes it. */
  wakes(): number[] { return this.byWorker.map(() => this.#keep(this.#native.openWake())); }

  #keep(fd: number): number {
    this.#open.add(fd);
    return fd;
  }

  close(): void {
    for (const fd of this.#open) this.#native.close(fd);
    this.#open.clear();
  }
}
