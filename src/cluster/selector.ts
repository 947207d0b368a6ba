// Label selectors as Kubernetes defines them (apimachinery labels.Requirement): all requirements must hold.

export type Labels = ReadonlyMap<string, string>;

export type Requirement =
  | { readonly key: string; readonly operator: "In" | "NotIn"; readonly values: ReadonlySet<string> }
  | { readonly key: string; readonly operator: "Exists" | "DoesNotExist" };

/** An empty list selects everything. */
export type Selector = readonly Requirement[];

export function selectorMatches(selector: Selector, labels: Labels): boolean {
  return selector.every((requirement) => requirementHolds(requirement, labels));
}

/** NotIn holds for an absent key too. */
export function requirementHolds(requirement: Requirement, labels: Labels): boolean {
  const value = labels.get(requirement.key);
  switch (requirement.operator) {
    case "In":
      return value !== undefined && requirement.values.has(value);
    case "NotIn":
      return value === undefined || !requirement.values.has(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}

/** As a user would write it for `kubectl get -l`: a=1, b in (x,y), !c. */
export function formatSelector(selector: Selector): string {
  if (selector.length === 0) return "everything";
  return selector.map(formatRequirement).join(", ");
}

function formatRequirement(requirement: Requirement): string {
  switch (requirement.operator) {
    case "In": {
      const values = [...requirement.values];
      return values.length === 1 ? `${requirement.key}=${values[0] ?? ""}` : `${requirement.key} in (${values.join(",")})`;
    }
    case "NotIn":
      return `${requirement.key} notin (${[...requirement.values].join(",")})`;
    case "Exists":
      return requirement.key;
    case "DoesNotExist":
      return `!${requirement.key}`;
  }
}
