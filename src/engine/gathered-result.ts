import {
  NC_ANSWERED, NC_DEFECT6, NC_DEFECT_ECHO, NC_DEFECT_POD_ERROR, NC_NAT_RETRIES, NC_OPENERS_ASSUMED, NC_OVERSIZED, NC_PACKETS_WITHOUT_FLOW, NC_PARTIAL_CSUM, NC_REPLY_DEFECT, NC_REPLY_DIFFERENT,
  NC_REPLY_FIRST_DIFFERENT, NC_REPLY_IDENTICAL, NC_REPLY_RESTORED, NC_SNAPPED,
} from "../kernel/pipeline/layout-batch.ts";
import { OUT_DELIVERED, OUT_DROPPED, OUT_FORWARDED, OUT_PASSED } from "../kernel/layout-flow.ts";
import type { RunResult } from "../observe/run-result.ts";
import type { Gathering } from "./gather.ts";

/** What only those know who brought the packets. */
type FromTheInput = "captures" | "received" | "ignored" | "ignoredBy" | "repeatedFrames" | "garbageCollected" | "interrupted" | "timing";

/** The part of a run's result that its memory holds. */
export function gatheredResult(gathering: Gathering, maxFlows: number): Omit<RunResult, FromTheInput> {
  const totals = gathering.tableTotals(), note = (number: number): number => gathering.note(number);
  return {
    forwarded: gathering.outcome(OUT_FORWARDED), delivered: gathering.outcome(OUT_DELIVERED), passed: gathering.outcome(OUT_PASSED),
    dropped: gathering.outcome(OUT_DROPPED), ...gathering.endings(), policyUse: gathering.policyUse(), masqueradeUse: gathering.masqueradeUse(),
    snatPorts: gathering.snatPorts(),
    replies: {
      restored: note(NC_REPLY_RESTORED), identical: note(NC_REPLY_IDENTICAL), knownDefect: note(NC_REPLY_DEFECT), different: note(NC_REPLY_DIFFERENT),
      firstDifferent: note(NC_REPLY_FIRST_DIFFERENT),
    },
    partialChecksumsCompleted: note(NC_PARTIAL_CSUM), oversizedFrames: note(NC_OVERSIZED), snappedFrames: note(NC_SNAPPED),
    openersAssumed: note(NC_OPENERS_ASSUMED), flowCount: totals.flows, flowsNotListed: Math.max(0, totals.flows - maxFlows),
    packetsWithoutFlow: note(NC_PACKETS_WITHOUT_FLOW), answered: note(NC_ANSWERED),
    defects: {
      echoErrorChecksum: note(NC_DEFECT_ECHO), podErrorChecksum: note(NC_DEFECT_POD_ERROR), errorNotTranslated6: note(NC_DEFECT6),
      timeExceededLost6: note(NC_DEFECT6 + 1), shortQuote6: note(NC_DEFECT6 + 2), quoteChecksum6: note(NC_DEFECT6 + 3),
      quotedReply6: note(NC_DEFECT6 + 4), unspecifiedAddress6: note(NC_DEFECT6 + 5), leftoverPort6: note(NC_DEFECT6 + 6),
    },
    conntrackEntries: totals.conntrack, natEntries: totals.nat, evictions: { conntrack: totals.evictedConntrack, nat: totals.evictedNat },
    natRetriesOverHalf: note(NC_NAT_RETRIES),
  };
}
