// Schemas of single fields, shared by the kinds. A transform's message completes the sentence "<value> is …".
import * as z from "zod";
import { type IpAddress, type IpPrefix, parseAddress, parseCidr, parseIpv4 } from "./cidr.ts";
import type { Labels, Requirement, Selector } from "./selector.ts";

/** Names of Kubernetes objects are ASCII, so that comparing UTF-16 units is comparing bytes, as Go does. */
const DNS_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
/** The CRD's pattern for matchLabels values (crds/v2/ciliumegressgatewaypolicies.yaml). */
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const LONGEST_LABEL_VALUE = 63;

export const objectName = z
  .string()
  .max(253, { error: "a name has at most 253 characters" })
  .regex(DNS_NAME, { error: "expected a Kubernetes name (lower-case letters, digits, - and .)" });

export const labelText = z
  .string()
  .max(LONGEST_LABEL_VALUE, { error: `a label value has at most ${LONGEST_LABEL_VALUE} characters` })
  .regex(LABEL_VALUE, { error: "expected a label value (letters, digits, -, _ and ., starting and ending with a letter or digit)" });

export const cidr = z.string().transform((text, context): IpPrefix => {
  const parsed = parseCidr(text);
  if (parsed.ok) return parsed.value;
  context.issues.push({ code: "custom", message: `expected a CIDR such as 203.0.113.0/24: ${parsed.why}`, input: text });
  return z.NEVER;
});

export const address = z.string().transform((text, context): IpAddress => {
  const parsed = parseAddress(text);
  if (parsed.ok) return parsed.value;
  context.issues.push({ code: "custom", message: `expected an IP address: ${parsed.why}`, input: text });
  return z.NEVER;
});

export const ipv4 = z.string().transform((text, context): number => {
  const parsed = parseIpv4(text);
  if (parsed.ok) return parsed.value;
  context.issues.push({ code: "custom", message: `expected an IPv4 address: ${parsed.why}`, input: text });
  return z.NEVER;
});

/** An address, or null for "" and for what is no IP address (host names among node addresses). */
export const addressOrNull = z.string().transform((text): IpAddress | null => {
  const parsed = parseAddress(text);
  return parsed.ok ? parsed.value : null;
});

export const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((record): Labels => new Map(Object.entries(record ?? {})));

/** No CRD forbids control characters here, but they would reach the reader's terminal. */
const plainText = z.string().regex(/^[^\u0000-\u001f\u007f-\u009f]*$/, { error: "expected text without control characters" });

const requirement = z
  .strictObject({
    key: plainText.min(1, { error: "expected a label key" }),
    operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
    values: z.array(plainText).nullish(),
  })
  .transform((written, context): Requirement => {
    const values = written.values ?? [];
    const wantsValues = written.operator === "In" || written.operator === "NotIn";
    if (wantsValues !== values.length > 0) {
      const rule = wantsValues ? "needs at least one value" : "takes no values";
      context.issues.push({ code: "custom", message: `operator ${written.operator} ${rule}`, input: written.values, path: ["values"] });
    }
    return written.operator === "In" || written.operator === "NotIn"
      ? { key: written.key, operator: written.operator, values: new Set(values) }
      : { key: written.key, operator: written.operator };
  });

export const labelSelector = z
  .strictObject({
    matchLabels: z.record(plainText, labelText).nullish(),
    matchExpressions: z.array(requirement).nullish(),
  })
  .transform((written): Selector => [
    ...Object.entries(written.matchLabels ?? {}).map(
      ([key, value]): Requirement => ({ key, operator: "In", values: new Set([value]) }),
    ),
    ...(written.matchExpressions ?? []),
  ]);
