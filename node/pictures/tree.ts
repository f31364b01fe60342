/**
 * A spanning tree over its photograph, drawn like a river system seen from above: every path runs to the root,
 * a stroke is the wider the more vertices drain through it, and its colour tells the depth.
 */

import { COLOUR_STEPS, DEPTH_COLOURS, sampleColours } from '../../plugin/image/colour_map.js';
import { checkRgbImage, type RgbImage } from '../../plugin/image/rgb_image.js';
import { checkGrid, dim, encodePng, enlarge, type Grid } from './canvas.js';

export interface TreePicture {
  /** The photograph, the same field of view as the model had; any size. */
  image: RgbImage;
  /** The V = height * width vertices; vertex v is cell (v % width, floor(v / width)). */
  grid: Grid;
  /** int32 [V]: vertex ids in breadth-first order from the root. */
  order: Int32Array;
  /** int32 [V]: position in `order` of the parent of `order[i]`; `parent[i] < i`, `parent[0] = 0`. */
  parent: Int32Array;
}

/** Widths in cells: of a leaf, and of a stream that carries every vertex. */
const LEAF_WIDTH = 0.13;
const TRUNK_WIDTH = 0.62;

/** A river's width grows about with the square root of its discharge (L. Leopold, T. Maddock, 1953). */
const WIDTH_EXPONENT = 0.5;

/** Strokes of about the same width are drawn together, thin ones below. */
const WIDTH_CLASSES = 24;

/** A dark bank on both sides keeps neighbouring streams apart; in cells. */
const BANK_WIDTH = 0.07;
const BANK_COLOUR = '#0a0a14';

const BACKDROP = { brightness: 0.48, colour: 0.55 };

/**
 * Draws the tree as a PNG, 1120 pixels on the long side.
 * Throws `Error` when the sizes do not match or `order` and `parent` are not a tree in breadth-first order.
 */
export async function drawTree(picture: TreePicture): Promise<Buffer> {
  checkTree(picture);
  const canvas = dim(enlarge(picture.image), BACKDROP.brightness, BACKDROP.colour);
  return encodePng(canvas, treeElements(picture, canvas.width, canvas.height));
}

function checkTree({ image, grid, order, parent }: TreePicture): void {
  checkRgbImage('drawTree', image);
  checkGrid('drawTree', grid);
  const vertices = grid.height * grid.width;
  if (order.length !== vertices || parent.length !== vertices) {
    throw new Error(
      `drawTree: a grid of ${grid.height}x${grid.width} has ${vertices} vertices, ` +
        `got ${order.length} in order and ${parent.length} in parent`,
    );
  }
  const seen = new Uint8Array(vertices);
  for (let i = 0; i < vertices; i++) {
    if (!(order[i] >= 0 && order[i] < vertices) || seen[order[i]]++) {
      throw new Error(`drawTree: order[${i}] = ${order[i]} is not a vertex that comes once`);
    }
    if (i === 0 ? parent[0] !== 0 : !(parent[i] >= 0 && parent[i] < i)) {
      throw new Error(`drawTree: parent[${i}] = ${parent[i]} is not an earlier position`);
    }
  }
}

function treeElements({ grid, order, parent }: TreePicture, width: number, height: number): string {
  const vertices = order.length;
  const cell = Math.min(width / grid.width, height / grid.height);
  const x = Float64Array.from(order, (v) => ((v % grid.width) + 0.5) * (width / grid.width));
  const y = Float64Array.from(order, (v) => (Math.floor(v / grid.width) + 0.5) * (height / grid.height));

  const depth = new Int32Array(vertices);
  for (let i = 1; i < vertices; i++) depth[i] = depth[parent[i]] + 1;
  const deepest = Math.max(1, depth[vertices - 1]);
  const drained = new Int32Array(vertices).fill(1);
  for (let i = vertices - 1; i > 0; i--) drained[parent[i]] += drained[i];

  // strokes[width class][colour] is the path data of all strokes that look the same
  const strokes = Array.from({ length: WIDTH_CLASSES }, () => new Map<number, string[]>());
  for (let i = 1; i < vertices; i++) {
    const share = (drained[i] / vertices) ** WIDTH_EXPONENT;
    const byColour = strokes[Math.round(share * (WIDTH_CLASSES - 1))];
    const colour = Math.round((depth[i] / deepest) * (COLOUR_STEPS - 1));
    const paths = byColour.get(colour) ?? [];
    byColour.set(colour, paths);
    paths.push(streamPath(x, y, i, parent, drained[i] === 1));
  }

  const colours = sampleColours(DEPTH_COLOURS);
  const banks: string[] = [];
  const streams: string[] = [];
  for (const [widthClass, byColour] of strokes.entries()) {
    if (byColour.size === 0) continue;
    const share = widthClass / (WIDTH_CLASSES - 1);
    const stroke = (LEAF_WIDTH + (TRUNK_WIDTH - LEAF_WIDTH) * share) * cell;
    const path = (data: string, colour: string, strokeWidth: number) =>
      `<path d="${data}" stroke="${colour}" stroke-width="${strokeWidth.toFixed(2)}"/>`;
    banks.push(path([...byColour.values()].flat().join(''), BANK_COLOUR, stroke + 2 * BANK_WIDTH * cell));
    for (const [index, data] of byColour) {
      const colour = `rgb(${colours.subarray(3 * index, 3 * index + 3).join()})`;
      streams.push(path(data.join(''), colour, stroke));
    }
  }
  return (
    `<g fill="none" stroke-linecap="round" stroke-linejoin="round">${[...banks, ...streams].join('')}</g>` +
    rootElements(x[0], y[0], cell)
  );
}

/**
 * The stream that leaves the vertex at position i: from the middle of its edge to its parent, round the parent's
 * corner, to the middle of the parent's own edge. A leaf starts at its own centre; at the root a stream ends.
 */
function streamPath(
  x: Float64Array,
  y: Float64Array,
  i: number,
  parent: Int32Array,
  isLeaf: boolean,
): string {
  const point = (px: number, py: number) => `${px.toFixed(1)} ${py.toFixed(1)}`;
  const middle = (a: number, b: number) => point((x[a] + x[b]) / 2, (y[a] + y[b]) / 2);
  const p = parent[i];
  const start = isLeaf ? `M${point(x[i], y[i])}L${middle(i, p)}` : `M${middle(i, p)}`;
  const corner = point(x[p], y[p]);
  return p === 0 ? `${start}L${corner}` : `${start}Q${corner} ${middle(p, parent[p])}`;
}

function rootElements(x: number, y: number, cell: number): string {
  const circle = (radius: number, paint: string) =>
    `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${(radius * cell).toFixed(2)}" ${paint}/>`;
  return (
    circle(0.46, `fill="${BANK_COLOUR}"`) +
    circle(0.38, 'fill="#fff"') +
    circle(0.18, `fill="${BANK_COLOUR}"`)
  );
}
