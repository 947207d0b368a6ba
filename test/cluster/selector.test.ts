import { describe, expect, it } from "vitest";
import { formatSelector, type Requirement, selectorMatches } from "../../src/cluster/selector.ts";

const labels = new Map([["app", "web"], ["tier", "front"]]);
const isIn = (key: string, ...values: string[]): Requirement => ({ key, operator: "In", values: new Set(values) });
const isNotIn = (key: string, ...values: string[]): Requirement => ({ key, operator: "NotIn", values: new Set(values) });

describe("label selectors", () => {
  it("an empty selector matches everything", () => {
    expect(selectorMatches([], new Map())).toBe(true);
  });

  it("all requirements must hold", () => {
    expect(selectorMatches([isIn("app", "web", "api"), isIn("tier", "front")], labels)).toBe(true);
    expect(selectorMatches([isIn("app", "web"), isIn("tier", "back")], labels)).toBe(false);
    expect(selectorMatches([isIn("other", "x")], labels)).toBe(false);
  });

  it("NotIn holds for an absent key, as in Kubernetes", () => {
    expect(selectorMatches([isNotIn("other", "x")], labels)).toBe(true);
    expect(selectorMatches([isNotIn("app", "web")], labels)).toBe(false);
    expect(selectorMatches([isNotIn("app", "api")], labels)).toBe(true);
  });

  it("Exists and DoesNotExist look at the key alone", () => {
    expect(selectorMatches([{ key: "app", operator: "Exists" }], labels)).toBe(true);
    expect(selectorMatches([{ key: "app", operator: "DoesNotExist" }], labels)).toBe(false);
    expect(selectorMatches([{ key: "other", operator: "DoesNotExist" }], labels)).toBe(true);
  });

  it("prints as for kubectl -l", () => {
    const selector: Requirement[] = [isIn("a", "1"), isIn("b", "x", "y"), isNotIn("c", "z"), { key: "d", operator: "DoesNotExist" }];
    expect(formatSelector(selector)).toBe("a=1, b in (x,y), c notin (z), !d");
  });
});
