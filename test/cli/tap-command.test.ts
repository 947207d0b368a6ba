import { describe, expect, it, test } from "vitest";
import { readDeviceWish } from "../../src/cli/device-wish.ts";
import { statisticsText } from "../../src/cli/live-line.ts";
import { runCommandLine } from "../../src/cli/program.ts";
import type { InputProblem } from "../../src/cluster/input-error.ts";

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = "", err = "";
  const code = await runCommandLine(["tap", ...args], {
    out: (text) => { out += text; }, err: (text) => { err += text; }, outIsTerminal: false, errIsTerminal: false, columns: 80, env: {}, cwd: process.cwd(),
  });
  return { code, out, err };
}

describe("a device on the command line", () => {
  const read = (text: string): { wish: ReturnType<typeof readDeviceWish>; problems: InputProblem[] } => {
    const problems: InputProblem[] = [];
    return { wish: readDeviceWish(text, "--pods", problems), problems };
  };

  it("is a TAP with or without its properties, or an existing interface", () => {
    expect(read("egw0")).toEqual({ wish: { kind: "tap", name: "egw0", mtu: 0, mac: [], address: null, persist: false }, problems: [] });
    expect(read("tap:egw0,mtu=1450,mac=02:00:00:00:00:0f,address=10.0.0.1/24,persist").wish)
      .toEqual({ kind: "tap", name: "egw0", mtu: 1450, mac: [2, 0, 0, 0, 0, 15], address: { address: 0x0a000001, bits: 24 }, persist: true });
    expect(read("packet:eth1").wish).toMatchObject({ kind: "packet", name: "eth1" });
  });

  it.each(["", "tap:", "tap:a-name-that-is-too-long", "tap:a/b", "tap:..", "bridge:br0", "tap:a,mtu=12", "tap:a,mtu=99999", "tap:a,address=10.0.0.1", "tap:a,address=10.0.0.256/24", "tap:a,mac=02", "packet:eth0,mtu=1400"])(
    "%j is none, and it is said why", (text) => {
      expect(read(text).problems.length).toBeGreaterThan(0);
      for (const { message, cure } of read(text).problems) expect([message, cure].join("").length).toBeGreaterThan(10);
    });
});

test.each([
  [["--role", "source", "--cluster", "x"], "--pods"],
  [["--role", "gateway", "--cluster", "x"], "--outside"],
  [["--role", "both", "--cluster", "x", "--pods", "a", "--outside", "a"], "one device is named twice"],
  [["--role", "source", "--cluster", "x", "--pods", "a", "--emit", "tap"], "no device for tunnel packets"],
  [["--role", "source", "--cluster", "x", "--pods", "a", "--tunnel-device", "b"], "not used with --emit udp"],
  [["--role", "node", "--cluster", "x"], "--role"],
  [["--role", "source", "--cluster", "x", "--pods", "a", "--duration", "soon"], "--duration"],
])("%j is a usage error that says what is wrong", async (args, said) => {
  const { code, out, err } = await run(...args);
  expect(code).toBe(2);
  expect(out).toBe("");
  expect(err).toContain(said);
  expect(err).toContain("`egwsim tap --help` lists the options");
});

test("the help tells what it needs and names every exit code", async () => {
  const { code, out } = await run("--help");
  expect(code).toBe(0);
  for (const text of ["--role", "--pods", "--outside", "--emit", "--watch", "CAP_NET_ADMIN", "Exit codes:"]) expect(out).toContain(text);
});

test("the statistics line gives rates since the last one, and faults only where there are any", () => {
  const before = { seconds: 1, received: 1000, sent: 900, dropped: 0, passed: 0, lost: 0, flows: 1, conntrack: 2 };
  expect(statisticsText({ ...before, seconds: 2, received: 6000, sent: 5900 }, before)).toBe("2.0 s  in 5 k/s  out 5 k/s  1 flow  2 conntrack");
  expect(statisticsText({ ...before, dropped: 3, lost: 4 }, null)).toContain("dropped 3  lost 4");
});
