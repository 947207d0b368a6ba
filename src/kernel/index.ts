// What the kernel offers: each hook by itself (for the recordings and for explain), and whole batches for replay.
import { fromContainer } from "./datapath/from-container.ts";
import { toNetdev } from "./datapath/to-netdev.ts";
import { fromOverlay } from "./datapath/from-overlay.ts";
import { fromNetdev } from "./datapath/from-netdev.ts";
import { find, insert, remove } from "./table/dynamic.ts";
import { find6, insert6 } from "./table/dynamic6.ts";
import { processBatch } from "./pipeline/batch.ts";
import { collectGarbage } from "./pipeline/collect.ts";
import { takeRecords } from "./pipeline/intake.ts";
import { joinStream } from "./pipeline/in-order.ts";
import { countEntries, evictEntries } from "./pipeline/quota.ts";

export { fromContainer, toNetdev, fromOverlay, fromNetdev, find, insert, remove, find6, insert6, processBatch, collectGarbage, countEntries, evictEntries, joinStream, takeRecords };
