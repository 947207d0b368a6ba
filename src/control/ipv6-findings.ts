// What is said where IPv6 meets a cluster or a build that does not carry it.
import type { Finding } from "../cluster/finding.ts";
import type { CiliumEndpoint, Cluster, Pod, Setting } from "../cluster/model.ts";
import { placeOf } from "../cluster/origin.ts";
import { ENGINE_ROUTES_IPV6 } from "./ipv6-support.ts";

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

/** While the engine carries IPv4 only. */
export function ipv6NotRouted(cluster: Cluster): readonly Finding[] {
  if (ENGINE_ROUTES_IPV6) return [];
  const titled = (kind: string, carriers: readonly Carrier[]) =>
    carriers
      .filter(({ addresses }) => addresses.some(({ family }) => family === 6))
      .map((object) => ({ object, title: `${kind} ${object.namespace}/${object.name}` }));
  const concerned = [...titled("Pod", cluster.pods), ...titled("CiliumEndpoint", cluster.endpoints)];
  const [first] = concerned;
  if (first === undefined) return [];
  return [
    {
      rule: "ipv6-not-routed",
      severity: "info",
      object: first.title,
      at: placeOf(first.object.origin),
      message:
        concerned.length === 1
          ? `${first.title} has an IPv6 address`
          : `${first.title} and ${concerned.length - 1} more have IPv6 addresses`,
      effect: "Cilium routes them; this build routes IPv4 only and ignores IPv6 packets",
      fix: "nothing to do for IPv4 traffic",
    },
  ];
}
