// `egwsim tap`: its options and help; what does the work is imported when it really runs.
import { type Command, InvalidArgumentError, Option } from "commander";
import { EXIT_CODE_HELP } from "./exit-code.ts";
import { DEFAULT_MAX_FLOWS, DEFAULT_SEED, DEFAULT_TRACE_PACKETS, MAX_WORKERS, OUTPUT_KINDS } from "./option-list.ts";
import type { SetExitCode } from "./replay-command.ts";
import type { TapWords } from "./tap-settings.ts";
import type { Terminal } from "./terminal.ts";

const EPILOGUE = `Devices are tap:NAME (made where it is missing; NAME alone means the same) or
packet:NAME (an existing interface, by AF_PACKET). A TAP takes properties:
tap:egw-pods,mtu=1450,mac=02:00:00:00:00:01,address=10.0.0.1/24,persist

It needs Linux, and root (or CAP_NET_ADMIN and CAP_NET_RAW) to open devices; then it
goes on as --user, else the caller of sudo, else nobody. SIGINT and SIGTERM end it with
the report.

Examples:
  sudo egwsim tap --role source --pods tap:egw-pods --outside packet:eth1 --cluster ./cluster
  sudo egwsim tap --role gateway --node gw-1 --outside tap:egw-out --cluster ./cluster
  sudo egwsim tap --role both --pods tap:egw-pods --outside tap:egw-out --cluster ./cluster
`;

function wholeNumber(least: number, most: number) {
  return (text: string): number => {
    const number = /^\d{1,12}$/.test(text) ? Number(text) : NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`A whole number from ${least} to ${most} is wanted.`);
  };
}

export function addTapCommand(program: Command, terminal: Terminal, setExitCode: SetExitCode): void {
  const command = program
    .command("tap")
    .summary("stand in for nodes with live traffic: frames in and out by TAP devices, interfaces and the tunnel's port (Linux)")
    .description("Stands in for nodes of the model with live traffic, through the same datapath as replay: pods' frames come in by a device, encapsulated packets go to real gateways or come from real nodes, translated packets leave by a device, replies come back. ARP and neighbour discovery are answered for what it stands in for.")
    .usage("--role ROLE --cluster PATH... [--pods DEVICE] [--outside DEVICE] [options]");
  const add = (group: string, ...options: Option[]): void => {
    for (const option of options) command.addOption(option.helpGroup(group));
  };
  add("Model:",
    new Option("--role <role>", "source: nodes that are no gateway; gateway: those that are; both: the whole cluster").choices(["source", "gateway", "both"]).makeOptionMandatory(),
    new Option("-c, --cluster <path...>", "files or folders of manifests, as for replay").makeOptionMandatory(),
    new Option("--node <name...>", "stand in for these nodes, whatever the role"),
    new Option("--semantics <name>", "cilium-1.19 or intent").choices(["cilium-1.19", "intent"]).default("cilium-1.19"));
  add("Reload:",
    new Option("--watch", "take over manifests when they change; SIGHUP does so at any time. A bad one leaves those in force"),
    new Option("--reconcile-delay <seconds>", "between a change and its taking effect: the agent's lag").argParser(wholeNumber(0, 86_400)).default(0));
  add("Devices:",
    new Option("--pods <device>", "where the pods are (roles source and both)"),
    new Option("--outside <device>", "where the world is: what leaves a node's device (roles gateway and both; for source, what keeps off the gateways)"),
    new Option("--emit <how>", "encapsulated packets: udp (sockets on the nodes' addresses), raw (raw-socket, outer header as the datapath makes it), tap (frames of --tunnel-device, else of --outside)").choices(["udp", "raw", "tap"]).default("udp"),
    new Option("--tunnel-device <device>", "with --emit tap: a device of its own for the tunnel"),
    new Option("--user <name>", "who goes on when the devices are open (default: the caller of sudo, else nobody)"));
  add("Output:",
    new Option("-o, --out <dir>", "folder for captures per hop, flows.jsonl and report.json; without it nothing is written"),
    new Option("--force", "write into a folder that is not empty; only egwsim's own files are replaced"),
    new Option("--write <list>", `what to write beside report.json: ${OUTPUT_KINDS.join(",")} or none (default: all)`),
    new Option("--trace-packets <n>", "trace.pcapng holds the hops of the first N packets").argParser(wholeNumber(0, 1e12)).default(DEFAULT_TRACE_PACKETS),
    new Option("--max-flows <n>", "flows that get a line of their own").argParser(wholeNumber(0, 100_000_000)).default(DEFAULT_MAX_FLOWS),
    new Option("--format <format>", "report on standard output: text, json").choices(["text", "json"]).default("text"),
    new Option("-q, --quiet", "no report on the screen and no statistics"),
    new Option("--no-color", "no colour; so does the environment variable NO_COLOR"));
  add("Engine:",
    new Option("--duration <seconds>", "end by itself after so long").argParser(wholeNumber(1, 1e9)),
    new Option("--workers <n>", "1 to 16, each with a queue of every device and a socket of the tunnel's port; flows and counters do not depend on it").argParser(wholeNumber(1, MAX_WORKERS)).default(1),
    new Option("--kernel <build>", "the datapath's build (default: wasm where it was built)").choices(["ts", "wasm"]),
    new Option("--seed <n>", "seed of the SNAT port draws").argParser(wholeNumber(0, 0xffffffff)).default(DEFAULT_SEED));
  command.addHelpText("after", `\n${EPILOGUE}\n${EXIT_CODE_HELP}`);
  command.action(async (words: TapWords) => {
    const [{ readTapSettings }, { runTapCommand }, { listenForInterrupt }] = await Promise.all([import("./tap-settings.ts"), import("./tap-run.ts"), import("./interrupt.ts")]);
    const settings = readTapSettings(words), interrupt = listenForInterrupt(terminal.err);
    try {
      setExitCode(await runTapCommand(settings, terminal, interrupt));
    } finally {
      interrupt.release();
    }
  });
}
