// What iproute2's `ip` prints about a node (ip a, ip r, ip -d rule), as the parts of a NodeNetwork. Lines that say nothing the
// model has a place for are passed over: the output is read for facts, it is not a manifest.
import { type IpAddress, type IpPrefix, parseAddress, parseCidr } from "./cidr.ts";
import type { NetworkDevice, NetworkRoute, NetworkRule } from "./model.ts";

/** pkg/defaults/node.go: devices that the agent does not run its programs on. Pods' own devices are veth pairs, too. */
const NOT_OUTSIDE = /^(cilium_|lxc|cni|docker|veth)/;
const LOOPBACK = "lo";
const MAIN_TABLE = 254;

/** `ip a`: devices with addresses in the kernel's order, those without addresses last. The loopback device is kept only for
 * addresses that are not its own. */
export function devicesFrom(text: string): readonly NetworkDevice[] {
  const devices: (NetworkDevice & { readonly addresses: IpPrefix[]; mac: readonly number[] | null })[] = [];
  for (const line of text.split("\n")) {
    const [, ifindex, name, mtu] = /^([0-9]{1,9}): ([^\s:@]{1,15})[@:].* mtu ([0-9]{1,5}) /.exec(line) ?? [];
    if (ifindex !== undefined && name !== undefined) {
      devices.push({ name, ifindex: Number(ifindex), mtu: Number(mtu), mac: null, addresses: [] });
      continue;
    }
    const device = devices.at(-1);
    if (device === undefined) continue;
    const [, mac] = /^\s+link\/ether ([0-9a-f]{2}(?::[0-9a-f]{2}){5}) /.exec(line) ?? [];
    if (mac !== undefined) device.mac = mac.split(":").map((byte) => Number.parseInt(byte, 16));
    const [, address] = /^\s+inet6? ([0-9a-f.:]+\/[0-9]{1,3}) /.exec(line) ?? /^\s+inet6? ([0-9a-f.:]+) peer /.exec(line) ?? [];
    const parsed = address === undefined ? null : parseCidr(address.includes("/") ? address : `${address}/${address.includes(":") ? 128 : 32}`);
    if (parsed?.ok === true && !(device.name === LOOPBACK && isLoopback(parsed.value))) device.addresses.push(parsed.value);
  }
  const kept = devices.filter(({ name, addresses }) => !NOT_OUTSIDE.test(name) && (name !== LOOPBACK || addresses.length > 0));
  return [...kept.filter(({ name, addresses }) => addresses.length > 0 && name !== LOOPBACK), ...kept.filter(({ name, addresses }) => addresses.length === 0 || name === LOOPBACK)];
}

/** `ip -4 r`, `ip -6 r` and `ip route show table N`: unicast routes by one of `devices`. Table 0 is the main one. */
export function routesFrom(text: string, family: 4 | 6, table: number, devices: ReadonlySet<string>): readonly NetworkRoute[] {
  const routes: NetworkRoute[] = [];
  for (const line of text.split("\n")) {
    const [target = "", ...words] = line.trim().split(/\s+/);
    const dev = after(words, "dev");
    const to = target === "default" ? anywhere(family) : prefixFrom(target);
    if (to === null || to.family !== family || dev === null || !devices.has(dev)) continue;
    const written = after(words, "via");
    const via = written === null ? null : addressFrom(written === "inet6" ? (after(words, "inet6") ?? "") : written);
    if (written !== null && via?.family !== family) continue;
    routes.push({ to, via, dev, table: table === MAIN_TABLE ? 0 : table });
  }
  return routes;
}

/** `ip rule`: rules by source alone, in order of priority; those by mark and the kernel's three own ones are left out. */
export function rulesFrom(text: string): readonly NetworkRule[] {
  const rules: NetworkRule[] = [];
  for (const line of text.split("\n")) {
    const [, from, table] = /^[0-9]+:\s+from ([0-9a-f.:/]+) lookup ([0-9]{1,10})(?: |$)/.exec(line) ?? [];
    const prefix = from === undefined ? null : prefixFrom(from);
    if (prefix !== null && table !== undefined) rules.push({ from: prefix, table: Number(table) });
  }
  return rules;
}

function after(words: readonly string[], word: string): string | null {
  const at = words.indexOf(word);
  return at < 0 ? null : (words[at + 1] ?? null);
}

function anywhere(family: 4 | 6): IpPrefix {
  return family === 4 ? { family, address: 0, bits: 0 } : { family, address: 0n, bits: 0 };
}

/** A single address stands for itself. */
function prefixFrom(text: string): IpPrefix | null {
  const parsed = parseCidr(text.includes("/") ? text : `${text}/${text.includes(":") ? 128 : 32}`);
  return parsed.ok ? parsed.value : null;
}

function addressFrom(text: string): IpAddress | null {
  const parsed = parseAddress(text);
  return parsed.ok ? parsed.value : null;
}

function isLoopback(prefix: IpPrefix): boolean {
  return prefix.family === 4 ? prefix.address >>> 24 === 127 : prefix.address === 1n;
}
