// Manifests that change while traffic runs.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LabNetwork, says } from "../../scripts/lab/network.mjs";
import { seenAddress, SERVER, SERVER6, startServers, talkSlowly } from "./conversations.ts";
import { egwsimGateway, LiveNode, modelWith } from "./live-nodes.ts";
import { liveIsMissing, titled } from "./skipping.ts";

const missing = liveIsMissing();

describe.skipIf(missing !== "")(titled("a reload", missing), () => {
  const lab = new LabNetwork(), model = modelWith(), file = join(model.path, "cluster.yaml"), original = readFileSync(file, "utf8");
  let source: LiveNode, gateway: LiveNode;

  /** Changes the manifests; `expected`: what both nodes then say. */
  const change = async (text: string, expected: string): Promise<void> => {
    const said = Promise.all([source, gateway].map(async ({ process }) => await says(process, expected)));
    writeFileSync(file, text);
    await said;
  };

  beforeAll(async () => {
    lab.build();
    await startServers(lab);
    source = await LiveNode.start(lab, "node", ["--role", "source", "--pods", "tap:egw-pods", "--outside", "packet:eth1", "--write", "none", "--watch"], model.path);
    lab.run("node", "ip link set egw-pods master br-pods");
    gateway = await egwsimGateway(lab, ["--watch"], model.path);
    lab.waitFor("pod-a", `ping -c 1 -W 1 ${SERVER}`);
  });
  afterAll(() => {
    lab.takeDown();
    source.forget();
    gateway.forget();
    model.forget();
  });

  it("gives new connections a policy's new egress IP, and a conversation under another policy goes on", async () => {
    const talk = talkSlowly(lab, 60), done = says(talk, "60 of 60", 60);
    await says(talk, "5 of 60");
    expect(seenAddress(lab, "pod-b")).toBe("192.0.2.102");
    await change(original.replace("egressIP: 192.0.2.102", "egressIP: 192.0.2.101"), "manifests taken over: epoch 2");
    expect(seenAddress(lab, "pod-b")).toBe("192.0.2.101");
    await done;
  });

  it("takes an IPv6 policy away and gives it back: without it the pod leaves by its own node", async () => {
    const changed = original.replace("egressIP: 192.0.2.102", "egressIP: 192.0.2.101");
    expect(seenAddress(lab, "pod-a", SERVER6)).toBe("2001:db8:2::101");
    await change(changed.replace('destinationCIDRs: ["2001:db8:113::/64"]', 'destinationCIDRs: ["2001:db8:114::/64"]'), "manifests taken over: epoch 3");
    expect(seenAddress(lab, "pod-a", SERVER6)).toBe("2001:db8:2::11");
    await change(changed, "manifests taken over: epoch 4");
    expect(seenAddress(lab, "pod-a", SERVER6)).toBe("2001:db8:2::101");
  });

  it("leaves what is in force where the manifests are bad, and says what is wrong and where", async () => {
    await change(original.replace("destinationCIDRs: [203.0.113.0/24]", "destinationCIDRs: [203.0.113.0/99]"), "cluster.yaml:");
    expect(seenAddress(lab, "pod-b")).toBe("192.0.2.101");
  });

  it("does not take over what only a restart can", async () => {
    await change(original.replaceAll("172.31.60.21", "172.31.60.22"), "nodes, their addresses or devices have changed");
    expect(seenAddress(lab, "pod-b")).toBe("192.0.2.101");
  });

  it("follows SIGHUP, after the time that the agent lags behind", async () => {
    writeFileSync(file, original);
    const slow = await LiveNode.start(lab, "outside", ["--role", "both", "--node", "worker", "--pods", "tap:idle", "--outside", "tap:idle2", "--emit", "tap", "--reconcile-delay", "1"], model.path);
    const before = Date.now(), taken = says(slow.process, "manifests taken over: epoch 2");
    slow.process.kill("SIGHUP");
    await taken;
    expect(Date.now() - before).toBeGreaterThan(900);
    await slow.end();
    slow.forget();
  });

  it("keeps the counters of all epochs, by policy and egress IP", async () => {
    const [, { report }] = await Promise.all([source.end(), gateway.end()]);
    expect(report.conservation.holds).toBe(true);
    expect(report.live?.epochs).toBeGreaterThanOrEqual(2);
    expect(report.policyUse.filter(({ policy }) => policy === "policy-b").map(({ egressIp }) => egressIp).sort()).toEqual(["192.0.2.101", "192.0.2.102"]);
  });
});
