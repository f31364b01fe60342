/** Error distributions as small histograms on a logarithmic axis. */
import { HISTOGRAM_BINS, HISTOGRAM_LOWEST } from '../measure.js';
import type { CaseResult } from './report.js';
import { isBelowFloor } from './terminal.js';

const [WIDTH, HEIGHT, ZERO_WIDTH, AXIS] = [240, 46, 16, 13];
const BIN = (WIDTH - ZERO_WIDTH - 6) / HISTOGRAM_BINS;

/** Errors of all elements of all cases, relative to the largest value of each; undefined if nothing was measured. */
export function errorHistogram(results: readonly CaseResult[]): string | undefined {
  const counts = new Array<number>(HISTOGRAM_BINS + 1).fill(0);
  for (const { histogram } of results.filter((result) => !isBelowFloor(result))) {
    for (const [i, count] of histogram?.entries() ?? []) counts[i] += count;
  }
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  // Square roots: one element in a hundred thousand must still be visible.
  const height = (count: number) =>
    count === 0 ? 0 : Math.max(1.5, (HEIGHT - AXIS - 2) * Math.sqrt(count / total));
  const base = HEIGHT - AXIS;
  const bar = (x: number, width: number, count: number, style: string, title: string) =>
    count === 0
      ? ''
      : `<rect class="${style}" x="${x.toFixed(1)}" y="${(base - height(count)).toFixed(1)}" width="${width.toFixed(1)}" ` +
        `height="${height(count).toFixed(1)}"><title>${title}: ${count} of ${total}</title></rect>`;
  const bars = counts.slice(1).map((count, i) => {
    const from = `1e${HISTOGRAM_LOWEST + i / 2}`;
    return bar(binX(i), BIN - 1, count, 'bar', `from ${from}`);
  });
  const bound = boundOf(results);
  const boundLine =
    bound === undefined
      ? ''
      : `<line class="bound" x1="${bound}" x2="${bound}" y1="0" y2="${base}"><title>bound</title></line>`;
  const ticks = [-10, -8, -6, -4, -2, 0].map((decade) => {
    const x = binX(2 * (decade - HISTOGRAM_LOWEST));
    const anchor = decade === 0 ? 'end' : 'middle';
    return `<text x="${x.toFixed(1)}" y="${HEIGHT - 2}" text-anchor="${anchor}">1e${decade}</text>`;
  });
  return (
    `<svg class="histogram" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="distribution of errors">` +
    bar(0, ZERO_WIDTH - 4, counts[0], 'zero', 'exact') +
    bars.join('') +
    boundLine +
    `<line class="axis" x1="0" x2="${WIDTH}" y1="${base}" y2="${base}"/>` +
    `<text x="0" y="${HEIGHT - 2}">0</text>${ticks.join('')}</svg>`
  );
}

function binX(bin: number): number {
  return ZERO_WIDTH + bin * BIN;
}

/** Position of the loosest relative bound of the cases on the axis. */
function boundOf(results: readonly CaseResult[]): string | undefined {
  const bounds = results.flatMap(({ bound }) => (bound && bound.relative > 0 ? [bound.relative] : []));
  if (bounds.length === 0) return undefined;
  return binX(2 * (Math.log10(Math.max(...bounds)) - HISTOGRAM_LOWEST)).toFixed(1);
}
