// Open vSwitch's userspace datapath on DPDK, from a capture to a capture: flows for each pod and prefix, ct(nat), VXLAN, one core
// that polls. It has a run folder, a database and a network namespace of its own, no huge pages and no device but two captures.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { formatIpv4, formatIpv4Prefix } from "../../src/cluster/cidr.ts";
import { cleanUp } from "../lib/clean-up.ts";
import { command, Namespaces, namespacesAreMissing } from "./namespaces.ts";
import { sameTranslated, secondHalf } from "./output-digest.ts";
import type { Found, Measured, PeerInput, Reference } from "./peer.ts";
import { gatewaysOf, nodesOf, type PolicyGroup, policyGroups } from "./policy-groups.ts";

const WHO = "OVS-DPDK: ct(nat), vxlan; one PMD core, once its caches are warm";
const DAEMON = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk", SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema";
const TUNNEL_PORT = 8472, NEIGHBOUR_MAC = "02:fe:00:00:00:04";
/** Nodes and gateways of a generated cluster are in one such network. */
const UNDERLAY_BITS = 16;
/** MiB of ordinary pages for DPDK's packet buffers. */
const BUFFERS = 1024;
/** Most of OVS's start: the daemon, its buffers, a thousand flows. The slowest packet taken for its work, seconds. */
const START_LIMIT = 20, SLOWEST_PACKET = 40e-6;
/** Milliseconds between its looks at the flows that it has cached: none while it is measured. */
const UNDISTURBED = 120_000;
/** So long without another packet written, and it is through: milliseconds. */
const QUIET = 600;

export function ovsDpdk(): Found {
  const missing = namespacesAreMissing();
  if (missing !== "") return { what: WHO, why: missing };
  if (!existsSync(DAEMON) || !existsSync(SCHEMA)) return { what: WHO, why: "it is not installed (Debian: openvswitch-switch-dpdk)" };
  if (!existsSync("/dev/net/tun")) return { what: WHO, why: "there is no /dev/net/tun, for its bridges" };
  return { peer: { who: WHO, startsWithin: false, measure } };
}

async function measure(input: PeerInput, folder: string, reference: Reference | null): Promise<Measured> {
  const run = join(folder, "ovs"), spaces = new Namespaces(), before = performance.now();
  mkdirSync(run);
  const ovs = new Switch(run, spaces);
  try {
    const groups = policyGroups(input.tables), output = join(run, "out.pcap");
    await ovs.start();
    await ovs.setUp(groups, output);
    const startSeconds = (performance.now() - before) / 1000;
    await ovs.feed(input, output);
    // The first half fills its caches; one core polls for as long as the second half takes.
    const { packets, seconds: late, share } = await secondHalf(output), seconds = late / share;
    if (packets === 0) throw new Error("nothing came out of it");
    const wanted = reference?.translated ?? null;
    return { seconds, cpuSeconds: seconds, startSeconds, output: wanted === null ? null : await sameTranslated(output, wanted) };
  } finally {
    await ovs.end();
    spaces.remove();
    rmSync(run, { recursive: true });
  }
}

class Switch {
  readonly #run: string;
  readonly #spaces: Namespaces;
  readonly #children: ChildProcess[] = [];
  readonly #atOnce = cleanUp(() => {
    for (const child of this.#children) child.kill("SIGKILL");
  });
  readonly #env: NodeJS.ProcessEnv;

  constructor(run: string, spaces: Namespaces) {
    this.#run = run;
    this.#spaces = spaces;
    // RUNTIME_DIRECTORY: where DPDK puts its own files.
    this.#env = { ...process.env, OVS_RUNDIR: run, OVS_LOGDIR: run, OVS_DBDIR: run, OVS_SYSCONFDIR: run, RUNTIME_DIRECTORY: run };
  }

  async start(): Promise<void> {
    const database = join(this.#run, "conf.db"), socket = join(this.#run, "db.sock"), control = join(this.#run, "switch.ctl");
    this.#spaces.add("ovs");
    command(["ovsdb-tool", "create", database, SCHEMA], "", this.#env);
    this.#spawn("ovsdb-server", database, `--remote=punix:${socket}`, `--unixctl=${join(this.#run, "db.ctl")}`, "-vconsole:off");
    await until("its database answers", START_LIMIT, () => existsSync(socket));
    this.#vsctl("--no-wait", "init");
    const lastCpu = (1 << (Math.min(availableParallelism(), 31) - 1)).toString(16);
    this.#vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true", `other_config:pmd-cpu-mask=${lastCpu}`,
      `other_config:max-revalidator=${UNDISTURBED}`, `other_config:max-idle=${UNDISTURBED}`,
      `other_config:dpdk-extra=--no-huge --legacy-mem -m ${BUFFERS} --no-pci --no-shconf --no-telemetry`);
    const daemon = this.#spawn(DAEMON, `unix:${socket}`, `--unixctl=${control}`, `--log-file=${join(this.#run, "switch.log")}`, "-vconsole:off");
    await until("it answers", START_LIMIT, () => {
      if (daemon.exitCode !== null || daemon.signalCode !== null) throw new Error(`OVS ended at its start: ${this.#lastError()}`);
      return existsSync(control);
    });
  }

  /** Everything but the input: adding that starts the work. */
  async setUp(groups: readonly PolicyGroup[], output: string): Promise<void> {
    const nothing = join(this.#run, "nothing.pcap"), file = Buffer.alloc(24);
    file.writeUInt32LE(0xa1b2c3d4);
    file.writeUInt16LE(2, 4);
    file.writeUInt16LE(4, 6);
    file.writeUInt32LE(65_535, 16);
    file.writeUInt32LE(1, 20);
    writeFileSync(nothing, file);
    for (const bridge of ["underlay", "pods"]) this.#vsctl("add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev", "fail-mode=secure");
    this.#port("underlay", "out", "type=dpdk", `options:dpdk-devargs=net_pcap0,rx_pcap=${nothing},tx_pcap=${output}`, "ofport_request=1");
    const perFlow = ["remote_ip", "local_ip", "key"].map((option) => `options:${option}=flow`);
    this.#port("pods", "tunnel", "type=vxlan", ...perFlow, `options:dst_port=${TUNNEL_PORT}`, "ofport_request=2");
    // A tunnel's source must be an address of the bridge: it has those of all nodes.
    for (const node of nodesOf(groups)) this.#spaces.run("ovs", ["ip", "address", "add", `${formatIpv4(node)}/${UNDERLAY_BITS}`, "dev", "underlay"]);
    this.#spaces.run("ovs", ["ip", "link", "set", "underlay", "up"]);
    for (const gateway of gatewaysOf(groups)) this.#appctl("tnl/neigh/set", "underlay", formatIpv4(gateway), NEIGHBOUR_MAC);
    await until("it knows the addresses and their route", START_LIMIT, () => {
      const routes = this.#appctl("ovs/route/show");
      return nodesOf(groups).every((node) => routes.includes(`${formatIpv4(node)}/32 dev underlay`)) && routes.includes(`/${UNDERLAY_BITS} dev underlay`);
    });
    this.#ofctl("underlay", "actions=output:1\n");
    this.#ofctl("pods", flowsOf(groups));
    // It begins with room for 10,000 cached flows and grows by what its looks at them tell.
    this.#appctl("upcall/set-flow-limit", "200000");
  }

  /** Adds the input and waits until everything is through. It polls a port before it knows it in full: what it takes until then is lost. */
  async feed({ capture, packets }: PeerInput, output: string): Promise<void> {
    this.#port("pods", "in", "type=dpdk", `options:dpdk-devargs=net_pcap1,rx_pcap=${capture}`, "ofport_request=1");
    let size = -1, since = performance.now();
    await until("all packets are through", START_LIMIT + packets * SLOWEST_PACKET, () => {
      const { size: now } = statSync(output);
      if (now !== size) [size, since] = [now, performance.now()];
      return performance.now() - since > QUIET && this.#received() === packets;
    });
  }

  #received(): number {
    return Number(/packets received: (\d+)/.exec(this.#appctl("dpif-netdev/pmd-stats-show"))?.[1]);
  }

  /** Ends what was started, by its process. */
  async end(): Promise<void> {
    for (const child of this.#children.splice(0).reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once("exit", resolve)), patience = setTimeout(() => child.kill("SIGKILL"), 10_000);
      child.kill();
      await ended;
      clearTimeout(patience);
    }
    this.#atOnce();
  }

  #spawn(...words: string[]): ChildProcess {
    const [file = "", ...rest] = this.#spaces.within("ovs", words), child = spawn(file, rest, { env: this.#env, stdio: "ignore" });
    this.#children.push(child);
    return child;
  }

  #port(bridge: string, name: string, ...settings: string[]): void {
    this.#vsctl("add-port", bridge, name, "--", "set", "Interface", name, ...settings);
  }

  #vsctl(...words: string[]): void {
    command(["ovs-vsctl", `--db=unix:${join(this.#run, "db.sock")}`, "--timeout=30", ...words], "", this.#env);
  }

  #appctl(...words: string[]): string {
    return command(["ovs-appctl", "-t", join(this.#run, "switch.ctl"), ...words], "", this.#env);
  }

  #ofctl(bridge: string, flows: string): void {
    command(["ovs-ofctl", "add-flows", `unix:${join(this.#run, `${bridge}.mgmt`)}`, "-"], flows, this.#env);
  }

  #lastError(): string {
    const log = join(this.#run, "switch.log");
    const errors = existsSync(log) ? readFileSync(log, "utf8").split("\n").filter((line) => /\|(ERR|EMER)\|/.test(line)) : [];
    return errors.map((line) => line.split("|").at(-1)).slice(0, 3).join("; ") || "it left no reason in its log";
  }
}

/** Table 0 knows the pod, table 1 the policy's prefixes, table 2 sends into the tunnel. The tunnel's far end is set there and not
 * before: after conntrack OVS refuses to send to where a packet's tunnel already leads. Two nodes lower the TTL. */
function flowsOf(groups: readonly PolicyGroup[]): string {
  const flows = ["table=0,priority=0,actions=drop", "table=2,ip,actions=move:NXM_NX_REG1[]->NXM_NX_TUN_IPV4_DST[],dec_ttl,dec_ttl,output:2"];
  for (const { number, vni, egressIp, pods, entries } of groups) {
    for (const { address, node } of pods) {
      const tunnel = `set_field:${vni}->tun_id,set_field:${formatIpv4(node)}->tun_src`;
      flows.push(`table=0,priority=1,ip,nw_src=${formatIpv4(address)},actions=set_field:${number}->reg0,${tunnel},resubmit(,1)`);
    }
    const snat = `ct(commit,zone=1,nat(src=${formatIpv4(egressIp)}),table=2)`;
    for (const { destination, gateway } of entries) {
      const match = `priority=${1 + destination.bits},ip,reg0=${number},nw_dst=${formatIpv4Prefix(destination)}`;
      flows.push(`table=1,${match},actions=set_field:${gateway}->reg1,${snat}`);
    }
  }
  return `${flows.join("\n")}\n`;
}

async function until(what: string, limit: number, isSo: () => boolean): Promise<void> {
  for (const start = performance.now(); !isSo(); await sleep(50))
    if (performance.now() - start > limit * 1000) throw new Error(`waited ${Math.round(limit)} s until ${what}`);
}
