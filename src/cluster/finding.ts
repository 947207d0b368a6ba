import type { SourceRef } from "./source.ts";

/** Something that the model knows to be wrong or surprising; `rule` is a stable kebab-case name. */
export interface Finding {
  readonly rule: string;
  readonly severity: "error" | "warning" | "info";
  /** The object that it is about, e.g. `CiliumEgressGatewayPolicy external-api-egress`. */
  readonly object: string;
  readonly at: SourceRef | null;
  /** One sentence: what is the matter. */
  readonly message: string;
  /** What real Cilium 1.19 does about it. */
  readonly effect: string;
  /** What would cure it. */
  readonly fix: string;
}

/** A rule by which the model filled in what the input did not say, and how often it had to. */
export interface Assumption {
  readonly rule: string;
  readonly message: string;
  readonly count: number;
}

/** Objects that were read and that nothing here looks at, by kind. */
export interface IgnoredKind {
  readonly kind: string;
  readonly count: number;
  readonly firstAt: SourceRef;
}
