// `egwsim explain`: its options; the parts that answer are imported when it really runs.
import { Option, type Command } from "commander";
import { EXIT_FINDINGS, EXIT_NOTHING } from "./exit-code.ts";
import type { SetExitCode } from "./replay-command.ts";
import type { Terminal } from "./terminal.ts";

export function addExplainCommand(program: Command, terminal: Terminal, setExitCode: SetExitCode): void {
  const command = program
    .command("explain")
    .summary("send one packet of a pod, and its answer, through the datapath and say why it went where")
    .description("Sends one synthetic packet of a pod, and the answer to it, through the same simulated datapath as replay, and says hook by hook what decided: entries, policies with file and line, translation, verdict. Where the gateway is not used, every condition that fails is named, with what would change it.")
    .usage("--from NAMESPACE/POD[:PORT] --to IP[:PORT][/tcp|udp|icmp] --cluster PATH... [options]")
    .requiredOption("--from <pod>", "the sending pod, NAMESPACE/POD, with a source port if it matters")
    .requiredOption("--to <address>", "IP, IP:PORT or IP:PORT/PROTOCOL (tcp with a port, icmp echo without); an IPv6 address with a port in brackets")
    .requiredOption("--cluster <path...>", "manifests: files or folders of YAML or JSON")
    .addOption(new Option("-o, --output <format>", "text or json").choices(["text", "json"]).default("text"))
    .addOption(new Option("--semantics <which>", "cilium-1.19 or intent").choices(["cilium-1.19", "intent"]).default("cilium-1.19"))
    .addHelpText("after", "\nExit code 0: the packet left through the gateway. 1: it did not, or was dropped. 2 and 3 as for replay.");
  command.action(async (options: { from: string; to: string; cluster: string[]; output: string; semantics: "cilium-1.19" | "intent" }) => {
    const { runExplain } = await import("./explain-run.ts");
    const answer = await runExplain(options);
    for (const line of answer.findings) terminal.err(`${line}\n`);
    terminal.out(options.output === "json" ? `${JSON.stringify(answer.explanation, null, 2)}\n` : answer.text);
    setExitCode(answer.explanation.throughGateway && answer.explanation.request.drop === null ? EXIT_NOTHING : EXIT_FINDINGS);
  });
}
