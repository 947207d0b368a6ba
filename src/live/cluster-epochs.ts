// The cluster of a live run over time: each compilation is written beside the running one and takes over as a whole. Maps and
// counters stay, so what refers to nodes and policies by number must keep its numbers.
import { InputError } from "../cluster/input-error.ts";
import type { DatapathTables, DeviceTable, PolicyRef } from "../control/tables.ts";
import type { ClusterMemory } from "../engine/cluster-memory.ts";
import { Arena } from "../engine/image/arena.ts";
import { clusterImageBytes, type PolicyUseKey, writeCluster } from "../engine/image/cluster-image.ts";
import { U_SIZE, X_USE } from "../kernel/pipeline/layout-batch.ts";
import { makeEpoch } from "./epoch.ts";
import type { Epoch } from "./live-protocol.ts";

/** Ways in which policies' traffic leaves that may come to those of the start. */
const MORE_USES = 4096;
/** The model may grow to so many times what it took at the start. */
const GROWTH = 2;
const REGIONS = 2;

function regionBytes(tables: DatapathTables): number { return clusterImageBytes(tables) * GROWTH; }

/** Bytes that later epochs need of a run's memory. */
export function epochBytes(tables: DatapathTables, workers: number): number {
  return REGIONS * regionBytes(tables) + workers * (tables.policyEntries.length + MORE_USES) * U_SIZE + 4096;
}

export class ClusterEpochs {
  /** Of all epochs so far: policies that are gone are still listed, so that their counters have a name. */
  tables: DatapathTables;
  memory: ClusterMemory;
  number = 1;
  readonly #here: ReadonlySet<number>;
  readonly #repair: boolean;
  readonly #seed: number;
  readonly #regions: readonly number[];
  readonly #regionBytes: number;
  readonly #mostUses: number;
  #uses: readonly PolicyUseKey[];

  constructor(memory: ClusterMemory, tables: DatapathTables, here: ReadonlySet<number>, repair: boolean, seed: number) {
    this.memory = memory;
    this.tables = tables;
    this.#here = here;
    this.#repair = repair;
    this.#seed = seed;
    this.#uses = memory.image.uses;
    this.#regionBytes = regionBytes(tables);
    this.#regions = Array.from({ length: REGIONS }, () => memory.arena.take(this.#regionBytes, 64));
    this.#mostUses = this.#uses.length + MORE_USES;
    for (const { context } of memory.workers) memory.arena.put32(context + X_USE, memory.arena.take(this.#mostUses * U_SIZE));
  }

  first(): Epoch { return makeEpoch(1, this.tables, this.memory.image, this.#here); }

  /** Writes the tables beside those in force; throws InputError where they cannot take over, and then nothing has changed. */
  next(compiled: DatapathTables): Epoch {
    const tables = withKeptNumbers(this.tables, compiled), needed = clusterImageBytes(tables);
    if (needed > this.#regionBytes) throw restart("the model has more than doubled");
    const at = this.#regions[(this.number + 1) % REGIONS] as number, { arena } = this.memory;
    arena.bytes.fill(0, at, at + this.#regionBytes);
    const image = writeCluster(new Arena(arena.memory, at, at + this.#regionBytes), tables, this.#repair, this.#seed, this.#here, this.#uses);
    if (image.uses.length > this.#mostUses) throw restart("policies have changed their gateways and egress IPs too many times");
    this.#uses = image.uses;
    this.tables = tables;
    this.memory = { ...this.memory, image };
    this.number++;
    return makeEpoch(this.number, tables, image, this.#here);
  }
}

/** The new tables with the numbers of the old ones: the same nodes, and policies by name. */
function withKeptNumbers(old: DatapathTables, compiled: DatapathTables): DatapathTables {
  const nodesOf = ({ nodes }: DatapathTables): string =>
    JSON.stringify(nodes.map(({ name, address, address6, devices }) => [name, address, address6, devices.map(masqueradesOf)]), printBigints);
  if (nodesOf(old) !== nodesOf(compiled)) throw restart("nodes, their addresses or devices have changed");
  if (JSON.stringify(old.config, printBigints) !== JSON.stringify(compiled.config, printBigints)) throw restart("Cilium's options have changed");
  const policies: PolicyRef[] = [...old.policies], numberOf = new Map(policies.map(({ name }, number) => [name, number]));
  const numbers = compiled.policies.map((policy) => {
    const known = numberOf.get(policy.name);
    if (known !== undefined) policies[known] = policy;
    else policies.push(policy);
    return known ?? policies.length - 1;
  });
  const renumbered = <Entry extends { readonly policy: number }>(entries: readonly Entry[]): Entry[] => entries.map((entry) => ({ ...entry, policy: numbers[entry.policy] ?? entry.policy }));
  return { ...compiled, policies, policyEntries: renumbered(compiled.policyEntries), policyEntries6: renumbered(compiled.policyEntries6) };
}

function masqueradesOf({ name, masqueradeIp, masqueradeIp6 }: DeviceTable): readonly unknown[] { return [name, masqueradeIp, masqueradeIp6]; }

function printBigints(_key: string, value: unknown): unknown { return typeof value === "bigint" ? String(value) : value; }

function restart(message: string): InputError {
  return new InputError([{ at: null, subject: "reload", message, cure: "restart egwsim tap: policies, pods, labels and identities are what a running one takes over" }]);
}
