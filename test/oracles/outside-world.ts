// The world behind a gateway, which is a kernel in a namespace: gets what the gateway lets out, and says what it says to it.
import type { NetworkNamespace } from "./network-namespace.ts";

/** Seconds to wait for a frame. */
const WAIT = 3;

export class OutsideWorld {
  readonly #namespace: NetworkNamespace;
  readonly #egressIp: string;
  readonly #isOurs: (frame: Buffer) => boolean;

  /** The namespace has the server's device "wire", and "peer" watched at its other end. `isOurs` picks what the kernel says to
   * the gateway from what it says of its own accord. */
  constructor(namespace: NetworkNamespace, egressIp: string, isOurs: (frame: Buffer) => boolean) {
    this.#namespace = namespace;
    this.#egressIp = egressIp;
    this.#isOurs = isOurs;
  }

  /** Hands frames to the server's kernel, at the MAC that the gateway sent them to; its answers go to the gateway's. */
  async gets(frames: readonly Buffer[]): Promise<void> {
    const mac = (from: number): string => frames[0]?.subarray(from, from + 6).toString("hex").replace(/..(?=.)/g, "$&:") ?? "";
    await this.#namespace.run(`ip link set wire address ${mac(0)}`);
    // A new address of the device makes the kernel forget its neighbours.
    await this.#namespace.run(`ip neighbour replace ${this.#egressIp} lladdr ${mac(6)} dev wire nud permanent`);
    await this.#namespace.send("peer", frames);
  }

  /** Frames of the kernel, until there are enough of them or it says no more. */
  async says(enough: (frames: readonly Buffer[]) => boolean): Promise<Buffer[]> {
    const frames: Buffer[] = [];
    while (!enough(frames)) {
      const [frame] = await this.#namespace.take("peer", 1, WAIT);
      if (frame === undefined) break;
      if (this.#isOurs(frame)) frames.push(frame);
    }
    return frames;
  }
}
