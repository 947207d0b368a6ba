// Prints the commands of README.md, a line each: the exit code it promises, a tab, the command. The section on installing comes
// first, the others in their order. Commands are the lines that begin with "$ " in blocks marked console; what the exit code is
// where it is not 0 stands behind the command as "# exit code N".
import { readFileSync } from "node:fs";

const sections = readFileSync(new URL("../README.md", import.meta.url), "utf8").split(/^(?=## )/m);
const isInstall = (section) => section.startsWith("## Install\n");
for (const section of [...sections.filter(isInstall), ...sections.filter((each) => !isInstall(each))]) {
  for (const [, block] of section.matchAll(/^```console\n([\s\S]*?)^```$/gm)) {
    for (const [, command, exitCode = "0"] of block.matchAll(/^\$ (.*?)(?: +# exit code (\d))?$/gm)) process.stdout.write(`${exitCode}\t${command}\n`);
  }
}
