// The options of `egwsim replay`: what commander parses, what the defaults file may hold, and what --help says are one list.

export interface OptionSpec {
  /** Long name without dashes; also the key in the defaults file. */
  readonly name: string;
  readonly flags: string;
  readonly kind: "flag" | "text" | "list";
  readonly group: "Input:" | "Output:" | "Model:" | "Engine:" | "Defaults:";
  readonly help: string;
  /** Environment variable that gives it. */
  readonly env?: string;
  /** Names files or folders, which a defaults file gives relative to itself. */
  readonly isPath?: boolean;
  /** Not in the defaults file. */
  readonly commandLineOnly?: boolean;
  readonly choices?: readonly string[];
}

/** Of `replay` and of `tap`. */
export const MAX_WORKERS = 16;
export const DEFAULT_TRACE_PACKETS = 10_000;
export const DEFAULT_MAX_FLOWS = 1_000_000;
export const DEFAULT_SEED = 1;
export const DEFAULT_STATE_ENTRIES = 100_000;
export const OUTPUT_KINDS = ["pod", "overlay", "external", "trace", "flows", "state"] as const;
export const CONFIG_FILE = "egwsim.config.yaml";

export const REPLAY_OPTIONS: readonly OptionSpec[] = [
  {
    name: "cluster", flags: "-c, --cluster <path...>", kind: "list", group: "Input:", isPath: true,
    help: "files or folders of manifests, YAML or JSON, also what kubectl get -o yaml prints",
  },
  {
    name: "capture-point", flags: "--capture-point <point[=file]>", kind: "list", group: "Input:",
    help: "where the captures were taken: pod (replies as the pod sees them) or node (replies as the outside sent them); node=FILE for one of them; may be repeated (default: pod)",
  },
  {
    name: "capture-interface", flags: "--capture-interface <name>", kind: "text", group: "Input:",
    help: "take only packets of this interface of a pcapng capture",
  },
  {
    name: "assume-opener", flags: "--assume-opener <side>", kind: "text", group: "Input:", choices: ["pod", "outside"],
    help: "who opened a connection whose beginning the capture does not show: pod, outside (default: pod)",
  },
  {
    name: "semantics", flags: "--semantics <name>", kind: "text", group: "Model:", choices: ["cilium-1.19", "intent"],
    help: "cilium-1.19: what the real one does, surprises included; intent: what the manifests ask for (default: cilium-1.19)",
  },
  {
    name: "out", flags: "-o, --out <dir>", kind: "text", group: "Output:", isPath: true,
    help: "folder for captures per hop, flows.jsonl, state.jsonl and report.json; without it nothing is written",
  },
  { name: "force", flags: "--force", kind: "flag", group: "Output:", help: "write into a folder that is not empty; only egwsim's own files are replaced" },
  {
    name: "write", flags: "--write <list>", kind: "list", group: "Output:", choices: [...OUTPUT_KINDS, "none"],
    help: `what to write beside report.json: ${OUTPUT_KINDS.join(",")} or none (default: all)`,
  },
  { name: "trace-packets", flags: "--trace-packets <n|all>", kind: "text", group: "Output:", help: `trace.pcapng holds the hops of the first N packets (default: ${DEFAULT_TRACE_PACKETS})` },
  { name: "max-flows", flags: "--max-flows <n>", kind: "text", group: "Output:", help: `flows that get a line of their own; further ones are only counted (default: ${DEFAULT_MAX_FLOWS})` },
  { name: "state-entries", flags: "--state-entries <n>", kind: "text", group: "Output:", help: `conntrack and NAT entries that state.jsonl holds; of further ones each node's map keeps its share (default: ${DEFAULT_STATE_ENTRIES})` },
  { name: "format", flags: "--format <format>", kind: "text", group: "Output:", choices: ["text", "json"], help: "report on standard output, errors on standard error: text, json (default: text)" },
  { name: "quiet", flags: "-q, --quiet", kind: "flag", group: "Output:", help: "no report on the screen and no progress; errors, files and the exit code remain (and the report of --format json)" },
  { name: "no-color", flags: "--no-color", kind: "flag", group: "Output:", help: "no colour; so does the environment variable NO_COLOR" },
  { name: "workers", flags: "--workers <n>", kind: "text", group: "Engine:", env: "EGWSIM_WORKERS", help: "1 to 16; results do not depend on it (default: one less than the CPUs, at most 4: the main thread reads and writes)" },
  { name: "kernel", flags: "--kernel <build>", kind: "text", group: "Engine:", env: "EGWSIM_KERNEL", choices: ["ts", "wasm"], help: "the datapath's build: ts, wasm (default: wasm where it was built)" },
  { name: "profile", flags: "--profile", kind: "flag", group: "Engine:", help: "write a CPU profile of every thread into the --out folder (main.cpuprofile, worker-1.cpuprofile, …)" },
  { name: "seed", flags: "--seed <n>", kind: "text", group: "Engine:", help: `seed of the SNAT port draws, 0 to 4294967295 (default: ${DEFAULT_SEED})` },
  { name: "config", flags: "--config <file>", kind: "text", group: "Defaults:", commandLineOnly: true, help: `defaults file (default: ${CONFIG_FILE} in the working folder, where there is one)` },
];

export const REPLAY_EPILOGUE = `Defaults:
  The defaults file holds long option names as keys (cluster: [./cluster]); its
  paths are relative to it. A flag wins over the environment (EGWSIM_WORKERS,
  EGWSIM_KERNEL), that over the defaults file, that over the built-in default.

Examples:
  egwsim replay monday.pcap --cluster ./cluster --out ./out
  tcpdump -i eth0 -w - | egwsim replay - --cluster ./cluster
  egwsim replay pods.pcap gw.pcapng --capture-point node=gw.pcapng --cluster ./cluster
`;
