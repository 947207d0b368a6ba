// npm run bench:live [-- --seconds N --rounds N --no-save]: frames per second and CPU per frame of the live path, with one queue of each
// device and with two, of a C loop that does the same reads and writes and nothing else, and of the kernel's own vxlan and nft, in turns
// on the laboratory's network.
// Needs what `npm run lab` needs, and a C compiler.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { LabNetwork, labIsMissing, says, takeDownOnSignals } from "../../scripts/lab/network.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const { values } = parseArgs({ options: { seconds: { type: "string", default: "2" }, rounds: { type: "string", default: "3" }, "no-save": { type: "boolean", default: false } } });
const seconds = Number(values.seconds), rounds = Number(values.rounds);
const missing = labIsMissing();
if (missing !== "") {
  console.error(`bench:live: ${missing}`);
  process.exit(2);
}
const [{ thisMachine, commitHash, cpuSlug }, { spreadOf }] = await Promise.all(["machine.js", "median.js"].map((name) => import(pathToFileURL(join(root, "dist-bench/bench/lib", name)).href)));

takeDownOnSignals();

const tools = mkdtempSync(join(tmpdir(), "egwsim-bench-"));
const compiled = (name) => {
  const path = join(tools, name);
  execFileSync("cc", ["-O2", "-D_GNU_SOURCE", "-o", path, join(root, "bench/live", `${name}.c`)]);
  return path;
};
const loop = compiled("loop"), sender = compiled("sender");
const GATEWAY = "172.31.60.21", WORKER = "172.31.60.11", PORT = 8472;
/** A group address, so that it is for whoever stands there; a vxlan device's own where the kernel routes. */
const ANYBODY = "ff:ff:ff:ff:ff:ff", VXLAN_MAC = "02:fe:c0:00:02:01";
const egwsim = (role, ...words) => [process.execPath, join(root, "dist/bin/main.js"), "tap", "--cluster", join(root, "fixtures/lab"), "--role", role, ...words];

/** Frames that arrived at a device. */
const arrived = (lab, { namespace, device, counter }) => Number(lab.run(namespace, `cat /sys/class/net/${device}/statistics/${counter}`));
const TO_WORLD = { namespace: "outside", device: "to-gateway", counter: "rx_packets" };
const TO_TAP = { namespace: "gateway", device: "egw-out", counter: "rx_packets" };
const TO_TUNNEL = { namespace: "gateway", device: "eth0", counter: "rx_packets" };

/** The TAP's other end is the kernel, which has to answer for the router there. */
const routerBehindTap = (lab) => {
  lab.run("gateway", "ip link set egw-out up");
  lab.run("gateway", "ip address add 192.0.2.1/24 dev egw-out");
};
const kernelGateway = (lab) => {
  for (const command of [
    `ip link add vxlan0 address ${VXLAN_MAC} type vxlan external dstport ${PORT} local ${GATEWAY}`, "ip link set vxlan0 up", "ip link set vxlan0 arp off",
    "ip address add 192.0.2.101/24 dev eth1", "ip route add default via 192.0.2.1", `ip route add 10.244.1.0/24 encap ip id 2 dst ${WORKER} dev vxlan0`,
    "nft add table ip egress", "nft add chain ip egress out { type nat hook postrouting priority 100 ; }", "nft add rule ip egress out ip saddr 10.244.1.10 snat to 192.0.2.101",
  ]) lab.run("gateway", command);
  lab.run("gateway", "sh -c", "echo 1 > /proc/sys/net/ipv4/ip_forward; for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done");
};

const out = { from: "node", into: `udp:${GATEWAY}`, mac: ANYBODY };
const toWorld = { way: "tunnel to world: UDP batches to AF_PACKET", at: "gateway", ...out, sink: TO_WORLD };
const WAYS = [
  { ...toWorld, words: ["gateway", "--outside", "packet:eth1"], plain: [`udp:${GATEWAY}:${PORT}`, "packet:eth1"] },
  {
    way: "tunnel to world: UDP batches to TAP", at: "gateway", after: routerBehindTap, ...out, sink: TO_TAP,
    words: ["gateway", "--outside", "tap:egw-out"], plain: [`udp:${GATEWAY}:${PORT}`, "tap:egw-out"],
  },
  {
    way: "pods to tunnel: TAP to UDP batches", at: "node", from: "node", into: "packet:egw-pods", mac: ANYBODY, sink: TO_TUNNEL,
    words: ["source", "--pods", "tap:egw-pods"], plain: ["tap:egw-pods", `udp:${WORKER}:${PORT}:${GATEWAY}`],
  },
  {
    way: "pods to tunnel: AF_PACKET to UDP batches", at: "node", from: "pod-a", into: "packet:eth0", mac: ANYBODY, sink: TO_TUNNEL,
    words: ["source", "--pods", "packet:to-pod-a"], plain: ["packet:to-pod-a", `udp:${WORKER}:${PORT}:${GATEWAY}`],
  },
];
const CASES = [
  ...WAYS.flatMap(({ words, plain, ...each }) => [
    { ...each, who: "egwsim", words: egwsim(...words) }, { ...each, who: "egwsim, two queues", words: egwsim(...words, "--workers", "2") }, { ...each, who: "C loop", words: [loop, ...plain] },
  ]),
  { ...toWorld, who: "kernel's vxlan and nft", at: null, prepare: kernelGateway, mac: VXLAN_MAC },
];

/** Seconds of CPU that a process has taken, in user and kernel mode (proc(5), fields 14 and 15). */
function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
}

async function measure(each, size) {
  const lab = new LabNetwork();
  try {
    lab.build();
    // The pods' side by itself, so that nothing is flooded past what is measured.
    lab.run("node", "ip link set to-pod-a nomaster");
    lab.run("outside", "nft add table inet quiet");
    lab.run("outside", "nft add chain inet quiet in { type filter hook input priority 0 ; }");
    lab.run("outside", "nft add rule inet quiet in udp dport 9 drop");
    each.prepare?.(lab);
    const child = each.at === null ? null : lab.start(each.at, each.words);
    if (child !== null) await says(child, "ready");
    each.after?.(lab);
    // What arrived goes no further: the C loop's frames, changed by nobody, would take another way from there than egwsim's, on its time.
    const { namespace, device } = each.sink;
    for (const command of ["add table netdev sink", `add chain netdev sink arrived { type filter hook ingress device ${device} priority 0 ; }`, "add rule netdev sink arrived udp dport { 9, 8472 } drop"])
      lab.run(namespace, `nft ${command}`);
    const offer = (time) => Number(lab.run(each.from, [sender, time, size, each.into, each.mac].join(" ")));
    offer(1);
    const before = arrived(lab, each.sink), cpuBefore = child === null ? 0 : cpuOf(child.pid), offered = offer(seconds);
    const frames = arrived(lab, each.sink) - before, cpu = child === null ? null : cpuOf(child.pid) - cpuBefore;
    return { offered: offered / seconds, framesPerSecond: frames / seconds, cpuNanoseconds: cpu === null || frames === 0 ? null : (cpu / frames) * 1e9 };
  } finally {
    lab.takeDown();
  }
}

const figures = [];
for (const size of [64, 1400]) {
  const samples = CASES.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [k, each] of CASES.entries()) {
      samples[k].push(await measure(each, size));
      process.stderr.write(`${size} bytes, ${each.way}, ${each.who}: ${Math.round(samples[k].at(-1).framesPerSecond)} frames/s\n`);
    }
  }
  for (const [k, { way, who }] of CASES.entries()) {
    const mine = samples[k];
    figures.push({
      way, who, size, rounds, seconds, framesPerSecond: spreadOf(mine.map(({ framesPerSecond }) => framesPerSecond)),
      cpuNanoseconds: mine.every(({ cpuNanoseconds }) => cpuNanoseconds !== null) ? spreadOf(mine.map(({ cpuNanoseconds }) => cpuNanoseconds)) : null,
    });
  }
}
rmSync(tools, { recursive: true, force: true });

const machine = thisMachine(), results = { format: "egwsim-bench-live/1", date: new Date().toISOString().slice(0, 10), commit: commitHash(), machine, figures };
const text = ({ median, min, max }, show) => `${show(median)} (${show(min)}–${show(max)})`;
const thousands = (value) => (value / 1000).toFixed(0), whole = (value) => value.toFixed(0);
const lines = figures.map((each) => {
  const plain = figures.find(({ way, who, size }) => way === each.way && size === each.size && who === "C loop");
  const ratio = each.who.startsWith("egwsim") && plain?.cpuNanoseconds ? (each.cpuNanoseconds.median / plain.cpuNanoseconds.median).toFixed(2) : "";
  return `| ${each.way} | ${each.who} | ${each.size} | ${text(each.framesPerSecond, thousands)} | ${each.cpuNanoseconds === null ? "in the sender's" : text(each.cpuNanoseconds, whole)} | ${ratio} |`;
});
process.stdout.write(`${machine.cpu}, ${machine.cpus} CPUs, ${machine.system}; Node.js ${machine.node}; commit ${results.commit}; ${results.date}. Median (min–max) of ${rounds} interleaved rounds of ${seconds} s.\n\n` +
  `| way | who | bytes | thousand frames/s | CPU ns/frame | times the C loop |\n| --- | --- | ---: | ---: | ---: | ---: |\n${lines.join("\n")}\n`);
if (!values["no-save"]) {
  const folder = join(root, "bench/results/live"), name = `${results.date}-${cpuSlug(machine.cpu)}-node${machine.node.slice(1)}.json`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), `${JSON.stringify(results, null, 1)}\n`);
  process.stderr.write(`bench/results/live/${name}\n`);
}
