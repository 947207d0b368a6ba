// C0 and C1 controls, DEL, line and paragraph separators, and the bidirectional controls with which a name could pretend
// to be another one (Unicode TR36, section 2.10) or reprogram the terminal.
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Text out of an input, made safe for a terminal: every control character as \uXXXX. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/** The same for several lines of ours that quote inputs: line feeds stay. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** JSON text with those characters escaped, which leaves its meaning alone; line feeds between values stay. */
export function printableJson(json: string): string {
  return printableLines(json);
}
