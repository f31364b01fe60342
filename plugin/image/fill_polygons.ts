/**
 * Rasterises polygons of COCO's annotations pixel by pixel as pycocotools does: each edge is sampled in steps of a fifth of
 * a pixel, and a run in a pixel column starts or ends where the samples cross its centre.
 */
import { compressCounts, type RunLengths } from './mask.js';
import type { Extent } from './prepare.js';

/** Steps per side of a pixel. */
const STEPS = 5;

/**
 * Encodes the union of polygons as compressed COCO run lengths.
 * @param polygons alternating x and y of the corners in pixels; parts outside of the image are clipped
 * @throws {Error} one line, if a polygon has fewer than three corners, or a corner far outside of the image.
 */
export function encodePolygons(
  polygons: readonly (readonly number[])[],
  { width, height }: Extent,
): RunLengths & { readonly counts: string } {
  const counts: number[] = [];
  let end = 0;
  for (const [from, to] of union(polygons.flatMap((polygon) => runsOf(polygon, { width, height })))) {
    counts.push(from - end, to - from);
    end = to;
  }
  if (end < width * height || counts.length === 0) counts.push(width * height - end);
  return { size: [height, width], counts: compressCounts(counts) };
}

/**
 * Corners may lie outside of the image, but not far, so that a small file cannot cause much work.
 * @throws {Error} as {@link encodePolygons}.
 */
export function checkPolygon(polygon: readonly number[], { width, height }: Extent): void {
  if (polygon.length < 6 || polygon.length % 2 === 1) {
    throw new Error(`a polygon of ${polygon.length} numbers, expected x and y of at least 3 corners`);
  }
  const margin = width + height;
  const wrong = polygon.find((value) => !(value >= -margin && value <= 2 * margin));
  if (wrong !== undefined) {
    throw new Error(`a polygon with a corner at ${wrong}, far from an image of ${width} x ${height} pixels`);
  }
}

/** Returns the runs of a polygon's pixels, counted column by column: pairs of crossings of its outline. */
function runsOf(polygon: readonly number[], { width, height }: Extent): [from: number, to: number][] {
  checkPolygon(polygon, { width, height });
  const crossings: number[] = [];
  let before: { u: number; v: number } | undefined;
  for (let i = 0; i < polygon.length; i += 2) {
    const corner = (at: number) => Math.trunc(STEPS * polygon[at % polygon.length] + 0.5);
    walk([corner(i), corner(i + 1)], [corner(i + 2), corner(i + 3)], (u, v) => {
      if (before && u !== before.u) {
        const x = ((u < before.u ? u : u - 1) + 0.5) / STEPS - 0.5;
        if (Number.isInteger(x) && x >= 0 && x <= width - 1) {
          const y = (Math.min(v, before.v) + 0.5) / STEPS - 0.5;
          crossings.push(x * height + Math.ceil(Math.min(Math.max(y, 0), height)));
        }
      }
      before = { u, v };
    });
  }
  crossings.push(width * height);
  crossings.sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (let i = 0; i + 1 < crossings.length; i += 2) runs.push([crossings[i], crossings[i + 1]]);
  return runs;
}

/**
 * Visits the grid points of an edge in steps of 1 along its longer axis, from one end to the other. The other coordinate is
 * rounded as seen from the end with the smaller one, so that both directions of an edge give the same points.
 */
function walk(
  [x0, y0]: readonly [number, number],
  [x1, y1]: readonly [number, number],
  visit: (u: number, v: number) => void,
): void {
  const [dx, dy] = [Math.abs(x1 - x0), Math.abs(y1 - y0)];
  const steps = Math.max(dx, dy);
  if (steps === 0) return;
  const isWide = dx >= dy;
  const isReversed = isWide ? x0 > x1 : y0 > y1;
  const [fromX, fromY, toX, toY] = isReversed ? [x1, y1, x0, y0] : [x0, y0, x1, y1];
  const slope = isWide ? (toY - fromY) / dx : (toX - fromX) / dy;
  for (let step = 0; step <= steps; step++) {
    const at = isReversed ? steps - step : step;
    if (isWide) visit(fromX + at, Math.trunc(fromY + slope * at + 0.5));
    else visit(Math.trunc(fromX + slope * at + 0.5), fromY + at);
  }
}

/** Merges runs into ascending runs that neither overlap nor touch. */
function union(runs: [from: number, to: number][]): [from: number, to: number][] {
  const merged: [number, number][] = [];
  for (const [from, to] of runs.sort((a, b) => a[0] - b[0])) {
    if (from === to) continue;
    const last = merged.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}
