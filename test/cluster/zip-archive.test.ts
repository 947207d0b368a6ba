import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ZipArchive, ZipFault } from "../../src/cluster/zip-archive.ts";
import { withFiles } from "./temporary-manifests.ts";
import { zipOf } from "./zip-bytes.ts";

const FILES = { "a/one.yaml": "kind: Node\n".repeat(500), "two.txt": "", "ü.yaml": "x: 1\n" };

async function contentsOf(bytes: Buffer): Promise<Readonly<Record<string, string>>> {
  return withFiles({ "x.zip": "" }, async (folder) => {
    await writeFile(join(folder, "x.zip"), bytes);
    const archive = await ZipArchive.open(join(folder, "x.zip"));
    try {
      const read: Record<string, string> = {};
      for (const entry of archive.entries) read[entry.name] = (await archive.read(entry)).toString();
      return read;
    } finally {
      await archive.close();
    }
  });
}

function damaged(at: number, value: number): Buffer {
  const bytes = zipOf(FILES);
  bytes.writeUInt8(value, at < 0 ? bytes.length + at : at);
  return bytes;
}

describe("a zip archive", () => {
  it("gives back what was packed", async () => {
    expect(await contentsOf(zipOf(FILES))).toEqual(FILES);
  });

  it("is found behind a comment", async () => {
    const bytes = Buffer.concat([zipOf(FILES), Buffer.from("a comment")]);
    bytes.writeUInt16LE(9, bytes.length - 11);
    expect(await contentsOf(bytes)).toEqual(FILES);
  });

  const hasZip = spawnSync("zip", ["-v"]).status === 0;
  it.skipIf(!hasZip)(`made by Info-ZIP, stored and deflated, is read${hasZip ? "" : " (skipped: zip is not installed)"}`, async () => {
    await withFiles({ "in/a.yaml": "kind: Pod\n".repeat(100), "in/b.yaml": "x" }, async (folder) => {
      expect(spawnSync("zip", ["-q", "-r", "-n", "b.yaml", "out.zip", "in"], { cwd: folder }).status).toBe(0);
      const read = await contentsOf(await readFile(join(folder, "out.zip")));
      expect(read).toMatchObject({ "in/a.yaml": "kind: Pod\n".repeat(100), "in/b.yaml": "x" });
    });
  });

  it.each([
    ["no archive", Buffer.from("kind: Node\n"), "it is no zip archive"],
    ["cut off", zipOf(FILES).subarray(0, 300), "it is no zip archive"],
    ["a wrong byte in an entry", damaged(60, 0x55), "is damaged"],
    ["a directory beyond the end", damaged(-4, 0xff), "an entry lies beyond the end"],
    ["a broken directory", damaged(-22 - 5 - 46 - 1, 0xff), "its directory is broken"],
  ])("with %s is refused with a reason", async (_, bytes, message) => {
    const failure = await contentsOf(bytes).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ZipFault);
    expect(String(failure)).toContain(message);
  });

  it("whose entry is larger than it says is not unpacked", async () => {
    const bytes = zipOf({ "bomb.yaml": "0".repeat(1_000_000) });
    bytes.writeUInt32LE(100, bytes.length - 22 - 9 - 46 + 24);
    await expect(contentsOf(bytes)).rejects.toThrow("bomb.yaml is damaged");
  });

  it("never fails in another way, whatever byte is changed", async () => {
    const original = zipOf({ "a.yaml": "kind: Node\n" });
    for (let at = 0; at < original.length; at++) {
      const bytes = Buffer.from(original);
      bytes.writeUInt8((bytes[at] ?? 0) ^ 0xff, at);
      const outcome = await contentsOf(bytes).catch((error: unknown) => error);
      expect(outcome instanceof ZipFault || !(outcome instanceof Error)).toBe(true);
    }
  });
});
