/** The part of pcap-parser 0.2.1 that the tests use; the package brings no types. */
declare module "pcap-parser" {
  import type { Readable } from "node:stream";

  interface Packet {
    readonly header: {
      readonly timestampSeconds: number;
      readonly timestampMicroseconds: number;
      readonly capturedLength: number;
      readonly originalLength: number;
    };
    readonly data: Uint8Array;
  }

  interface Parser {
    on(event: "packet", listener: (packet: Packet) => void): this;
    on(event: "end", listener: () => void): this;
    on(event: "error", listener: (error: Error) => void): this;
  }

  export function parse(input: string | Readable): Parser;
}
