// What is said where IPv6 meets a cluster that does not carry it.
import type { Finding } from "../cluster/finding.ts";
import type { CiliumEndpoint, Pod, Setting } from "../cluster/model.ts";
import { placeOf } from "../cluster/origin.ts";

type Carrier = Pod | CiliumEndpoint;

/** Pods have IPv6 addresses and the configuration has IPv6 off. */
export function ipv6Disabled(carrier: Carrier, setting: Setting | undefined): Finding {
  const title = `${carrier.namespace}/${carrier.name}`;
  return {
    rule: "ipv6-disabled",
    severity: "warning",
    object: setting === undefined ? "Helm values" : `Option ${setting.writtenAs}`,
    at: placeOf((setting ?? carrier).origin),
    message: `${title} has an IPv6 address, but IPv6 is off: ${setting?.writtenAs ?? "ipv6.enabled"} is not true`,
    effect: "the programs are built without IPv6 and drop it: 139 Unsupported L3 protocol; IPv6 prefixes of policies have no effect",
    fix: "set ipv6.enabled, or take configuration and pods from the same cluster",
  };
}
