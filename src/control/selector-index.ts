// Which policies select a label set, without asking every policy: a selector that wants key = value is looked up under
// that pair, and only the rest is tried on everything.
import { type Labels, selectorMatches, type Selector } from "../cluster/selector.ts";

interface Candidate {
  readonly policy: number;
  readonly selector: Selector;
}

export class SelectorIndex {
  readonly #byPair = new Map<string, Map<string, Candidate[]>>();
  readonly #rest: Candidate[] = [];
  readonly #answers = new Map<Labels, readonly number[]>();

  constructor(policies: readonly { readonly podSelectors: readonly Selector[] }[]) {
    for (const [policy, { podSelectors }] of policies.entries()) {
      for (const selector of podSelectors) this.#add({ policy, selector });
    }
  }

  /** Positions in the constructor's list, ascending. Answers are kept per label-set object. */
  policiesFor(labels: Labels): readonly number[] {
    const known = this.#answers.get(labels);
    if (known !== undefined) return known;
    const matching = new Set<number>();
    const ask = (candidates: readonly Candidate[]): void => {
      for (const { policy, selector } of candidates) {
        if (!matching.has(policy) && selectorMatches(selector, labels)) matching.add(policy);
      }
    };
    ask(this.#rest);
    for (const [key, value] of labels) {
      const candidates = this.#byPair.get(key)?.get(value);
      if (candidates !== undefined) ask(candidates);
    }
    const answer = [...matching].sort((a, b) => a - b);
    this.#answers.set(labels, answer);
    return answer;
  }

  /** The requirement with the fewest values serves as the key; it is asked again with the rest, which costs little. */
  #add(candidate: Candidate): void {
    let best: { readonly key: string; readonly values: ReadonlySet<string> } | null = null;
    for (const requirement of candidate.selector) {
      if (requirement.operator !== "In") continue;
      if (best === null || requirement.values.size < best.values.size) best = requirement;
    }
    if (best === null) {
      this.#rest.push(candidate);
      return;
    }
    const byValue = this.#byPair.get(best.key) ?? new Map<string, Candidate[]>();
    this.#byPair.set(best.key, byValue);
    for (const value of best.values) {
      const candidates = byValue.get(value) ?? [];
      byValue.set(value, candidates);
      candidates.push(candidate);
    }
  }
}
