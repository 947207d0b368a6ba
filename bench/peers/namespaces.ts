// Network namespaces of one peer: what stands and runs in them touches nothing of the host but their names.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cleanUp } from "../lib/clean-up.ts";

/** Milliseconds that a single command may take. */
const COMMAND_LIMIT = 60_000;

/** Why there can be none; "" where there can. */
export function namespacesAreMissing(): string {
  if (process.platform !== "linux") return "it needs Linux";
  if (process.getuid?.() !== 0) return "it needs root, for network namespaces of its own";
  if (spawnSync("ip", ["-V"]).error !== undefined) return "iproute2 is not installed";
  const tried = spawnSync("unshare", ["-n", "ip", "link", "add", "tried", "type", "veth", "peer", "name", "other"], { encoding: "utf8" });
  return tried.status === 0 ? "" : `the kernel makes no veth in a namespace of its own: ${tried.error?.message ?? tried.stderr.trim()}`;
}

/** Standard output; throws where the command fails or takes too long. */
export function command(words: readonly string[], input = "", env: NodeJS.ProcessEnv = process.env): string {
  const [file = "", ...rest] = words, { status, stdout, stderr, error } = spawnSync(file, rest, { encoding: "utf8", input, env, timeout: COMMAND_LIMIT });
  if (status !== 0) throw new Error(`${words.slice(0, 8).join(" ")}: ${error?.message ?? stderr.trim().slice(0, 300)}`);
  return stdout;
}

export class Namespaces {
  readonly #prefix = `egwsim-bench-${process.pid}-`;
  readonly #made: string[] = [];
  readonly #end = cleanUp(() => {
    for (const name of this.#made.splice(0)) command(["ip", "netns", "delete", this.#prefix + name]);
  });

  /** A namespace that forwards, whose devices are quiet: no router solicitations among the counters. */
  add(name: string): void {
    command(["ip", "netns", "add", this.#prefix + name]);
    this.#made.push(name);
    const settings = ["all", "default"].flatMap((each) => [[`net/ipv6/conf/${each}/disable_ipv6`, 1], [`net/ipv4/conf/${each}/rp_filter`, 0]] as const);
    for (const [file, value] of [...settings, ["net/ipv4/ip_forward", 1] as const])
      if (existsSync(`/proc/sys/${file}`)) this.run(name, ["sh", "-c", `echo ${value} > /proc/sys/${file}`]);
    this.run(name, ["ip", "link", "set", "lo", "up"]);
  }

  /** Two ends of a wire; neither asks for the other's address, both have the one given. */
  wire(one: string, device: string, other: string, otherDevice: string, mac: string): void {
    const end = (namespace: string): string[] => ["address", mac, "mtu", "9000", "netns", this.#prefix + namespace];
    command(["ip", "link", "add", device, ...end(one), "type", "veth", "peer", "name", otherDevice, ...end(other)]);
    for (const [name, its] of [[one, device], [other, otherDevice]] as const) this.run(name, ["ip", "link", "set", its, "arp", "off", "up"]);
  }

  within(name: string, words: readonly string[]): string[] {
    return ["ip", "netns", "exec", this.#prefix + name, ...words];
  }

  run(name: string, words: readonly string[], input = ""): string {
    return command(this.within(name, words), input);
  }

  /** Packets that have arrived at a device. */
  received(name: string, device: string): number {
    return Number(this.run(name, ["cat", `/sys/class/net/${device}/statistics/rx_packets`]));
  }

  remove(): void {
    this.#end();
  }
}
