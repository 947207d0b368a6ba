// The built program as a shell sees it; the build comes first (npm test does that).
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("../../dist/bin/main.js", import.meta.url));
const INTERRUPT = new URL("../../dist/cli/interrupt.js", import.meta.url).href;
const TERMINAL = new URL("../../dist/cli/terminal.js", import.meta.url).href;
const unbuilt = !existsSync(MAIN);
const whenBuilt = test.skipIf(unbuilt);

const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}): ReturnType<typeof spawnSync> & { stdout: string; stderr: string } =>
  spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8", env: { ...process.env, ...env } });

whenBuilt("version, help and usage errors end with their exit codes (skipped: not built)", () => {
  expect(run(["--version"])).toMatchObject({ status: 0, stderr: "" });
  expect(run(["--help"])).toMatchObject({ status: 0, stderr: "" });
  const usage = run(["replay", "a.pcap", "--workers", "many", "--cluster", "."]);
  expect([usage.status, usage.stdout]).toEqual([2, ""]);
  expect(usage.stderr).toContain('--workers: "many" is not a whole number from 1 to 16');
  expect(run(["replay", "a.pcap", "--cluster", "."], { EGWSIM_WORKERS: "0" }).stderr).toContain('EGWSIM_WORKERS: "0" is not');
});

whenBuilt("a capture and manifests that are missing are told in one go (skipped: not built)", () => {
  const { status, stderr } = run(["replay", "no-such.pcap", "--cluster", "no-such-folder"]);
  expect(status).toBe(2);
  expect(stderr).toContain("no-such.pcap: ");
  expect(stderr).toContain("no-such-folder: ");
  expect(stderr).not.toContain("internal fault");
});

whenBuilt("a reader that closes the pipe is no error (skipped: not built)", async () => {
  const child = spawn(process.execPath, [MAIN, "replay", "--help"], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  let stderr = "";
  child.stderr.on("data", (chunk) => void (stderr += String(chunk)));
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

// Another program of Node's on the same pipe makes it one that does not wait: when it is full it answers EAGAIN.
test.skipIf(unbuilt || process.platform === "win32")("a full pipe that does not wait gets all of the text in the end (skipped: not built, or no sh)", async () => {
  const length = 3_000_000;
  const other = 'process.stdout.write(""); setTimeout(() => {}, 3000)';
  const writer = `import("${TERMINAL}").then(({ processTerminal }) => processTerminal().out("x".repeat(${length})))`;
  const script = '"$0" -e "$1" & other=$!; sleep 0.7; "$0" -e "$2"; status=$?; kill $other; exit $status';
  const child = spawn("sh", ["-c", script, process.execPath, other, writer], { stdio: ["ignore", "pipe", "pipe"] });
  let read = 0, stderr = "";
  child.stderr.on("data", (chunk) => void (stderr += String(chunk)));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  child.stdout.on("data", (chunk: Buffer) => void (read += chunk.length));
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect({ code, read, stderr }).toEqual({ code: 0, read: length, stderr: "" });
});

whenBuilt("a second signal ends the process as the signal would have (skipped: not built)", async () => {
  const script = `import(${JSON.stringify(INTERRUPT)}).then(({ listenForInterrupt }) => { listenForInterrupt((text) => process.stderr.write(text)); setInterval(() => {}, 1000); process.stdout.write("ready"); });`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.once("data", () => child.kill("SIGINT"));
  child.stderr.once("data", () => child.kill("SIGINT"));
  expect(await new Promise((resolve) => child.on("close", (_code, signal) => resolve(signal)))).toBe("SIGINT");
});
