// Ranges of ports as prefixes (pkg/policy/portrange.go): the largest aligned blocks from below.

export interface PortPrefix {
  readonly port: number;
  /** 0 to 16. */
  readonly bits: number;
}

/** An end that is not above the start names the start alone. */
export function portPrefixes(start: number, end: number): readonly PortPrefix[] {
  if (end <= start) return [{ port: start, bits: 16 }];
  const prefixes: PortPrefix[] = [];
  for (let port = start; port <= end;) {
    let size = 1;
    while (port % (size * 2) === 0 && port + size * 2 - 1 <= end && size < 65_536) size *= 2;
    prefixes.push({ port, bits: 16 - Math.log2(size) });
    port += size;
  }
  return prefixes;
}
