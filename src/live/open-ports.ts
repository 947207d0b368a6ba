// Opens what a live run reads and writes, while there are privileges to do it with.
import { formatIpv4 } from "../cluster/address-text.ts";
import type { DatapathTables } from "../control/tables.ts";
import { wireWord } from "../engine/image/arena.ts";
import type { DeviceWish, LiveOptions } from "./live-options.ts";
import { deviceFault, type Native } from "./native.ts";
import { type Port, SIDE_OUTSIDE, SIDE_PODS, SIDE_TUNNEL } from "./sides.ts";

/** What a run listens to. close() may be called any number of times. */
export class OpenPorts {
  readonly ports: Port[] = [];
  /** Of the largest device. */
  mtu = 1500;
  readonly #native: Native;
  readonly #open = new Set<number>();

  constructor(native: Native) {
    this.#native = native;
  }

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
      const fd = this.#keep(wish.kind === "tap" ? this.#tap(wish) : native.openPacket(wish.name, 0));
      const { address, bits } = wish.address ?? { address: 0, bits: 0 };
      native.setLink(wish.name, wish.mtu, Uint8Array.from(wish.mac), address, bits);
      this.mtu = Math.max(this.mtu, native.linkInfo(wish.name, new Uint8Array(6)));
      this.ports.push({ kind: wish.kind, side, fd, title, address: 0 });
    } catch (error) {
      throw deviceFault(error, title);
    }
  }

  /** A device that somebody made for several queues must be opened as such. */
  #tap({ name, persist }: DeviceWish): number {
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
      this.ports.push({ kind: "udp", side: SIDE_TUNNEL, fd: this.#keep(this.#native.openUdp(address, port, false)), title, address: wireWord(address) });
    } catch (error) {
      throw deviceFault(error, title);
    }
  }

  /** A descriptor that wakes a worker. */
  wake(): number { return this.#keep(this.#native.openWake()); }

  #keep(fd: number): number {
    this.#open.add(fd);
    return fd;
  }

  close(): void {
    for (const fd of this.#open) this.#native.close(fd);
    this.#open.clear();
  }
}
