// `egwsim explain`: one synthetic packet and its answer through the kernel, hop by hop, and why it went that way.
import { formatPrefix } from "../cluster/cidr.ts";
import type { DatapathTables, ServiceEntryOf } from "../control/tables.ts";
import { clusterAddresses, clusterAddresses6 } from "../engine/image/cluster-addresses.ts";
import { ENTRY_NETDEV, ENTRY_POD } from "../kernel/pipeline/layout-batch.ts";
import { TO_DEVICE, TO_ENDPOINT, TO_NEIGH, TO_NEIGH6, TO_SELF, TO_TUNNEL } from "../kernel/layout.ts";
import { OUT_DELIVERED, OUT_DROPPED, OUT_FORWARDED } from "../kernel/layout-flow.ts";
import { dropReason } from "../observe/drop-reasons.ts";
import { formatAddress, formatEnd, formatIpv4, formatProtocol } from "../observe/ip-text.ts";
import type { Address } from "../observe/run-result.ts";
import { type Condition, type ExplainedControl, gatewayConditions, ipcacheEntry, matchingEntries, policyText } from "./conditions.ts";
import { type OtherOutcomes, otherOutcomes, undetermined } from "./other-outcomes.ts";
import { isIcmp, type PacketRequest } from "./packet-request.ts";
import { policyCondition, policyFact } from "./policy-verdict.ts";
import { PROBE_TTL, probeFrame, type ProbeTuple, readTuple } from "./probe-frame.ts";
import { backendAt, backendOf, drawAtSocket, serviceChoice, type ServiceChoice, type ServiceControl, serviceEntry, serviceFacts } from "./service-choice.ts";
import type { HookStep, SingleResult, SingleRun } from "./single-run.ts";

export interface ExplainedStep {
  readonly node: string;
  readonly hook: string;
  /** What the hook decided, one fact a line. */
  readonly facts: readonly string[];
  readonly before: string;
  readonly after: string;
  readonly ttl: number;
}

/** refused: the pod hears that a service has no backend, by its socket or by an ICMP error. */
export type PathOutcome = "forwarded" | "delivered" | "passed" | "dropped" | "refused";

export interface ExplainedPath {
  readonly outcome: PathOutcome;
  readonly drop: { readonly code: number; readonly name: string; readonly text: string } | null;
  readonly steps: readonly ExplainedStep[];
}

export interface Explanation {
  readonly pod: { readonly name: string; readonly address: string; readonly identity: number; readonly node: string };
  readonly destination: string;
  readonly protocol: string;
  /** The service that the destination is an address of, null for none. */
  readonly service: ServiceChoice | null;
  readonly request: ExplainedPath;
  /** As the outside peer sees it; null when the packet never left. */
  readonly outside: { readonly source: string; readonly sourcePort: number; readonly destination: string; readonly ttl: number } | null;
  /** null where there is nothing to answer to. */
  readonly answer: ExplainedPath | null;
  readonly throughGateway: boolean;
  readonly gateway: string | null;
  readonly policy: string | null;
  readonly conditions: readonly Condition[];
  /** Entries for the destination that a longer prefix hides. */
  readonly alsoMatched: readonly string[];
  /** Where policies take the deciding entry from one another: all that may happen. */
  readonly conflicts: readonly OtherOutcomes[];
  /** What the answer depends on and the input does not say. */
  readonly undetermined: readonly string[];
}

const CT_TEXT = ["new connection", "established connection", "reply of a connection from outside", "related to a known connection"] as const;
const PATH_OUTCOMES: ReadonlyMap<number, PathOutcome> = new Map([[OUT_FORWARDED, "forwarded"], [OUT_DELIVERED, "delivered"], [OUT_DROPPED, "dropped"]]);

/** `asked` is what the pod's program sends to; behind a service that sockets translate, the packet goes to the backend. */
export function explain(control: ExplainedControl & ServiceControl, asked: PacketRequest, run: SingleRun): Explanation {
  const { tables } = control, entry = serviceEntry(control, asked), atSocket = entry !== null && tables.services.translation === "socket";
  const picked = atSocket ? serviceChoice(control, entry, drawAtSocket(entry, asked, run.seed)) : null;
  if (picked !== null && picked.backend === null) return refused(control, asked, picked);
  const sent = picked === null || entry === null ? asked : toBackend(control, entry, asked, run.seed);
  const tuple = tupleOf(sent);
  const first = run.send(probeFrame(tuple, false), ENTRY_POD, sent.node), left = first.outside === null ? null : readTuple(first.outside);
  // What decides behind the pod's program is the address that it translated to.
  const [entrance] = first.steps, translatedTo = entry === null || atSocket || entrance === undefined ? null : readTuple(entrance.frame);
  const request = translatedTo === null || translatedTo.protocol !== sent.protocol ? sent
    : { ...sent, destination: translatedTo.destination, destinationPort: translatedTo.destinationPort };
  const service = picked ?? (entry === null ? null : serviceChoice(control, entry, backendAt(control, entry, request.destination, request.destinationPort)));
  const path = explainPath(tables, request, first, tuple, service), forwarded = left !== null && path.outcome === "forwarded";
  const translated = first.steps.find((step) => step.hook === "to-netdev" && step.nat !== null);
  const policy = translated?.policy ?? -1, throughGateway = translated !== undefined && policy >= 0 && isGatewayEntry(tables, request, policy);
  const [decider, ...hidden] = matchingEntries(tables, request.pod.address, request.destination);
  return {
    ...ends(tables, asked), service,
    request: picked === null ? path : { ...path, steps: [socketStep(tables, asked, tuple, picked), ...path.steps] },
    outside: !forwarded ? null
      : { source: formatAddress(left.source), sourcePort: left.sourcePort, destination: endText(left.destination, left.destinationPort, left.protocol), ttl: left.ttl },
    answer: forwarded ? explainAnswer(tables, request, run, left, service) : null,
    throughGateway, gateway: throughGateway ? (tables.nodes[translated.node]?.name ?? null) : null,
    policy: decider === undefined ? null : (tables.policies[decider.policy]?.name ?? null),
    conditions: service !== null && service.backend === null ? [withoutBackend(service)]
      : [...policyCondition(tables, request, first.steps[0]), ...gatewayConditions(control, request)],
    alsoMatched: hidden.map((each) => `${formatPrefix(each.destination)} of ${policyText(tables, each.policy)}`),
    conflicts: otherOutcomes(control, request, decider),
    undetermined: undetermined(control, request, decider),
  };
}

function tupleOf({ protocol, pod, sourcePort, destination, destinationPort }: PacketRequest): ProbeTuple {
  return { protocol, source: pod.address, sourcePort, destination, destinationPort };
}

function ends(tables: DatapathTables, { pod, node, destination, destinationPort, protocol }: PacketRequest): Pick<Explanation, "pod" | "destination" | "protocol"> {
  return {
    pod: { name: pod.label, address: formatAddress(pod.address), identity: pod.identity, node: tables.nodes[node]?.name ?? "?" },
    destination: endText(destination, destinationPort, protocol), protocol: formatProtocol(protocol),
  };
}

function toBackend(control: ServiceControl, entry: ServiceEntryOf<Address>, asked: PacketRequest, seed: number): PacketRequest {
  const backend = backendOf(control, entry, drawAtSocket(entry, asked, seed));
  return backend === undefined ? asked : { ...asked, destination: backend.address, destinationPort: backend.port };
}

function socketStep(tables: DatapathTables, asked: PacketRequest, sent: ProbeTuple, service: ServiceChoice): ExplainedStep {
  return {
    node: tables.nodes[asked.node]?.name ?? "?", hook: "socket",
    facts: [
      ...serviceFacts(service),
      service.backend === null ? "connect() fails: no route to host" : "translated when the socket connects; packets carry the backend's address",
    ],
    before: tupleText({ ...sent, destination: asked.destination, destinationPort: asked.destinationPort }), after: tupleText(sent), ttl: PROBE_TTL,
  };
}

/** connect() to a service without backends sends nothing (bpf_sock.c). */
function refused({ tables }: ServiceControl, asked: PacketRequest, service: ServiceChoice): Explanation {
  return {
    ...ends(tables, asked), service, request: { outcome: "refused", drop: null, steps: [socketStep(tables, asked, tupleOf(asked), service)] },
    outside: null, answer: null, throughGateway: false, gateway: null, policy: null, conditions: [withoutBackend(service)], alsoMatched: [], conflicts: [],
    undetermined: [],
  };
}

function withoutBackend({ name, at }: ServiceChoice): Condition {
  return {
    condition: "service-has-backend", holds: false, detail: `service ${name} has no backend (${at})`,
    change: "give it ready endpoints: a selector that matches pods, or an EndpointSlice",
  };
}

function isGatewayEntry(tables: DatapathTables, request: PacketRequest, policy: number): boolean {
  const [decider] = matchingEntries(tables, request.pod.address, request.destination);
  return decider?.policy === policy && decider.gatewayIp > 1;
}

/** The peer answers to what it saw; the answer arrives where that address lives. */
function explainAnswer(tables: DatapathTables, request: PacketRequest, run: SingleRun, left: ProbeTuple, service: ServiceChoice | null): ExplainedPath | null {
  const owner = [...clusterAddresses(tables), ...clusterAddresses6(tables)].find((entry) => entry.address === left.source);
  if (owner === undefined) return null;
  const answer: ProbeTuple = {
    protocol: left.protocol, source: left.destination, sourcePort: left.destinationPort, destination: left.source,
    destinationPort: left.sourcePort,
  };
  return explainPath(tables, request, run.send(probeFrame(answer, true), ENTRY_NETDEV, owner.node), answer, service);
}

function explainPath(tables: DatapathTables, request: PacketRequest, result: SingleResult, sent: ProbeTuple, service: ServiceChoice | null): ExplainedPath {
  let before = sent;
  const steps = result.steps.map((step): ExplainedStep => {
    const after = readTuple(step.frame);
    const explained = {
      node: tables.nodes[step.node]?.name ?? "?", hook: step.hook, facts: factsOf(tables, request, step, before, after, service),
      before: tupleText(before), after: tupleText(after), ttl: after.ttl,
    };
    before = after;
    return explained;
  });
  const last = result.steps.at(-1);
  const reason = last !== undefined && last.verdict < 0 ? dropReason(-last.verdict) : null;
  return {
    outcome: last?.to === TO_SELF && last.verdict > 0 ? "refused" : (PATH_OUTCOMES.get(result.outcome) ?? "passed"),
    drop: reason === null || last === undefined ? null : { code: -last.verdict, name: reason.name, text: reason.text },
    steps,
  };
}

function factsOf(tables: DatapathTables, request: PacketRequest, step: HookStep, before: ProbeTuple, after: ProbeTuple, service: ServiceChoice | null): string[] {
  const facts: string[] = [], byProgram = service?.translation === "per-packet" ? service : null;
  if (step.hook === "from-container" && byProgram !== null) {
    facts.push(...serviceFacts(byProgram));
    if (step.to === TO_SELF && step.verdict > 0) return [...facts, "answered: ICMP port unreachable to the pod"];
    if (byProgram.backend === null) return [...facts, verdictText(tables, step)];
  }
  if (step.hook === "from-container" && step.verdict >= 0) {
    const remote = ipcacheEntry(tables, step.node, after.destination);
    facts.push(CT_TEXT[step.conntrack] ?? "new connection");
    facts.push(remote === null ? "destination is in no ipcache entry: world" : `destination identity ${remote.identity} (ipcache ${formatPrefix(remote.prefix)})`);
  }
  const verdict = step.hook === "from-container" ? policyFact(tables, step) : null;
  if (verdict !== null) facts.push(verdict);
  if (step.policy >= 0) {
    const entry = matchingEntries(tables, request.pod.address, request.destination).find((each) => each.policy === step.policy);
    facts.push(entry === undefined ? `policy ${policyText(tables, step.policy)}` : `egress entry ${formatAddress(entry.source)} -> ${formatPrefix(entry.destination)}   ${policyText(tables, step.policy)}`);
  }
  if (step.nat !== null && (before.source !== after.source || before.sourcePort !== after.sourcePort))
    facts.push(`SNAT ${endText(before.source, before.sourcePort, before.protocol)} -> ${endText(after.source, after.sourcePort, after.protocol)} (${before.sourcePort === after.sourcePort ? "port kept" : "port drawn"})`);
  if (step.hook !== "from-container" && step.nat === null && before.source !== after.source)
    facts.push(`back to the service: ${endText(before.source, before.sourcePort, before.protocol)} -> ${endText(after.source, after.sourcePort, after.protocol)}`);
  if (step.hook !== "from-container" && before.destination !== after.destination)
    facts.push(`translated back: ${endText(before.destination, before.destinationPort, before.protocol)} -> ${endText(after.destination, after.destinationPort, after.protocol)}`);
  facts.push(verdictText(tables, step));
  return facts;
}

function verdictText(tables: DatapathTables, step: HookStep): string {
  if (step.verdict < 0) return `DROPPED ${-step.verdict} ${dropReason(-step.verdict).text}`;
  if (step.verdict === 0) return step.hook === "to-netdev" ? "leaves by the device" : "handed to the node's stack";
  if (step.to === TO_TUNNEL) {
    const gateway = tables.nodes.find((node) => node.address === step.tunnel.remote);
    return `${tables.config.tunnelProtocol} to ${formatIpv4(step.tunnel.remote)}${gateway === undefined ? "" : ` (${gateway.name})`}, VNI ${step.tunnel.vni}`;
  }
  if (step.to === TO_NEIGH || step.to === TO_NEIGH6 || step.to === TO_DEVICE) return "routed to a device";
  if (step.to === TO_SELF) return "answered by the program itself";
  return step.to === TO_ENDPOINT ? "delivered to the pod" : "handed to the node's stack";
}

function endText(address: Address, port: number, protocol: number): string {
  if (!isIcmp(protocol)) return formatEnd(address, port);
  return port === 0 ? formatAddress(address) : `${formatAddress(address)} id ${port}`;
}

function tupleText(tuple: ProbeTuple): string {
  return `${endText(tuple.source, tuple.sourcePort, tuple.protocol)} -> ${endText(tuple.destination, tuple.destinationPort, tuple.protocol)}`;
}
