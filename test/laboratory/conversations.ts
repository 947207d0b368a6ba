// What real programs say to each other through the laboratory. Servers run outside, clients in the pods.
import { type LabNetwork, says, type Started } from "../../scripts/lab/network.mjs";

export const SERVER = "203.0.113.10", SERVER6 = "2001:db8:113::10";
/** Behind a link with a smaller MTU, the smallest that IPv6 takes. */
const BEHIND_SMALL_LINK = "203.0.113.70", BEHIND_SMALL_LINK6 = "2001:db8:113:0:1::70";
export const SMALL_MTU = 1280;

/** Web server: / answers with the client's address, /BYTES with so many bytes that a seed makes. */
const WEB_SERVER = `
const { createServer } = require("node:http"), { createHash } = require("node:crypto");
const block = (k) => createHash("sha512").update(String(k)).digest().toString("hex").repeat(512);
createServer(async (question, answer) => {
  const bytes = Number(question.url.slice(1));
  if (!bytes) return answer.end(question.socket.remoteAddress.replace("::ffff:", "") + "\\n");
  answer.setHeader("content-length", bytes);
  for (let sent = 0, k = 0; sent < bytes; k++) {
    const part = block(k).slice(0, bytes - sent);
    sent += part.length;
    if (!answer.write(part)) await new Promise((resolve) => { answer.once("drain", resolve); answer.once("close", resolve); });
  }
  answer.end();
}).listen(80, "::", 2048, () => console.log("listening"));`;

/** The same bytes as /BYTES, hashed: what a client must have got. */
const EXPECTED_HASH = `
const { createHash } = require("node:crypto");
const bytes = Number(process.argv[1]), hash = createHash("sha256");
for (let sent = 0, k = 0; sent < bytes; k++) {
  const part = createHash("sha512").update(String(k)).digest().toString("hex").repeat(512).slice(0, bytes - sent);
  sent += part.length;
  hash.update(part);
}
console.log(hash.digest("hex"));`;

/** Opens argv[2] connections at once, waits until all are open, then sends a line on each and counts the echoes. */
const MANY_CLIENTS = `
const { connect } = require("node:net");
const [, address, wanted] = process.argv, count = Number(wanted), sockets = [];
let open = 0, echoed = 0, failed = 0;
const done = () => { if (echoed + failed === count) { console.log(echoed + " echoed, " + failed + " failed"); process.exit(0); } };
for (let k = 0; k < count; k++) {
  const socket = connect(7, address, () => {
    sockets.push(socket);
    if (++open === count) for (const [n, each] of sockets.entries()) each.write("line " + n + "\\n");
  });
  socket.once("data", () => { echoed++; done(); });
  socket.once("error", () => { failed++; done(); });
}
setTimeout(() => { console.log(echoed + " echoed, " + failed + " failed, " + open + " open"); process.exit(1); }, 60000).unref();`;

/** Sends a line every 50 ms and says how many have come back in order. */
const SLOW_TALK = `
const [, address, wanted] = process.argv, socket = require("node:net").connect(7, address), lines = Number(wanted);
let sent = 0, got = "";
setInterval(() => { if (sent < lines) socket.write("line " + sent++ + "\\n"); }, 50);
socket.on("data", (data) => {
  got += data;
  const back = got.split("\\n").slice(0, -1);
  if (back.some((line, k) => line !== "line " + k)) { console.log("wrong: " + got); process.exit(1); }
  console.log(back.length + " of " + lines);
  if (back.length === lines) process.exit(0);
});`;

const ECHO_SERVER = `require("node:net").createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(7, "::", 2048, () => console.log("listening"));`;

/** A datagram longer than the small link takes, don't-fragment set; then what the pod's kernel has learned. */
const LARGE_DATAGRAM = `
const socket = require("node:dgram").createSocket(process.argv[1].includes(":") ? "udp6" : "udp4");
socket.send(Buffer.alloc(1300), 9, process.argv[1], () => setTimeout(() => socket.close(), 500));`;

export async function startServers(lab: LabNetwork): Promise<void> {
  const node = (script: string): Started => lab.start("outside", [process.execPath, "-e"], script);
  await Promise.all([says(node(WEB_SERVER), "listening"), says(node(ECHO_SERVER), "listening")]);
  lab.run("outside", "ip link add small type veth peer name nowhere");
  lab.run("outside", "ip link set nowhere up");
  lab.run("outside", `ip link set small up mtu ${SMALL_MTU}`);
  lab.run("outside", "ip route add 203.0.113.64/26 dev small");
  // The router's ICMP errors come from an address of the policies' destinations: a gateway finds the pod's node for those only
  // (egress_gw_reply_needs_redirect), others it passes to its stack.
  lab.run("outside", `ip route replace 192.0.2.0/24 dev br-world src ${SERVER}`);
  lab.run("outside", "sh -c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
  lab.enableIpv6("outside", "small");
  lab.run("outside", "ip route add 2001:db8:113:0:1::/80 dev small");
  lab.run("outside", `ip route replace 2001:db8:2::/64 dev br-world metric 256 src ${SERVER6}`);
  lab.run("outside", "sh -c", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
}

function webAddress(server: string): string { return server.includes(":") ? `http://[${server}]` : `http://${server}`; }

export function seenAddress(lab: LabNetwork, pod: "pod-a" | "pod-b", server = SERVER): string {
  return lab.try(pod, `curl -s -m 10 ${webAddress(server)}/`).stdout.trim();
}

export function download(lab: LabNetwork, bytes: number, server = SERVER): { readonly hash: string; readonly expected: string } {
  const { stdout } = lab.try("pod-a", "sh -c", `curl -s -m 100 ${webAddress(server)}/${bytes} | sha256sum`);
  return { hash: stdout.split(" ")[0] ?? "", expected: lab.run("outside", `${process.execPath} -e`, EXPECTED_HASH, String(bytes)).trim() };
}

export function manyConnections(lab: LabNetwork, count: number, server = SERVER): string {
  return lab.try("pod-a", "sh -c", 'ulimit -n 4096; exec "$0" -e "$1" "$2" "$3"', process.execPath, MANY_CLIENTS, server, String(count)).stdout.trim();
}

export function talkSlowly(lab: LabNetwork, lines: number): Started {
  return lab.start("pod-a", [process.execPath, "-e", SLOW_TALK, SERVER, String(lines)]);
}

/** The path MTU that the pod's kernel holds, by family, for an address behind the small link after it sent a large datagram. */
export function learnedMtu(lab: LabNetwork, family: 4 | 6): string {
  const address = family === 4 ? BEHIND_SMALL_LINK : BEHIND_SMALL_LINK6;
  for (let k = 0; k < 2; k++) lab.try("pod-a", `${process.execPath} -e`, LARGE_DATAGRAM, address);
  return / mtu (\d+)/.exec(lab.run("pod-a", `ip route get ${address}`))?.[1] ?? "none";
}

/** Does dig get the answer of a real DNS server? */
export async function dnsAnswer(lab: LabNetwork, address = SERVER): Promise<string> {
  const server = lab.start("outside", ["dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--listen-address", address, "--bind-interfaces", "--address=/egress.example/192.0.2.77"]);
  try {
    await says(server, "started");
    return lab.try("pod-a", `dig +short +tries=3 +time=2 @${address} egress.example`).stdout.trim();
  } finally {
    server.kill("SIGTERM");
  }
}

/** Megabits per second that iperf3 reports for two seconds of TCP. */
export async function iperfRate(lab: LabNetwork, address = SERVER): Promise<number> {
  const server = lab.start("outside", ["iperf3", "-s", "-1", "-B", address, "--forceflush"]);
  await says(server, "listening");
  const report = JSON.parse(lab.try("pod-a", `iperf3 -c ${address} -t 2 -J`).stdout) as { end?: { sum_received?: { bits_per_second: number } } };
  return (report.end?.sum_received?.bits_per_second ?? 0) / 1e6;
}
