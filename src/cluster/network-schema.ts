// NodeNetwork, this project's own kind: a node's devices with their addresses in order, its routes and rules.
import * as z from "zod";
import type { IpPrefix } from "./cidr.ts";
import { address, cidr, objectName } from "./field-schemas.ts";
import type { NodeNetwork } from "./model.ts";
import type { Origin } from "./origin.ts";

const MAC = /^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/;
/** IFNAMSIZ is 16 with the final zero; blanks and slashes are refused by the kernel (dev_valid_name). */
const DEVICE_NAME = /^[^\s/:\u0000-\u001f\u007f]{1,15}$/;
const LARGEST_TABLE = 0xffffffff;
/** RT_TABLE_MAIN, which `ip` prints as main. */
const MAIN_TABLE = 254;

const deviceName = z.string().regex(DEVICE_NAME, { error: "expected a device name of 1 to 15 characters" });
const table = z
  .union([z.int().min(0).max(LARGEST_TABLE), z.literal("main")], { error: "expected a table number or main" })
  .transform((written) => (written === "main" || written === MAIN_TABLE ? 0 : written));
const DEFAULT_ROUTE: IpPrefix = { family: 4, address: 0, bits: 0 };
const DEFAULT_ROUTE_6: IpPrefix = { family: 6, address: 0n, bits: 0 };

const device = z.strictObject({
  name: deviceName,
  mac: z.string().regex(MAC, { error: "expected a MAC address such as 02:00:00:00:01:0c" }).optional(),
  mtu: z.int().min(68).max(65535).optional(),
  ifindex: z.int().min(1).max(0x7fffffff).optional(),
  addresses: z.array(cidr),
});

/** `default` is of its next hop's family, of IPv4 without one; an IPv6 default route on the link is ::/0. */
const route = z
  .strictObject({
    to: z.union([z.literal("default"), cidr]),
    via: address.optional(),
    dev: deviceName,
    table: table.optional(),
  })
  .transform(({ to, via, ...rest }) => ({ ...rest, via, to: to !== "default" ? to : via?.family === 6 ? DEFAULT_ROUTE_6 : DEFAULT_ROUTE }));

export const networkSchema = z
  .strictObject({
    apiVersion: z.literal("egwsim.dev/v1"),
    kind: z.literal("NodeNetwork"),
    metadata: z.looseObject({ name: objectName }),
    spec: z.strictObject({
      devices: z.array(device).min(1, { error: "expected at least one device" }),
      routes: z.array(route).optional(),
      rules: z.array(z.strictObject({ from: cidr, table })).optional(),
      podCIDRs: z.array(cidr).optional(),
    }),
  })
  .superRefine(({ spec }, context) => {
    const complain = (message: string, ...path: readonly (string | number)[]): void => {
      context.addIssue({ code: "custom", message, path: ["spec", ...path] });
    };
    const names = new Set<string>();
    const indexes = new Set<number>();
    for (const [index, { name, ifindex }] of spec.devices.entries()) {
      if (names.has(name)) complain("expected each device once", "devices", index, "name");
      names.add(name);
      if (ifindex === undefined) continue;
      if (indexes.has(ifindex)) complain("expected an ifindex of its own", "devices", index, "ifindex");
      indexes.add(ifindex);
    }
    for (const [index, { dev, to, via }] of (spec.routes ?? []).entries()) {
      if (!names.has(dev)) complain("expected one of the devices above", "routes", index, "dev");
      if (via !== undefined && via.family !== to.family) {
        complain("expected a next hop of the route's own address family", "routes", index, "via");
      }
    }
  });

export function networkFrom(written: z.output<typeof networkSchema>, origin: Origin): NodeNetwork {
  const { spec } = written;
  return {
    name: written.metadata.name,
    origin,
    devices: spec.devices.map((each) => ({
      name: each.name,
      mac: each.mac === undefined ? null : each.mac.split(":").map((byte) => Number.parseInt(byte, 16)),
      mtu: each.mtu ?? null,
      ifindex: each.ifindex ?? null,
      addresses: each.addresses,
    })),
    routes: (spec.routes ?? []).map((each) => ({ to: each.to, via: each.via ?? null, dev: each.dev, table: each.table ?? 0 })),
    rules: spec.rules ?? [],
    podCidrs: spec.podCIDRs ?? [],
  };
}
