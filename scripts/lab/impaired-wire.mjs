// A wire between an interface and a TAP device that loses frames and holds some back, so that others overtake them: what tc netem does
// where the kernel has it.
//
//   node scripts/lab/impaired-wire.mjs INTERFACE TAP LOST% LATE% SEED
//
// Says "ready", and on SIGTERM what it did, as JSON. The interface must have no address and no bridge: frames come to both.
import { createRequire } from "node:module";
import { setImmediate } from "node:timers/promises";

const native = createRequire(import.meta.url)("../../native-bindings/build/egwsim.node");
const [interfaceName, tapName, lostPercent, latePercent, seed] = process.argv.slice(2);
const STRIDE = 2048, SLOTS = 257;
/** Milliseconds that a late frame is held back, and between looks at what is held. */
const LATEST_MS = 5, LOOK_MS = 1;

const memory = new Uint8Array(new SharedArrayBuffer(STRIDE * (SLOTS + 1))), lengths = new Int32Array(SLOTS), result = new Int32Array(4);
/** Where a late frame is written from. */
const LATE_SLOT = STRIDE * SLOTS;

/** xorshift32 (Marsaglia 2003): the same fates for the same seed. */
let state = (Number(seed) | 0) || 1;
function percent() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % 100;
}

const sockets = new Int32Array(1);
native.openPackets(interfaceName, sockets);
const packet = { fd: sockets[0], read: native.readPacket, write: native.writePacket };
const tap = { fd: native.openTap(tapName, false, false), read: native.readTap, write: native.writeTap };
native.setLink(tapName, 0, new Uint8Array(0), 0, 0);
const directions = [{ from: packet, to: tap }, { from: tap, to: packet }].map((ends) => ({ ...ends, received: 0, lost: 0, late: 0, sent: 0, held: [] }));

function send(direction, at, length) {
  direction.to.write(direction.to.fd, memory, Int32Array.of(at, length), 1, result);
  direction.sent += result[0];
}

function carry(direction, now) {
  const count = direction.from.read(direction.from.fd, memory, 0, STRIDE, SLOTS - 1, lengths);
  for (let k = 0; k < count; k++) {
    const at = k * STRIDE, length = lengths[k];
    direction.received++;
    if (length < 0 || percent() < Number(lostPercent)) direction.lost++;
    else if (percent() < Number(latePercent)) {
      direction.late++;
      direction.held.push({ due: now + 1 + (percent() % LATEST_MS), frame: memory.slice(at, at + length) });
    } else send(direction, at, length);
  }
}

function release(direction, now) {
  const due = direction.held.filter((each) => each.due <= now);
  if (due.length > 0) direction.held = direction.held.filter((each) => each.due > now);
  for (const { frame } of due) {
    memory.set(frame, LATE_SLOT);
    send(direction, LATE_SLOT, frame.length);
  }
}

let isOver = false;
process.once("SIGTERM", () => { isOver = true; });
const wake = native.openWake(), descriptors = Int32Array.of(wake, packet.fd, tap.fd), ready = new Int32Array(3);
console.log("ready");
while (!isOver) {
  native.waitReady(descriptors, ready, directions.some(({ held }) => held.length > 0) ? LOOK_MS : LATEST_MS);
  const now = performance.now();
  for (const [k, direction] of directions.entries()) {
    if (ready[k + 1] !== 0) carry(direction, now);
    release(direction, now);
  }
  // Signals come by the event loop.
  await setImmediate();
}
const [fromInterface, fromTap] = directions.map(({ received, lost, late, sent, held }) => ({ received, lost, late, sent, held: held.length }));
console.log(JSON.stringify({ fromInterface, fromTap }));
for (const fd of [wake, packet.fd, tap.fd]) native.close(fd);
