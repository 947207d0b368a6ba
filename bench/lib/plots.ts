// A page of plots made from results and from nothing else: one SVG, a panel per curve, bars for paths and peers.
import type { BenchResults } from "./results.ts";

const PANEL_WIDTH = 460, PANEL_HEIGHT = 260, LEFT = 62, BOTTOM = 40, TOP = 34, COLUMNS = 2;
const COLOURS = ["#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#475569"];

interface Series {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number; readonly low: number; readonly high: number }[];
}

const escaped = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
const text = (x: number, y: number, words: string, more = ""): string => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escaped(words)}</text>`;
const short = (value: number): string => (value >= 1e6 ? `${+(value / 1e6).toPrecision(3)}M` : value >= 1e3 ? `${+(value / 1e3).toPrecision(3)}k` : String(+value.toPrecision(3)));

/** x on a logarithmic scale, y from 0. */
function curvePanel(title: string, unit: string, series: readonly Series[]): string {
  const all = series.flatMap(({ points }) => points), top = Math.max(...all.map(({ high }) => high)) * 1.08;
  const low = Math.log10(Math.min(...all.map(({ x }) => x))), high = Math.log10(Math.max(...all.map(({ x }) => x))), span = high - low || 1;
  const width = PANEL_WIDTH - LEFT - 16, height = PANEL_HEIGHT - TOP - BOTTOM;
  const px = (x: number): number => LEFT + ((Math.log10(x) - low) / span) * width, py = (y: number): number => TOP + height * (1 - y / top);
  const parts = [text(LEFT, 18, title, 'class="title"'), text(LEFT, 30, unit, 'class="unit"')];
  for (let k = 0; k <= 4; k++) {
    const y = (top * k) / 4;
    parts.push(`<line x1="${LEFT}" x2="${LEFT + width}" y1="${py(y).toFixed(1)}" y2="${py(y).toFixed(1)}" class="grid"/>`, text(LEFT - 6, py(y) + 3, short(y), 'text-anchor="end"'));
  }
  for (const x of new Set(all.map((point) => point.x))) parts.push(text(px(x), TOP + height + 14, short(x), 'text-anchor="middle"'));
  for (const [k, { name, points }] of series.entries()) {
    const colour = COLOURS[k % COLOURS.length] ?? "black", sorted = [...points].sort((a, b) => a.x - b.x);
    parts.push(`<polyline fill="none" stroke="${colour}" stroke-width="1.6" points="${sorted.map(({ x, y }) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(" ")}"/>`);
    for (const { x, y, low: least, high: most } of sorted)
      parts.push(`<line x1="${px(x).toFixed(1)}" x2="${px(x).toFixed(1)}" y1="${py(least).toFixed(1)}" y2="${py(most).toFixed(1)}" stroke="${colour}"/>`, `<circle cx="${px(x).toFixed(1)}" cy="${py(y).toFixed(1)}" r="2.5" fill="${colour}"/>`);
    parts.push(text(LEFT + 4 + (k % 2) * 190, PANEL_HEIGHT - 12 + Math.floor(k / 2) * 11, `■ ${name}`, `fill="${colour}"`));
  }
  return parts.join("\n");
}

function barPanel(title: string, unit: string, bars: readonly { readonly name: string; readonly value: number; readonly low: number; readonly high: number }[]): string {
  const top = Math.max(...bars.map(({ high }) => high)) * 1.05, width = PANEL_WIDTH - 220, step = Math.min(22, (PANEL_HEIGHT - TOP - 8) / bars.length);
  const parts = [text(8, 18, title, 'class="title"'), text(8, 30, unit, 'class="unit"')];
  for (const [k, { name, value, low, high }] of bars.entries()) {
    const y = TOP + k * step, at = (amount: number): number => 180 + (amount / top) * width;
    parts.push(text(174, y + step * 0.65, name, 'text-anchor="end"'), `<rect x="180" y="${(y + 2).toFixed(1)}" width="${(at(value) - 180).toFixed(1)}" height="${(step - 5).toFixed(1)}" fill="${COLOURS[0]}"/>`,
      `<line x1="${at(low).toFixed(1)}" x2="${at(high).toFixed(1)}" y1="${(y + step / 2).toFixed(1)}" y2="${(y + step / 2).toFixed(1)}" stroke="black"/>`, text(at(high) + 4, y + step * 0.65, short(value)));
  }
  return parts.join("\n");
}

export function plotsPage({ growth, memory, paths, peers, replay, machine, commit, date }: BenchResults): string {
  const panels: string[] = [];
  if (paths.length > 0) panels.push(barPanel("Kernel: whole paths", "ns a packet, median and range", paths.map(({ path, build, nanoseconds: { median, min, max } }) => ({ name: `${path}, ${build}`, value: median, low: min, high: max }))));
  if (peers.length > 0) panels.push(barPanel("Peers: file to file", "packets a second", peers.map(({ who, frames, packetsPerSecond: { median, min, max } }) => ({ name: `${who}, ${frames}`, value: median, low: min, high: max }))));
  if (replay.length > 0) panels.push(barPanel("Replays", "packets a second", replay.map(({ frames, kernel, workers, write, packetsPerSecond: { median, min, max } }) => ({ name: `${frames} ${kernel} ${workers} ${write}`, value: median, low: min, high: max }))));
  for (const curve of new Set(growth.map((point) => point.curve))) {
    const own = growth.filter((point) => point.curve === curve);
    panels.push(curvePanel(`Growth with ${curve}`, "ns a packet, WebAssembly", [...new Set(own.map(({ path }) => path))].map((name) => ({
      name, points: own.filter(({ path }) => path === name).map(({ x, nanoseconds: { median, min, max } }) => ({ x, y: median, low: min, high: max })),
    }))));
  }
  for (const of of new Set(memory.map((point) => point.of))) {
    const points = memory.filter((point) => point.of === of).map(({ x, peakBytes }) => [x, peakBytes / 2 ** 20] as const).map(([x, y]) => ({ x, y, low: y, high: y }));
    panels.push(curvePanel(`Memory by ${of}`, "MiB, largest resident set", [{ name: "replay, WebAssembly, one worker", points }]));
  }
  const rows = Math.ceil(panels.length / COLUMNS), width = COLUMNS * PANEL_WIDTH, height = rows * (PANEL_HEIGHT + 20) + 30;
  const placed = panels.map((panel, k) => `<g transform="translate(${(k % COLUMNS) * PANEL_WIDTH} ${30 + Math.floor(k / COLUMNS) * (PANEL_HEIGHT + 20)})">\n${panel}\n</g>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="9">
<style>.title{font-size:13px;font-weight:bold}.unit{fill:#555}.grid{stroke:#ddd}</style><rect width="100%" height="100%" fill="white"/>
${text(8, 18, `egwsim ${commit}, ${date}, ${machine.cpu}, ${machine.cpus} CPUs, Node.js ${machine.node}`)}
${placed.join("\n")}
</svg>
`;
}
