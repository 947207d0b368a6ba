import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { classicHeader } from "./capture-bytes.ts";
import { expandCapturePaths } from "../../src/io/capture-paths.ts";

const folder = mkdtempSync(join(tmpdir(), "egwsim-paths-"));
afterAll(() => rmSync(folder, { recursive: true }));
const capture = classicHeader({ littleEndian: true, nanoseconds: false });
for (const name of ["b.pcap", "a.PCAPNG", "c.cap.gz", "d.dmp", "ring.pcap0"]) writeFileSync(join(folder, name), capture);
writeFileSync(join(folder, "notes.txt"), "no capture");
writeFileSync(join(folder, "pod.yaml"), "");
mkdirSync(join(folder, "inner.pcap"));
mkdirSync(join(folder, "empty"));
symlinkSync("nowhere", join(folder, "lost.pcap"));

describe("expandCapturePaths", () => {
  it("keeps files and standard input as they are, in their order", async () => {
    const [b, d] = [join(folder, "b.pcap"), join(folder, "d.dmp")];
    expect(await expandCapturePaths([d, "-", b])).toEqual([d, "-", b]);
  });

  it("takes a folder's captures by extension or first bytes, sorted, and no folder in it", async () => {
    const names = ["a.PCAPNG", "b.pcap", "c.cap.gz", "d.dmp", "lost.pcap", "ring.pcap0"];
    expect(await expandCapturePaths([folder])).toEqual(names.map((name) => join(folder, name)));
  });

  it("names every path that cannot be, at once", async () => {
    const [none, empty] = [join(folder, "none.pcap"), join(folder, "empty")];
    const fault: unknown = await expandCapturePaths([none, empty, "-", "-"]).catch((error: unknown) => error);
    expect(fault).toMatchObject({
      name: "InputError",
      problems: [
        { subject: none, message: "looking for captures failed: there is no such file or folder" },
        { subject: empty, message: expect.stringContaining("no capture is in this folder") },
        { subject: "-", message: "is given twice: its packets would count twice", cure: "give it once" },
      ],
    });
  });

  it("notices one file under two names", async () => {
    const [first, again] = [join(folder, "b.pcap"), join(folder, "inner.pcap", "again.pcap")];
    symlinkSync(first, again);
    await expect(expandCapturePaths([first, join(folder, "inner.pcap")])).rejects.toThrow(`${again}: is the same file as ${first}`);
  });
});
