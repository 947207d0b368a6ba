import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";

export type Namespace = "pod-a" | "pod-b" | "node" | "gateway" | "outside";
export type Started = ChildProcess & { readonly stdout: Readable; readonly stderr: Readable };
export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}
export declare const NAMESPACES: readonly Namespace[];
export declare const PODS: Readonly<Record<"pod-a" | "pod-b", readonly [string, string]>>;
export declare function labIsMissing(): string;
export declare function takeDownOnSignals(): void;
export declare class LabNetwork {
  name(namespace: Namespace): string;
  build(): void;
  enableIpv6(namespace: Namespace, device: string): void;
  run(namespace: Namespace, words: string, ...last: string[]): string;
  try(namespace: Namespace, words: string, ...last: string[]): Finished;
  waitFor(namespace: Namespace, words: string, times?: number): void;
  start(namespace: Namespace, words: readonly string[], ...last: string[]): Started;
  takeDown(): void;
}
export declare function says(child: Started, text: string, seconds?: number): Promise<string>;
export declare function ends(child: Started, signal?: NodeJS.Signals): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
