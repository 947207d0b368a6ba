import type { FlowOutcome, FlowRecord } from "./run-result.ts";
import { type ServiceUse, ServiceUses } from "./service-lines.ts";
import type { TableNames } from "./table-names.ts";

/** What the screen and the report say about flows beyond what RunResult counts. */
export interface FlowTotals {
  readonly listed: number;
  /** By the outcome of a flow's last packet. */
  readonly byOutcome: Readonly<Record<FlowOutcome, number>>;
  readonly withDrops: number;
  /** Indexes of the policies that a flow met, excluded or not. */
  readonly policies: ReadonlySet<number>;
  readonly serviceUse: readonly ServiceUse[];
  /** Flows to a service's address that nothing translated. */
  readonly untranslatedServiceFlows: number;
}

/** What is counted of a flow. */
export type CountedFlow = Pick<FlowRecord, "protocol" | "destination" | "destinationPort" | "service" | "policy" | "outcome" | "forward" | "reply" | "dropped">;

export class FlowCounter {
  private listed = 0;
  private withDrops = 0;
  private untranslated = 0;
  private readonly policies = new Set<number>();
  private readonly services = new ServiceUses();
  private readonly names: TableNames;
  private readonly byOutcome: Record<FlowOutcome, number> = { forwarded: 0, delivered: 0, passed: 0, dropped: 0 };

  constructor(names: TableNames) {
    this.names = names;
  }

  add(flow: CountedFlow): void {
    this.services.add(flow);
    if (flow.service === null && this.names.serviceAt(flow.destination, flow.destinationPort, flow.protocol) !== null) this.untranslated += 1;
    this.listed += 1;
    this.byOutcome[flow.outcome] += 1;
    if (flow.dropped.packets > 0) this.withDrops += 1;
    if (flow.policy >= 0) this.policies.add(flow.policy);
  }

  totals(): FlowTotals {
    return {
      listed: this.listed, byOutcome: { ...this.byOutcome }, withDrops: this.withDrops, policies: new Set(this.policies),
      serviceUse: this.services.list(), untranslatedServiceFlows: this.untranslated,
    };
  }
}
