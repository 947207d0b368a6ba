// npm run lab: builds the laboratory, starts egwsim for both nodes, takes the tour, and takes everything down again, also after a
// failure. Exit code 0: everything was as it should be; 1: something was not; 2: it cannot run here.
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ends, LabNetwork, labIsMissing, says, takeDownOnSignals } from "./network.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const program = [process.execPath, resolve(root, "dist/bin/main.js"), "tap", "--cluster", resolve(root, "fixtures/lab")];
/** Answers with its client's address. */
const WEB_SERVER = 'require("node:http").createServer((question, answer) => answer.end(question.socket.remoteAddress.replace("::ffff:", "") + "\\n")).listen(80, "::", () => console.log("listening"));';
const EGRESS_A = "192.0.2.101", EGRESS_B = "192.0.2.102", EGRESS_6 = "2001:db8:2::101", WORKER = "192.0.2.11";

const show = (text) => console.log(text);
let wrong = 0;

/** One stop: what is asked, what came, and whether it is what should come. */
function stop(title, command, came, wanted) {
  const isRight = came === wanted;
  if (!isRight) wrong++;
  show(`${isRight ? "ok  " : "FAIL"}  ${title}\n        ${command}\n        ${came}${isRight ? "" : `   (should be: ${wanted})`}`);
}

async function tour(lab) {
  const web = lab.start("outside", [process.execPath, "-e"], WEB_SERVER);
  await says(web, "listening");
  const worker = lab.start("node", [...program, "--role", "source", "--pods", "tap:egw-pods", "--outside", "packet:eth1", "--format", "json"]);
  const gateway = lab.start("gateway", [...program, "--role", "gateway", "--outside", "packet:eth1", "--format", "json"]);
  await Promise.all([says(worker, "ready"), says(gateway, "ready")]);
  lab.run("node", "ip link set egw-pods master br-pods");
  // A ping is answered once both stand in for their nodes.
  lab.waitFor("pod-a", "ping -c 1 -W 1 203.0.113.10");

  const curl = (pod, address) => {
    const words = `curl -s -m 2 http://${address}/`, { status, stdout } = lab.try(pod, words);
    return { command: `${pod}: ${words}`, came: status === 0 ? `the server saw ${stdout.trim()}` : `curl ended with ${status} (timeout)` };
  };
  const visit = (title, pod, address, wanted) => {
    const { command, came } = curl(pod, address);
    stop(title, command, came, wanted);
  };
  visit("policy A: through the gateway, with A's egress IP", "pod-a", "203.0.113.10", `the server saw ${EGRESS_A}`);
  visit("policy B: the same server sees B's", "pod-b", "203.0.113.10", `the server saw ${EGRESS_B}`);
  visit("excludedCIDRs of policy A: leaves its own node, with the node's address", "pod-a", "203.0.113.20", `the server saw ${WORKER}`);
  visit("policy-ipv6: IPv6 over the same tunnel, with the gateway's IPv6 address", "pod-a", "[2001:db8:113::10]", `the server saw ${EGRESS_6}`);
  visit("a policy that no node is a gateway of: dropped", "pod-b", "198.51.100.10", "curl ended with 28 (timeout)");

  const [ofWorker, ofGateway] = (await Promise.all([ends(worker), ends(gateway)])).map(({ stdout, stderr }) => {
    if (stdout === "") throw new Error(`egwsim gave no report: ${stderr}`);
    return JSON.parse(stdout);
  });
  const [drop] = ofWorker.drops;
  stop("the worker's report names that drop", "report.json: drops", drop === undefined ? "none" : `${drop.code} ${drop.text}, ${drop.policy}`, "194 No egress gateway found, policy-without-gateway");
  stop("the gateway's report counts the three policies", "report.json: policyUse", ofGateway.policyUse.map(({ policy, egressIp }) => `${policy} ${egressIp}`).sort().join(", "), `policy-a ${EGRESS_A}, policy-b ${EGRESS_B}, policy-ipv6 ${EGRESS_6}`);
  for (const [name, { conservation, outcomes, live }] of [["worker", ofWorker], ["gateway", ofGateway]]) {
    const { received, forwarded, delivered, passed, dropped, ignored } = outcomes, lost = Object.values(live.lost).reduce((sum, count) => sum + count, 0);
    stop(`every packet of the ${name} is accounted for`, `${received.packets} in = ${[forwarded, delivered, passed, dropped, ignored].map(({ packets }) => packets).join(" + ")}`,
      `${conservation.holds ? "adds up" : conservation.broken.join("; ")}, ${lost} lost on the wires`, "adds up, 0 lost on the wires");
  }
}

const missing = labIsMissing();
if (missing !== "") {
  console.error(`lab: ${missing}`);
  process.exit(2);
}
const lab = new LabNetwork();
takeDownOnSignals();
try {
  lab.build();
  show("namespaces pod-a, pod-b, node, gateway, outside are up; egwsim stands in for worker (in node) and gateway\n");
  await tour(lab);
  show(wrong === 0 ? "\neverything as it should be" : `\n${wrong} not as it should be`);
} catch (error) {
  wrong++;
  console.error(`lab: ${error instanceof Error ? error.message : error}`);
} finally {
  lab.takeDown();
  show("taken down");
}
process.exitCode = wrong === 0 ? 0 : 1;
