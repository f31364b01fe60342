/**
 * Draws a spanning tree over its photograph in the style of a river map: every path leads to the root, the width of a stroke
 * grows with the number of vertices in its subtree, and its colour encodes the depth or a value of the edge.
 */
import { checkGrid, dim, enlarge, type Grid } from './backdrop.js';
import { COLOUR_STEPS, colourIndex, DEPTH_COLOURS, ranksOf, sampleColours } from './colour_map.js';
import { checkRgbImage, type RgbImage } from './rgb_image.js';
import { curveTo, StrokeLayer } from './stroke_layer.js';

export interface TreeDrawing {
  /** The photograph, with the model's field of view; any size. */
  image: RgbImage;
  /** The V = height * width vertices; vertex v is cell (v % width, floor(v / width)). */
  grid: Grid;
  /** int32 [V]: vertex ids in breadth-first order from the root. */
  order: Int32Array;
  /** int32 [V]: position in `order` of the parent of `order[i]`; `parent[i] < i`, `parent[0] = 0`. */
  parent: Int32Array;
  /**
   * float32 [V], in the order of `order`: a value of each edge to the parent, which its colour encodes by rank, largest
   * lightest; the root's is ignored. For example `BlockView.dissimilarity`. Default: colours encode the depth.
   */
  edgeValues?: Float32Array;
}

/** Stroke widths in cells: of a leaf, and of an edge whose subtree is the whole tree. */
const LEAF_WIDTH = 0.13;
const TRUNK_WIDTH = 0.62;

/** A river's width grows roughly with the square root of its discharge (L. Leopold, T. Maddock, 1953). */
const WIDTH_EXPONENT = 0.5;

/** Strokes of similar width are drawn together, thin ones first. */
const WIDTH_CLASSES = 24;

/** Width of the dark border that separates neighbouring strokes, in cells. */
const BANK_WIDTH = 0.07;
const BANK_COLOUR = [10, 10, 20];
const WHITE = [255, 255, 255];

/** Palette indices: one for each depth, then these two. */
const BANK = COLOUR_STEPS;
const ROOT_RING = COLOUR_STEPS + 1;

/** More cells than a drawing of LONG_SIDE pixels can show; 100 MB of working memory. */
export const MAX_DRAWN_VERTICES = 1 << 22;

const BACKDROP = { brightness: 0.48, colour: 0.55 };

/**
 * Draws the tree, 1120 pixels on the long side; the same input gives the same pixels.
 * @throws {Error} if the sizes do not match, `order` and `parent` are not a tree in breadth-first order, it has more than
 *   MAX_DRAWN_VERTICES vertices, or a value is NaN.
 */
export function drawTree(drawing: TreeDrawing): RgbImage {
  checkTree(drawing);
  const canvas = dim(enlarge(drawing.image), BACKDROP.brightness, BACKDROP.colour);
  const layer = new StrokeLayer(canvas.width, canvas.height);
  drawStreams(layer, drawing, canvas);
  layer.blend(canvas, Uint8Array.of(...sampleColours(DEPTH_COLOURS), ...BANK_COLOUR, ...WHITE));
  return canvas;
}

function checkTree({ image, grid, order, parent, edgeValues }: TreeDrawing): void {
  checkRgbImage('drawTree', image);
  checkGrid('drawTree', grid);
  const vertices = grid.height * grid.width;
  if (order.length !== vertices || parent.length !== vertices) {
    throw new Error(
      `drawTree: a grid of ${grid.height}x${grid.width} has ${vertices} vertices, ` +
        `got ${order.length} in order and ${parent.length} in parent`,
    );
  }
  if (vertices > MAX_DRAWN_VERTICES) {
    throw new Error(
      `drawTree: the tree has ${vertices} vertices, at most ${MAX_DRAWN_VERTICES} are drawn: take the tree of a smaller image`,
    );
  }
  if (edgeValues && edgeValues.length !== vertices) {
    throw new Error(`drawTree: expected ${vertices} values of edges, one a vertex, got ${edgeValues.length}`);
  }
  const bad = edgeValues?.findIndex(Number.isNaN) ?? -1;
  if (bad >= 0) throw new Error(`drawTree: edgeValues[${bad}] is NaN, expected a number`);
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

function drawStreams(layer: StrokeLayer, drawing: TreeDrawing, canvas: RgbImage): void {
  const { grid, order, parent, edgeValues } = drawing;
  const vertices = order.length;
  const step = { x: canvas.width / grid.width, y: canvas.height / grid.height };
  const cell = Math.min(step.x, step.y);
  const x = Float64Array.from(order, (v) => ((v % grid.width) + 0.5) * step.x);
  const y = Float64Array.from(order, (v) => (Math.floor(v / grid.width) + 0.5) * step.y);

  const depth = new Int32Array(vertices);
  for (let i = 1; i < vertices; i++) depth[i] = depth[parent[i]] + 1;
  const deepest = Math.max(1, depth[vertices - 1]);
  const ranks = edgeValues && ranksOf(edgeValues.subarray(1));
  const colourOf = (i: number) => colourIndex(ranks ? 1 - ranks[i - 1] : depth[i] / deepest);
  const drained = new Int32Array(vertices).fill(1);
  for (let i = vertices - 1; i > 0; i--) drained[parent[i]] += drained[i];

  const widthClasses = Uint8Array.from(drained, (count) =>
    Math.round((count / vertices) ** WIDTH_EXPONENT * (WIDTH_CLASSES - 1)),
  );
  const thinFirst = Int32Array.from({ length: vertices - 1 }, (_, i) => i + 1).sort(
    (a, b) => widthClasses[a] - widthClasses[b] || a - b,
  );
  const draw = (extraWidth: number, colourOf: (i: number) => number) => {
    for (const i of thinFirst) {
      const share = widthClasses[i] / (WIDTH_CLASSES - 1);
      const width = LEAF_WIDTH + (TRUNK_WIDTH - LEAF_WIDTH) * share + extraWidth;
      layer.stroke(streamPoints(x, y, i, parent, drained[i] === 1), width * cell, colourOf(i));
    }
  };
  draw(2 * BANK_WIDTH, () => BANK);
  draw(0, colourOf);

  for (const [radius, colour] of [
    [0.46, BANK],
    [0.38, ROOT_RING],
    [0.18, BANK],
  ]) {
    layer.stroke([x[0], y[0]], 2 * radius * cell, colour);
  }
}

/**
 * Returns the stroke of the vertex at position i: from the midpoint of the edge to its parent, in a curve around the parent,
 * to the midpoint of the parent's own edge. The stroke of a leaf starts at the leaf; strokes to the root end there.
 */
function streamPoints(
  x: Float64Array,
  y: Float64Array,
  i: number,
  parent: Int32Array,
  isLeaf: boolean,
): number[] {
  const p = parent[i];
  const points = isLeaf ? [x[i], y[i]] : [];
  points.push((x[i] + x[p]) / 2, (y[i] + y[p]) / 2);
  if (p === 0) points.push(x[p], y[p]);
  else curveTo(points, x[p], y[p], (x[p] + x[parent[p]]) / 2, (y[p] + y[parent[p]]) / 2);
  return points;
}
