// Tunnel packets by raw-socket, outer IPv4 header and UDP source port included as the datapath made them. The package runs on the
// main thread only, and takes one packet a system call: 2.5 µs each, or 34 µs with 100,000 queued, so that few are.
import { createRequire } from "node:module";
import { formatIpv4 } from "../cluster/address-text.ts";
import { InputError } from "../cluster/input-error.ts";

/** Packets handed over and not sent yet; beyond them packets are lost, as in a network card's queue. */
const WINDOW = 64;
const IP_DST = 16;
const IPPROTO_RAW = 255;

interface RawSocket {
  setOption(level: number, option: number, value: number): void;
  send(buffer: Buffer, offset: number, length: number, address: string, before: null, after: (error: Error | null) => void): void;
  on(event: "error", listener: (error: Error) => void): void;
  close(): void;
}

interface RawSocketModule {
  createSocket(options: { protocol: number }): RawSocket;
  readonly SocketLevel: { readonly IPPROTO_IP: number };
  readonly SocketOption: { readonly IP_HDRINCL: number };
}

export class RawEmitter {
  sent = 0;
  bytes = 0;
  /** Not sent: the window was full; the kernel refused. */
  full = 0;
  refused = 0;
  readonly #socket: RawSocket;
  #waiting: Buffer[] = [];
  #underWay = 0;

  /** Needs CAP_NET_RAW. Throws InputError where the package is not there or not permitted. */
  constructor() {
    this.#socket = openRawSocket();
    this.#socket.on("error", () => {
      this.refused++;
    });
  }

  /** Takes packets, each behind its length in four bytes. */
  emit(packets: Uint8Array): void {
    const view = new DataView(packets.buffer, packets.byteOffset, packets.byteLength);
    for (let at = 0; at + 4 <= packets.length;) {
      const length = view.getUint32(at, true);
      if (this.#waiting.length >= WINDOW * 8) this.full++;
      else this.#waiting.push(Buffer.from(packets.buffer, packets.byteOffset + at + 4, length));
      at += 4 + length;
    }
    this.#sendMore();
  }

  #sendMore(): void {
    while (this.#underWay < WINDOW) {
      const packet = this.#waiting.shift();
      if (packet === undefined) return;
      this.#underWay++;
      this.#socket.send(packet, 0, packet.length, formatIpv4(packet.readUInt32BE(IP_DST)), null, (error) => {
        this.#underWay--;
        if (error === null) {
          this.sent++;
          this.bytes += packet.length;
        } else this.refused++;
        this.#sendMore();
      });
    }
  }

  close(): void { this.#socket.close(); }
}

function openRawSocket(): RawSocket {
  let raw: RawSocketModule;
  try {
    raw = createRequire(import.meta.url)("raw-socket") as RawSocketModule;
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new InputError([{
      at: null, subject: "--emit raw", message: `the package raw-socket is not there: ${reason}`,
      cure: "it is optional and built with node-gyp: install python3, make and a C++ compiler, then `npm install raw-socket`; --emit udp needs nothing",
    }]);
  }
  try {
    const socket = raw.createSocket({ protocol: IPPROTO_RAW });
    socket.setOption(raw.SocketLevel.IPPROTO_IP, raw.SocketOption.IP_HDRINCL, 1);
    return socket;
  } catch (error) {
    throw new InputError([{
      at: null, subject: "--emit raw", message: `no raw socket: ${error instanceof Error ? error.message : String(error)}`, cure: "CAP_NET_RAW or root is missing: run it with sudo",
    }]);
  }
}
