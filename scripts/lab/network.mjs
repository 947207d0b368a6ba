// The laboratory's network: five namespaces of its own, wired up by iproute2. Nothing outside them is touched but their names.
//
//   pod-a ─┐ br-pods          172.31.60.0/24           eth1
//   pod-b ─┴─ node ────── eth0 ═══ tunnel ═══ eth0 ── gateway ──┐
//               └── eth1 ──────────── 192.0.2.0/24 ─────────────┴─ outside (203.0.113.0/24, 198.51.100.0/24 behind it)
//                                     2001:db8:2::/64                      (2001:db8:113::/64 behind it)
import { spawn, spawnSync } from "node:child_process";

export const NAMESPACES = ["pod-a", "pod-b", "node", "gateway", "outside"];
export const PODS = { "pod-a": ["10.244.1.10", "fd00:244:1::10"], "pod-b": ["10.244.1.11", "fd00:244:1::11"] };
/** Where a pod sends everything: the simulated node answers for any address, of IPv6 for that of its cilium_host. */
const POD_GATEWAY = "169.254.1.1", POD_GATEWAY6 = "fd00:244:1::1";
/** What the tunnel leaves of an MTU of 1500. */
const POD_MTU = 1450;

/** Why there can be no laboratory here; "" where there can. */
export function labIsMissing() {
  if (process.platform !== "linux") return "it needs Linux";
  if (process.getuid?.() !== 0) return "it needs root: sudo npm run lab";
  for (const words of [["ip", "-V"], ["ip", "netns", "list"]])
    if (spawnSync(words[0], words.slice(1)).status !== 0) return `\`${words.join(" ")}\` fails: install iproute2`;
  const tried = spawnSync("unshare", ["-n", "sh", "-c", "ip link add tried type veth peer name other && ip link add bridged type bridge && ip tuntap add mode tap name tapped"], { encoding: "utf8" });
  return tried.status === 0 ? "" : `the kernel makes no veth, bridge or TAP in a namespace of its own: ${tried.stderr.trim()}`;
}

const standing = new Set();

/** Ends the process on SIGINT and SIGTERM, after every laboratory that stands has been taken down. */
export function takeDownOnSignals() {
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => {
    for (const lab of standing) lab.takeDown();
    process.exit(1);
  });
}

export class LabNetwork {
  /** Distinguishes laboratories on one machine. */
  #prefix = `egwsim-${process.pid}-${LabNetwork.#count++}-`;
  static #count = 0;
  #processes = new Set();

  /** Full name of a namespace. */
  name(namespace) { return this.#prefix + namespace; }

  /** Builds everything; what fails takes down what is there already. */
  build() {
    standing.add(this);
    try {
      for (const namespace of NAMESPACES) {
        command("ip", "netns", "add", this.name(namespace));
        // Quiet wires: no router solicitations among the counters.
        this.run(namespace, "sh -c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
        this.run(namespace, "ip link set lo up");
      }
      this.run("node", "ip link add br-pods type bridge");
      this.run("node", "ip link set br-pods up");
      for (const [pod, [address, address6]] of Object.entries(PODS)) this.#pod(pod, address, address6);
      this.#wire("node", "eth0", "gateway", "eth0");
      this.run("node", "ip address add 172.31.60.11/24 dev eth0");
      this.run("gateway", "ip address add 172.31.60.21/24 dev eth0");
      this.run("outside", "ip link add br-world type bridge");
      this.run("outside", "ip link set br-world up");
      for (const namespace of ["node", "gateway"]) {
        this.#wire(namespace, "eth1", "outside", `to-${namespace}`);
        this.run("outside", `ip link set to-${namespace} master br-world`);
      }
      this.run("outside", "ip address add 192.0.2.1/24 dev br-world");
      for (const address of ["203.0.113.10", "203.0.113.20", "198.51.100.10"]) this.run("outside", `ip address add ${address}/32 dev lo`);
      for (const device of ["br-world", "lo"]) this.enableIpv6("outside", device);
      for (const address of ["2001:db8:2::c000:201", "fe80::1"]) this.run("outside", `ip address add ${address}/64 dev br-world nodad`);
      for (const address of ["2001:db8:113::10", "2001:db8:113::20"]) this.run("outside", `ip address add ${address}/128 dev lo nodad`);
    } catch (error) {
      this.takeDown();
      throw error;
    }
  }

  #wire(namespace, device, other, otherDevice) {
    command("ip", "link", "add", device, "netns", this.name(namespace), "type", "veth", "peer", "name", otherDevice, "netns", this.name(other));
    this.run(namespace, `ip link set ${device} up`);
    this.run(other, `ip link set ${otherDevice} up`);
  }

  /** Lets a device have IPv6, whose address is taken without asking whether another has it, as a pod's is. */
  enableIpv6(namespace, device) {
    const settings = `/proc/sys/net/ipv6/conf/${device}`;
    this.run(namespace, "sh -c", `echo 0 > ${settings}/accept_dad; echo 0 > ${settings}/router_solicitations; echo 0 > ${settings}/disable_ipv6`);
  }

  #pod(pod, address, address6) {
    this.#wire(pod, "eth0", "node", `to-${pod}`);
    this.run("node", `ip link set to-${pod} master br-pods`);
    this.run(pod, `ip link set eth0 mtu ${POD_MTU}`);
    this.run(pod, `ip address add ${address}/32 dev eth0`);
    this.run(pod, `ip route add ${POD_GATEWAY} dev eth0 scope link`);
    this.run(pod, `ip route add default via ${POD_GATEWAY}`);
    this.enableIpv6(pod, "eth0");
    this.run(pod, `ip address add ${address6}/128 dev eth0 nodad`);
    this.run(pod, `ip route add ${POD_GATEWAY6} dev eth0`);
    this.run(pod, `ip route add default via ${POD_GATEWAY6}`);
  }

  /** Runs a command in a namespace and gives what it printed; throws where it fails. `last` is one argument, spaces and all. */
  run(namespace, words, ...last) { return command("ip", "netns", "exec", this.name(namespace), ...words.split(" "), ...last); }

  /** The same, with exit code and both outputs instead of an exception. */
  try(namespace, words, ...last) {
    const { status, stdout, stderr } = spawnSync("ip", ["netns", "exec", this.name(namespace), ...words.split(" "), ...last], { encoding: "utf8" });
    return { status, stdout, stderr };
  }

  /** Repeats a command until it succeeds. */
  waitFor(namespace, words, times = 20) {
    for (let k = 0; k < times; k++) if (this.try(namespace, words).status === 0) return;
    throw new Error(`${words} failed ${times} times`);
  }

  /** Starts a program in a namespace; takeDown() ends it where nobody did. */
  start(namespace, words, ...last) {
    const child = spawn("ip", ["netns", "exec", this.name(namespace), ...words, ...last], { stdio: ["ignore", "pipe", "pipe"] });
    this.#processes.add(child);
    child.once("exit", () => this.#processes.delete(child));
    return child;
  }

  /** Ends what runs in it and removes the namespaces, with all that is in them. May be called again. */
  takeDown() {
    for (const child of this.#processes) child.kill("SIGKILL");
    this.#processes.clear();
    for (const namespace of NAMESPACES) spawnSync("ip", ["netns", "delete", this.name(namespace)]);
    standing.delete(this);
  }
}

function command(...words) {
  const { status, stdout, stderr, error } = spawnSync(words[0], words.slice(1), { encoding: "utf8" });
  if (status !== 0) throw new Error(`${words.join(" ")}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}

/** Resolves when the program has said `text`; rejects when it ends first, or takes longer than `seconds`. */
export function says(child, text, seconds = 20) {
  return new Promise((resolve, reject) => {
    let said = "";
    const timer = setTimeout(() => reject(new Error(`no "${text}" within ${seconds} s, but: ${said}`)), seconds * 1000);
    const settle = (act) => (value) => {
      clearTimeout(timer);
      act(value);
    };
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => {
      said += chunk;
      if (said.includes(text)) settle(resolve)(said);
    });
    child.once("error", settle(reject));
    child.once("exit", (code) => settle(reject)(new Error(`ended with ${code} before it said "${text}": ${said}`)));
  });
}

/** Asks a program to end and resolves with its exit code and everything that it wrote since. */
export function ends(child, signal = "SIGTERM") {
  return new Promise((resolve) => {
    let stdout = "", stderr = "";
    child.stdout.on("data", (chunk) => { stdout += chunk; });
    child.stderr.on("data", (chunk) => { stderr += chunk; });
    // It may have ended by itself.
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve({ code: child.exitCode, stdout, stderr });
      return;
    }
    child.once("close", (code) => resolve({ code, stdout, stderr }));
    child.kill(signal);
  });
}
