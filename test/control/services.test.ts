import { describe, expect, it } from "vitest";
import { formatAddress, formatIpv4 } from "../../src/cluster/cidr.ts";
import { formatSourceRef } from "../../src/cluster/source.ts";
import type { CompiledControl } from "../../src/control/compile.ts";
import { loadText } from "../cluster/temporary-manifests.ts";
import { assumed, compileText, messages, node, pod, rules } from "./compiled.ts";

const NODE = node("a", "192.168.1.11");

function service(name: string, spec: string, more = ""): string {
  return `---\napiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: shop${more}}\nspec: {${spec}}\n`;
}

function slice(name: string, of: string, ports: string, endpoints: string): string {
  return `---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: ${name}, namespace: shop, labels: {kubernetes.io/service-name: ${of}}}\naddressType: IPv4\nports: [${ports}]\nendpoints: [${endpoints}]\n`;
}

function config(...options: readonly string[]): string {
  return `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config, namespace: kube-system}\ndata: {${["enable-egress-gateway: 'true'", ...options].join(", ")}}\n`;
}

/** Frontends as `service address:port/protocol -> backends`, a + behind those that only keep their connections. */
function frontends({ tables: { services } }: CompiledControl, family: 4 | 6 = 4): readonly string[] {
  const { entries, backends } = family === 4 ? services.ipv4 : services.ipv6;
  return entries.map(({ service: index, address, port, protocol, slots, affinitySeconds }) => {
    const led = slots.map((id) => {
      const backend = backends[id - 1];
      return backend === undefined ? "?" : `${formatAddress(backend.address)}:${backend.port}${backend.terminating ? "+" : ""}`;
    });
    return `${services.objects[index]?.name ?? "?"} ${formatAddress(address)}:${port}/${protocol}${affinitySeconds === 0 ? "" : ` sticky ${affinitySeconds}`} -> ${led.join(" ")}`;
  });
}

const HTTP = "{name: http, port: 8080, protocol: TCP}";

describe("services", () => {
  it("lead to the endpoints of their slices, under the port of the same name and protocol", async () => {
    const compiled = await compileText(NODE
      + service("web", "clusterIP: 10.96.0.1, ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53}]")
      + slice("web-1", "web", `${HTTP}, {name: dns, port: 5353, protocol: UDP}`, "{addresses: [10.0.1.10]}, {addresses: [203.0.113.7]}")
      + slice("web-2", "web", "{name: dns-tcp, port: 5354}, {name: http, port: 9090}", "{addresses: [10.0.1.11]}"));
    expect(frontends(compiled)).toEqual([
      "shop/web 10.96.0.1:80/6 -> 10.0.1.10:8080 10.0.1.11:9090 203.0.113.7:8080", "shop/web 10.96.0.1:53/17 -> 10.0.1.10:5353 203.0.113.7:5353",
      "shop/web 10.96.0.1:53/6 -> 10.0.1.11:5354",
    ]);
    expect(compiled.tables.services.ipv4.entries.map(({ revNat }) => revNat)).toEqual([1, 2, 3]);
  });

  it("leave out endpoints that neither are ready nor serve; terminating ones get connections only where no other is left", async () => {
    const down = "{addresses: [10.0.1.1], conditions: {ready: false, serving: false}}", going = "{addresses: [10.0.1.2], conditions: {ready: false, serving: true, terminating: true}}";
    const unready = "{addresses: [10.0.1.3], conditions: {ready: false}}", up = "{addresses: [10.0.1.4], conditions: {ready: true}}";
    const both = await compileText(NODE + service("web", "clusterIP: 10.96.0.1, ports: [{name: http, port: 80}]") + slice("s", "web", HTTP, [down, going, unready, up].join()));
    expect(frontends(both)).toEqual(["shop/web 10.96.0.1:80/6 -> 10.0.1.4:8080"]);
    const last = await compileText(NODE + service("web", "clusterIP: 10.96.0.1, ports: [{name: http, port: 80}]") + slice("s", "web", HTTP, [down, going].join()));
    expect(frontends(last)).toEqual(["shop/web 10.96.0.1:80/6 -> 10.0.1.2:8080+"]);
  });

  it("have both families in dual stack, each with its own backends", async () => {
    const compiled = await compileText(NODE + config("enable-ipv6: 'true'")
      + service("web", 'clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, "fd00:10:96::1"], ports: [{name: http, port: 80}]')
      + slice("four", "web", HTTP, "{addresses: [203.0.113.7]}") + slice("six", "web", HTTP, '{addresses: ["2001:db8::7"]}'));
    expect(frontends(compiled)).toEqual(["shop/web 10.96.0.1:80/6 -> 203.0.113.7:8080"]);
    expect(frontends(compiled, 6)).toEqual(["shop/web fd00:10:96::1:80/6 -> 2001:db8::7:8080"]);
  });

  it("take Endpoints where no slice mirrors them, and pods where there is neither", async () => {
    const endpoints = "---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: old, namespace: shop}\nsubsets: [{addresses: [{ip: 203.0.113.9}], notReadyAddresses: [{ip: 203.0.113.8}], ports: [{port: 443}]}]\n";
    const old = service("old", "clusterIP: 10.96.0.2, ports: [{port: 443}]");
    expect(frontends(await compileText(NODE + old + endpoints))).toEqual(["shop/old 10.96.0.2:443/6 -> 203.0.113.9:443"]);
    expect(frontends(await compileText(NODE + old + endpoints + slice("s", "old", "{port: 443}", "{addresses: [203.0.113.10]}")))).toEqual(["shop/old 10.96.0.2:443/6 -> 203.0.113.10:443"]);
    const derived = await compileText(NODE + pod("shop/p1", "a", "10.0.1.10", "app: web") + pod("shop/p2", "a", "10.0.1.11", "app: other")
      + service("web", "clusterIP: 10.96.0.3, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}, {name: named, port: 81, targetPort: www}]"));
    expect(frontends(derived)).toEqual(["shop/web 10.96.0.3:80/6 -> 10.0.1.10:8080", "shop/web 10.96.0.3:81/6 -> "]);
    expect(assumed(derived)).toMatchObject({ "service-backends-from-pods": 1 });
    expect(rules(derived)).toContain("service-backends-unknown");
  });

  it("keep a client with its backend for three hours unless told otherwise", async () => {
    const compiled = await compileText(NODE
      + service("a", "clusterIP: 10.96.0.1, sessionAffinity: ClientIP, ports: [{name: http, port: 80}]") + slice("s", "a", HTTP, "{addresses: [10.0.1.10]}")
      + service("b", "clusterIP: 10.96.0.2, sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}, ports: [{name: http, port: 80}]")
      + slice("t", "b", HTTP, "{addresses: [10.0.1.10]}"));
    expect(frontends(compiled)).toEqual(["shop/a 10.96.0.1:80/6 sticky 10800 -> 10.0.1.10:8080", "shop/b 10.96.0.2:80/6 sticky 60 -> 10.0.1.10:8080"]);
    // One backend, known by both.
    expect(compiled.tables.services.ipv4.backends).toHaveLength(1);
  });

  it("without an address of their own are said to be translated by nobody", async () => {
    const compiled = await compileText(NODE + service("headless", "clusterIP: None, ports: [{port: 80}]") + service("name", "type: ExternalName, externalName: example.org")
      + service("draft", "ports: [{port: 80}]") + service("mesh", "clusterIP: 10.96.0.9, ports: [{port: 80}]", ", labels: {service.kubernetes.io/service-proxy-name: other}"));
    expect(frontends(compiled)).toEqual([]);
    expect(messages(compiled, "service-not-translated").map((text) => text.replace(/^.*: /, ""))).toHaveLength(4);
    expect(messages(compiled, "service-not-translated").join()).toContain("headless");
  });

  it("without backends are found, with the port's place and why", async () => {
    const compiled = await compileText(NODE + service("gone", "clusterIP: 10.96.0.1, ports: [{name: http, port: 80}]")
      + service("down", "clusterIP: 10.96.0.2, ports: [{name: http, port: 80}]") + slice("s", "down", HTTP, "{addresses: [10.0.1.1], conditions: {ready: false}}"));
    const found = compiled.findings.filter(({ rule }) => rule === "service-without-backends");
    expect(found.map(({ message }) => message)).toEqual([
      "shop/gone port 80 (http) has no backend: no EndpointSlice names it and it has no selector",
      "shop/down port 80 (http) has no backend: none of the 1 endpoints in its EndpointSlices is ready or serves, under a port of that name and protocol",
    ]);
    expect(found.every(({ at }) => at !== null && at.line > 1)).toBe(true);
  });

  it("say which of their frontends are not modelled", async () => {
    const compiled = await compileText(NODE
      + service("lb", "type: LoadBalancer, clusterIP: 10.96.0.1, externalIPs: [198.51.100.1], internalTrafficPolicy: Local, ports: [{name: http, port: 80, nodePort: 30080}]") + slice("s", "lb", HTTP, "{addresses: [10.0.1.1]}"));
    expect(messages(compiled, "service-frontend-not-modelled")).toEqual(["shop/lb also has a node port and an external address; only its ClusterIP is modelled"]);
    expect(rules(compiled)).toContain("internal-traffic-policy-local");
    expect(frontends(compiled)).toHaveLength(1);
  });

  it("that are more than the map holds are cut off by name, and slices of no service are found", async () => {
    const full = await compileText(NODE + config("bpf-lb-map-max: '4'") + ["a", "b", "c"].map((name, k) =>
      service(name, `clusterIP: 10.96.0.${k + 1}, ports: [{name: http, port: 80}]`) + slice(name, name, HTTP, "{addresses: [10.0.1.1]}")).join("") + slice("lost", "nobody", HTTP, ""));
    expect(frontends(full)).toHaveLength(2);
    expect(messages(full, "service-map-full")).toEqual(["frontends and slots are more than the service map holds (4 entries); shop/c is the first that is left out"]);
    expect(rules(full)).toContain("slice-without-service");
  });

  it("with one address and port belong to the first by name", async () => {
    const compiled = await compileText(NODE + service("a", "clusterIP: 10.96.0.1, ports: [{port: 80}]") + service("b", "clusterIP: 10.96.0.1, ports: [{port: 80}]"));
    expect(compiled.tables.services.ipv4.entries.map(({ service: index }) => compiled.tables.services.objects[index]?.name)).toEqual(["shop/a"]);
    expect(rules(compiled)).toContain("duplicate-service-address");
  });

  it("know the places of their backends", async () => {
    const compiled = await compileText(NODE + service("web", "clusterIP: 10.96.0.1, ports: [{name: http, port: 80}]") + slice("s", "web", HTTP, "{addresses: [10.0.1.1]}"));
    const place = compiled.backendPlaces.ipv4(1);
    expect(place === null ? "" : formatSourceRef(place)).toMatch(/:\d+:\d+$/);
    expect(compiled.backendPlaces.ipv4(9)).toBeNull();
    expect(formatIpv4(compiled.tables.services.ipv4.backends[0]?.address ?? 0)).toBe("10.0.1.1");
  });
});

describe("who translates", () => {
  it.each([
    ["nothing is configured", "", "socket"],
    ["kube-proxy is replaced", config("kube-proxy-replacement: 'true'"), "socket"],
    ["kube-proxy stays", config("kube-proxy-replacement: 'false'"), "per-packet"],
    ["kube-proxy stays and sockets are asked for", config("kube-proxy-replacement: 'false'", "bpf-lb-sock: 'true'"), "socket"],
    ["sockets are translated in the host's namespace only", config("kube-proxy-replacement: 'true'", "bpf-lb-sock-hostns-only: 'true'"), "per-packet"],
    ["SCTP is on", config("kube-proxy-replacement: 'true'", "enable-sctp: 'true'"), "per-packet"],
    ["Helm says so", "---\nkubeProxyReplacement: true\nsocketLB: {hostNamespaceOnly: true}\negressGateway: {enabled: true}\n", "per-packet"],
  ])("where %s", async (_, text, translation) => {
    expect((await compileText(NODE + text)).tables.services.translation).toBe(translation);
  });

  it("is not changed by socketLB.enabled while kube-proxy is replaced, which is found", async () => {
    const compiled = await compileText(NODE + config("kube-proxy-replacement: 'true'", "bpf-lb-sock: 'false'"));
    expect(compiled.tables.services.translation).toBe("socket");
    expect(rules(compiled)).toContain("socket-lb-overridden");
  });

  it("takes no notice of Maglev, and says what becomes of packets without a backend", async () => {
    const compiled = await compileText(NODE + config("bpf-lb-algorithm: maglev", "service-no-backend-response: drop"));
    expect(rules(compiled)).toContain("maglev-not-for-pods");
    expect(compiled.tables.services.withoutBackend).toBe("drop");
    expect((await compileText(NODE + config("enable-no-service-endpoints-routable: 'false'"))).tables.services.withoutBackend).toBe("stack");
    expect((await compileText(NODE)).tables.services.withoutBackend).toBe("reject");
  });
});

describe("faults", () => {
  it("in services and slices are told with line, column and path", async () => {
    const load = loadText(service("bad", "clusterIP: 10.96.0.999, ports: [{port: 70000}]") + slice("s", "bad", "{port: 0}", "{addresses: 5}"));
    await expect(load).rejects.toThrow(/:5:19.*spec\.clusterIP/s);
    await expect(load).rejects.toThrow(/spec\.ports\[0\]\.port/);
    await expect(load).rejects.toThrow(/endpoints\[0\]\.addresses/);
  });
});
