import type { DropReason } from "./drop-reasons.ts";
import { dropReason } from "./drop-reasons.ts";
import type { FlowLine } from "./flow-shape.ts";
import { formatAddress, formatProtocol } from "./ip-text.ts";
import type { FlowRecord, Tally } from "./run-result.ts";
import { flowService } from "./service-lines.ts";
import type { TableNames } from "./table-names.ts";

const copyTally = (tally: Tally): { packets: number; bytes: number } => ({ packets: tally.packets, bytes: tally.bytes });
const copyReason = ({ code, text, name }: DropReason): DropReason => ({ code, text, name });

/** The record with names for numbers; keys always in the same order. */
export function flowLine(flow: FlowRecord, names: TableNames): FlowLine {
  const destination = formatAddress(flow.destination);
  const translatedSource = flow.translated === null ? null : formatAddress(flow.translated.source);
  const backend = flow.service?.backend ?? null;
  return {
    protocol: formatProtocol(flow.protocol),
    before: { source: formatAddress(flow.source), sourcePort: flow.sourcePort, destination, destinationPort: flow.destinationPort },
    after: flow.translated === null || translatedSource === null ? null : {
      source: translatedSource, sourcePort: flow.translated.sourcePort,
      destination: backend === null ? destination : formatAddress(backend.address), destinationPort: backend === null ? flow.destinationPort : backend.port,
    },
    pod: names.pod(flow.source),
    peerPod: names.pod(flow.destination),
    service: flowService(flow, names),
    node: names.node(flow.sourceNode),
    identity: flow.identity,
    policy: names.policy(flow.policy),
    excluded: flow.excluded,
    gateway: names.node(flow.gatewayNode),
    egressIp: flow.policy >= 0 && !flow.excluded ? translatedSource : null,
    opener: flow.opener,
    verdict: flow.outcome,
    drop: flow.dropCode === 0 ? null : copyReason(dropReason(flow.dropCode)),
    networkPolicy: names.networkPolicy(flow.networkPolicy),
    forward: copyTally(flow.forward),
    reply: copyTally(flow.reply),
    dropped: copyTally(flow.dropped),
    firstPacket: flow.firstPacket,
    lastPacket: flow.lastPacket,
    firstDroppedPacket: flow.firstDroppedPacket === 0 ? null : flow.firstDroppedPacket,
    firstTime: flow.firstTime,
    lastTime: flow.lastTime,
  };
}
