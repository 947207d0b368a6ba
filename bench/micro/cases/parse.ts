// What is read of a frame before anything is looked up: on the main thread by whom and for whom it is, in the kernel whether its
// flow's way may be taken.
import { AddressBook4, AddressBook6 } from "../../../src/engine/address-book.ts";
import { ADDRESS_POD } from "../../../src/engine/image/cluster-addresses.ts";
import { IPV4 } from "../../../src/engine/ip-header.ts";
import { Steering } from "../../../src/engine/steer.ts";
import { SeededRandom } from "../../../src/generate/random.ts";
import { LINK_OK, LINKTYPE_ETHERNET, LinkLayer, locateNetworkHeader } from "../../../src/io/link-layer.ts";
import { ofBuilds, type Question, ROUNDS } from "../question.ts";
import { frame, POD, SMALL_FRAME } from "../sample-packet.ts";
import type { TestBed } from "../test-bed.ts";

const PODS = 1000, SLOT = 64;

export function parsing(bed: TestBed): Question[] {
  return [plain(bed), steering()];
}

function plain(bed: TestBed): Question {
  const random = new SeededRandom(8), frames = bed.arena.take(ROUNDS * SLOT, 64);
  for (let k = 0; k < ROUNDS; k++) bed.arena.bytes.set(frame(SMALL_FRAME, POD + random.below(PODS), random.below(65_536)), frames + k * SLOT);
  return ofBuilds("parse", `${SMALL_FRAME}-byte frame`, (build) => bed.loops(build).loopParse(frames, SLOT, SMALL_FRAME, ROUNDS));
}

function steering(): Question {
  const random = new SeededRandom(5);
  const book = new AddressBook4(Array.from({ length: PODS }, (_, k) => ({ address: POD + k, node: k % 10, kind: ADDRESS_POD, ifindex: 2, mac: [] })));
  const steer = new Steering(book, new AddressBook6([]), 8472), link = new LinkLayer();
  const block = new Uint8Array(ROUNDS * SLOT);
  for (let k = 0; k < ROUNDS; k++) block.set(frame(SMALL_FRAME, POD + random.below(PODS), random.below(65_536)), k * SLOT);
  return {
    name: "parse and steer", parameters: `${PODS.toLocaleString("en-US")} pods`, operations: ROUNDS, builds: ["main thread"],
    run: () => {
      let sum = 0;
      for (let k = 0; k < ROUNDS; k++) {
        const at = k * SLOT;
        if (locateNetworkHeader(LINKTYPE_ETHERNET, block, at, SMALL_FRAME, link) !== LINK_OK) throw new Error("the bench's frame has no network header");
        const length = SMALL_FRAME - link.networkOffset;
        if (steer.steer(IPV4, block, at + link.networkOffset, length, length, true) !== null) throw new Error("the bench's frame enters nowhere");
        sum ^= steer.shard + steer.node;
      }
      return sum;
    },
  };
}
