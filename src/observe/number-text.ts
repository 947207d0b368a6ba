/** 1204881 → 1,204,881; independent of the machine's locale. */
export function withThousands(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** "1 packet", "2 packets"; `word` takes a plain s. */
export function counted(count: number, word: string): string {
  return `${withThousands(count)} ${word}${count === 1 ? "" : "s"}`;
}

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** Decimal units, one digit after the point from kB on. */
export function formatBytes(bytes: number): string {
  let value = bytes, unit = 0;
  while (value >= 999.95 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${BYTE_UNITS[unit] ?? ""}`;
}

/** Seconds: 0.041 s, 61.2 s, 12 min 5 s, 3 h 20 min. */
export function formatSeconds(seconds: number): string {
  if (seconds < 1) return `${seconds.toFixed(3)} s`;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${withThousands(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

/** A rate: 2.9 M, 640 k, 12. */
export function formatRate(perSecond: number): string {
  if (!Number.isFinite(perSecond) || perSecond <= 0) return "0";
  if (perSecond >= 999_500) return `${(perSecond / 1e6).toFixed(1)} M`;
  if (perSecond >= 1000) return `${Math.round(perSecond / 1000)} k`;
  return String(Math.round(perSecond));
}

/** Share of a whole; what is there never shows as 0.0 % and what is not full never as 100.0 %. */
export function formatShare(part: number, whole: number): string {
  if (whole <= 0 || part <= 0) return "0 %";
  const percent = (100 * part) / whole;
  if (percent < 0.1) return "<0.1 %";
  if (percent > 99.9 && part < whole) return ">99.9 %";
  return `${percent.toFixed(1)} %`;
}
