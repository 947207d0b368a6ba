// A network namespace of a test's own, with the Linux kernel in it.
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("network_namespace.py", import.meta.url));

/** Why no namespace can be had here; "" where one can. */
export function namespaceIsMissing(): string {
  if (process.platform !== "linux") return "no Linux kernel to ask";
  if (process.getuid?.() !== 0) return "needs root";
  for (const [tool, ...words] of [["unshare", "-n", "true"], ["ip", "-V"], ["python3", "-V"], ["ethtool", "--version"]])
    if (tool !== undefined && spawnSync(tool, words).status !== 0) return `${[tool, ...words].join(" ")} fails`;
  return kernelLacks("veth", "peer", "name", "other");
}

/** Why a namespace's kernel makes no device of this type; "" where it makes one. */
export function kernelLacks(type: string, ...words: readonly string[]): string {
  const { status } = spawnSync("unshare", ["-n", "ip", "link", "add", "tried", "type", type, ...words]);
  return status === 0 ? "" : `the kernel has no ${type} device`;
}

/** IPv4 address and port. */
export type Peer = readonly [string, number];

interface Answer {
  readonly error?: string;
  readonly status?: number;
  readonly out?: string;
  readonly err?: string;
  readonly frames?: readonly string[];
  readonly peer?: Peer | null;
  readonly data?: string | null;
}

export class NetworkNamespace {
  readonly #process: ChildProcessWithoutNullStreams = spawn("unshare", ["-n", "python3", SCRIPT]);
  readonly #lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  #complaint = "";

  constructor() {
    this.#process.stderr.on("data", (chunk: Buffer) => { this.#complaint += chunk.toString(); });
  }

  async #ask(request: Readonly<Record<string, unknown>>): Promise<Answer> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(`the namespace is gone: ${this.#complaint}`);
    const answer = JSON.parse(line.value) as Answer;
    if (answer.error !== undefined) throw new Error(`${JSON.stringify(request).slice(0, 200)}: ${answer.error}`);
    return answer;
  }

  /** Runs a command in the namespace and gives what it printed; throws where it fails. */
  async run(command: string): Promise<string> {
    const { status, out = "", err = "" } = await this.#ask({ run: command.split(" ") });
    if (status !== 0) throw new Error(`${command}: ${err}`);
    return out;
  }

  /** A pair of Ethernet devices without offloads: checksums of what is sent into one are verified behind the other. */
  async pair(inside: string, outside: string): Promise<void> {
    await this.run(`ip link add ${inside} type veth peer name ${outside}`);
    for (const device of [inside, outside]) {
      await this.run(`ethtool -K ${device} rx off tx off gro off gso off tso off`);
      await this.run(`ip link set ${device} up`);
    }
  }

  /** From now on frames that the device gets are kept for take(). */
  async watch(device: string): Promise<void> { await this.#ask({ watch: device }); }

  async send(device: string, frames: readonly Uint8Array[]): Promise<void> {
    await this.#ask({ send: device, frames: frames.map((frame) => Buffer.from(frame).toString("hex")) });
  }

  /** Up to `count` frames that came in on a watched device within `seconds`. */
  async take(device: string, count: number, seconds: number): Promise<Buffer[]> {
    return ((await this.#ask({ take: device, count, seconds })).frames ?? []).map((hex) => Buffer.from(hex, "hex"));
  }

  async listen(name: string, protocol: "tcp" | "udp", address: string, port: number): Promise<void> {
    await this.#ask({ listen: protocol, name, address, port });
  }

  /** Who connected, null for nobody within `seconds`. */
  async accept(name: string, seconds: number): Promise<Peer | null> { return (await this.#ask({ accept: name, seconds })).peer ?? null; }

  /** What a socket got within `seconds`, null for nothing. */
  async receive(name: string, seconds: number): Promise<{ readonly data: Buffer; readonly peer: Peer } | null> {
    const { data, peer } = await this.#ask({ receive: name, seconds });
    return data == null || peer == null ? null : { data: Buffer.from(data, "hex"), peer };
  }

  /** Sends to the connection, or as a datagram to `peer`. */
  async answer(name: string, data: Uint8Array, peer?: Peer): Promise<void> {
    await this.#ask({ answer: name, data: Buffer.from(data).toString("hex"), peer });
  }

  /** Ends the process that holds the namespace, and with it the namespace. */
  async close(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.stdin.end();
    await ended;
  }
}
