/** Pieces have about this many characters. */
const PIECE = 256 * 1024;

/** Hands lines over in pieces, waiting after each: the whole text is never in memory. */
export async function inPieces(lines: Iterable<string>, write: (text: string) => Promise<void>): Promise<void> {
  let text = "";
  for (const line of lines) {
    text += line;
    if (text.length < PIECE) continue;
    await write(text);
    text = "";
  }
  if (text !== "") await write(text);
}
