// A device on the command line: NAME, tap:NAME or packet:NAME, then properties: tap:egw-pods,mtu=1450,address=10.0.0.1/24.
import type { InputProblem } from "../cluster/input-error.ts";
import type { DeviceWish } from "../live/live-options.ts";

/** IFNAMSIZ without the closing zero. */
const LONGEST_NAME = 15;

/** Adds to `problems` what is wrong; then the wish means nothing. */
export function readDeviceWish(text: string, option: string, problems: InputProblem[]): DeviceWish {
  const [first = "", ...properties] = text.split(",");
  const colon = first.indexOf(":"), kind = colon < 0 ? "tap" : first.slice(0, colon), name = first.slice(colon + 1);
  const wrong = (message: string, cure: string): void => { problems.push({ at: null, subject: `${option} ${text}`, message, cure }); };
  if (kind !== "tap" && kind !== "packet") wrong(`"${kind}" is no kind of device`, "tap:NAME for a TAP, packet:NAME for an existing interface");
  if (!new RegExp(`^[^/\\s%]{1,${LONGEST_NAME}}$`).test(name) || name === "." || name === "..") wrong(`"${name}" is no name of a device`, `1 to ${LONGEST_NAME} characters, for example tap:egw-pods`);
  let mtu = 0, mac: readonly number[] = [], address: DeviceWish["address"] = null, persist = false;
  for (const property of properties) {
    const [key = "", value = ""] = property.split("=");
    if (key === "mtu" && /^\d{2,5}$/.test(value) && Number(value) >= 68 && Number(value) <= 65_521) mtu = Number(value);
    else if (key === "mac" && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(value)) mac = value.split(":").map((byte) => Number.parseInt(byte, 16));
    else if (key === "address" && readAddress(value) !== null) address = readAddress(value);
    else if (property === "persist") persist = true;
    else wrong(`"${property}" is no property of a device`, "mtu=68 to 65521, mac=02:00:00:00:00:01, address=10.0.0.1/24, persist");
  }
  if (kind === "packet" && properties.length > 0) wrong("an existing interface keeps its properties", "leave them out");
  return { kind: kind === "packet" ? "packet" : "tap", name, mtu, mac, address, persist };
}

function readAddress(text: string): DeviceWish["address"] {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (match === null) return null;
  const [a = 0, b = 0, c = 0, d = 0, bits = 0] = match.slice(1).map(Number);
  return a > 255 || b > 255 || c > 255 || d > 255 || bits < 1 || bits > 32 ? null : { address: ((a << 24) | (b << 16) | (c << 8) | d) >>> 0, bits };
}
