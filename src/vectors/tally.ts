// What a run of recordings came to: numbers, the fields compared, the failures.
import { CATEGORIES, type Category } from "./comparison.ts";
import type { CaseResult, StepResult } from "./run-case.ts";

export interface StepReport {
  readonly file: string;
  readonly line: number;
  readonly name: string;
  readonly step: StepResult;
}

export class Tally {
  cases = 0;
  steps = 0;
  passed = 0;
  readonly failures: StepReport[] = [];
  readonly skips: StepReport[] = [];
  readonly compared = new Map<Category, number>(CATEGORIES.map((category) => [category, 0]));

  add(file: string, line: number, result: CaseResult): void {
    this.cases++;
    for (const step of result.steps) {
      this.steps++;
      const report = { file, line, name: result.name, step };
      if (step.skipped !== null) this.skips.push(report);
      else if (step.differences.length > 0) this.failures.push(report);
      else this.passed++;
    }
    for (const [category, count] of result.comparison.compared) this.compared.set(category, (this.compared.get(category) ?? 0) + count);
  }

  get lastLine(): string {
    return `${this.cases} cases, ${this.steps} steps, ${this.passed} passed, ${this.failures.length} failed, ${this.skips.length} skipped`;
  }
}
