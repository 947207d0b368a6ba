// What goes wrong on the way, and for how long: a gateway that restarts, loss, and nothing that leaks.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LabNetwork, says } from "../../scripts/lab/network.mjs";
import { download, manyConnections, seenAddress, SERVER, SERVER6, startServers, talkSlowly } from "./conversations.ts";
import { BadWire } from "./impairment.ts";
import { egwsimGateway, egwsimSource, type LiveNode, openDescriptors, residentMemory } from "./live-nodes.ts";
import { liveIsMissing, titled } from "./skipping.ts";

const SOAK_SECONDS = Number(process.env["EGWSIM_SOAK_SECONDS"] ?? 20);
const LOST_PERCENT = 2, LATE_PERCENT = 20, SEED = 20_261_123;
const missing = liveIsMissing();

describe.skipIf(missing !== "")(titled("over time", missing), () => {
  const lab = new LabNetwork();
  let source: LiveNode, gateway: LiveNode;
  const pids = (): number[] => [source, gateway].map(({ process: { pid } }) => pid ?? 0);

  beforeAll(async () => {
    lab.build();
    await startServers(lab);
    source = await egwsimSource(lab);
    gateway = await egwsimGateway(lab);
    lab.waitFor("pod-a", `ping -c 1 -W 1 ${SERVER}`);
  });
  afterAll(() => {
    lab.takeDown();
    source.forget();
    gateway.forget();
  });

  it("a gateway that restarts in the middle of a conversation costs no line: the pod's next packet gets its port again", async () => {
    // A pod that only listens would wait: the new gateway knows nothing of the flow until the pod sends.
    const talk = talkSlowly(lab, 60);
    const done = says(talk, "60 of 60", 60);
    await says(talk, "10 of 60");
    const { report } = await gateway.end();
    expect(report.outcomes.forwarded.packets).toBeGreaterThan(10);
    gateway.forget();
    gateway = await egwsimGateway(lab);
    await done;
    expect(seenAddress(lab, "pod-a")).toBe("192.0.2.101");
  });

  const bad = `loses ${LOST_PERCENT} % and reorders ${LATE_PERCENT} %`;
  it(`${SOAK_SECONDS} s on a wire that ${bad}: every download of either family is whole, no descriptor and no memory leaks`, async () => {
    const wire = await BadWire.lay(lab, LOST_PERCENT, LATE_PERCENT, SEED);
    const round = (): void => {
      for (const server of [SERVER, SERVER6]) {
        const { hash, expected } = download(lab, 1_500_000, server);
        expect(hash).toBe(expected);
        expect(manyConnections(lab, 25, server)).toBe("25 echoed, 0 failed");
      }
      expect(seenAddress(lab, "pod-b")).toBe("192.0.2.102");
    };
    round();
    const before = pids().map((pid) => ({ descriptors: openDescriptors(pid), memory: residentMemory(pid) }));
    for (const until = Date.now() + SOAK_SECONDS * 1000; Date.now() < until;) round();
    const after = pids().map((pid) => ({ descriptors: openDescriptors(pid), memory: residentMemory(pid) }));
    const { fromGateway, fromWorld } = await wire.remove();
    for (const { received, lost, late, sent, held } of [fromGateway, fromWorld]) {
      expect(lost / received).toBeGreaterThan(LOST_PERCENT / 200);
      expect(late / received).toBeGreaterThan(LATE_PERCENT / 200);
      expect(sent + lost + held).toBe(received);
    }
    expect(after.map(({ descriptors }) => descriptors)).toEqual(before.map(({ descriptors }) => descriptors));
    // V8's heap breathes; the datapath's memory was all there from the start.
    for (const [k, { memory }] of after.entries()) expect(memory - (before[k]?.memory ?? 0)).toBeLessThan(64);
  });

  it("its counters are those of the kernel's devices", async () => {
    // What the TAP's kernel side sent is what egwsim received there, and the other way round.
    const statistic = (name: string): number => Number(lab.run("node", `cat /sys/class/net/egw-pods/statistics/${name}`));
    await new Promise((resolve) => setTimeout(resolve, 500));
    const kernel = { received: statistic("tx_packets"), sent: statistic("rx_packets") };
    const [{ report }] = await Promise.all([source.end(), gateway.end()]);
    const pods = report.live?.sides.find(({ side }) => side === "pods");
    expect({ received: pods?.received.packets, sent: pods?.sent.packets }).toEqual(kernel);
    expect(report.conservation.holds).toBe(true);
  });
});
