/** A block of the open model on an image: its tree, and affinities that follow a pointer. */
import { transfer } from 'comlink';
import { affinityHeat, type BlockView, drawTree, GrootV, type RgbImage } from 'tfjs-grootvl';
import { openedModel } from './library.js';
import { backdropOf, bitmapOf, decode, type Extent, rgbOf } from './pixels.js';

/** A block as shown by the page. The receiver must close the bitmaps. */
export interface BlockSummary {
  /** Identifies the view in later calls. */
  readonly id: number;
  /** Size of the block's grid, in cells. */
  readonly height: number;
  readonly width: number;
  readonly hasTree: boolean;
  readonly hasDissimilarity: boolean;
  /** The image, dimmed. */
  readonly backdrop: ImageBitmap;
  /** RGBA colours of the heat map, from the coldest. */
  readonly colours: Uint8ClampedArray<ArrayBuffer>;
}

/** The affinities of one cell of the grid. */
export interface AffinityPlane {
  /** [height * width], from 0 to 1. */
  readonly values: Float32Array;
  /** RGBA [height * width, 4]. */
  readonly heat: Uint8ClampedArray<ArrayBuffer>;
  /** The values at QUANTILES. */
  readonly quantiles: readonly number[];
  readonly mean: number;
}

export interface AffinityPair {
  /** The cell that was asked for. */
  readonly anchor: { readonly x: number; readonly y: number };
  /** With the model's own scan. */
  readonly own: AffinityPlane;
  /** With a raster scan using the same decays. */
  readonly raster: AffinityPlane;
  /** For both scans and their colours. */
  readonly milliseconds: number;
}

export type Colouring = 'depth' | 'dissimilarity';

/** Fractions of all cells, from the weakest. */
const QUANTILES = [0, 0.25, 0.5, 0.75, 1];

/** Number of colours of the scale. */
const BAR_STEPS = 64;

let opened:
  | { readonly id: number; readonly view: BlockView; readonly image: RgbImage; readonly given: Extent }
  | undefined;
let views = 0;

/** Closes the open view. */
async function closeBlock(): Promise<void> {
  opened?.view.dispose();
  opened = undefined;
}

/** Opens a block, replacing the open one. @param size short side of the model's input, in pixels */
async function openBlock(
  image: Blob,
  block: number,
  size: number,
  signal?: AbortSignal,
): Promise<BlockSummary> {
  const model = openedModel();
  if (!(model instanceof GrootV)) throw new Error('the open model has no trees of images to show');
  await closeBlock();
  const { bitmap, given } = await decode(image);
  try {
    const view = await model.view(image, { block, size, signal });
    await closeBlock(); // that of a concurrent call
    const id = ++views;
    opened = { id, view, image: rgbOf(bitmap), given };
    const { height, width } = view;
    const has = { hasTree: view.tree !== undefined, hasDissimilarity: view.dissimilarity !== undefined };
    const colours = affinityHeat(Float32Array.from({ length: BAR_STEPS }, (_, i) => i));
    const backdrop = backdropOf(bitmap);
    return transfer({ id, height, width, ...has, backdrop, colours }, [backdrop]);
  } finally {
    bitmap.close();
  }
}

/** The tree over the image; undefined if the view is no longer open or has no tree. */
async function drawBlockTree(id: number, colouring: Colouring): Promise<ImageBitmap | undefined> {
  if (opened?.id !== id || !opened.view.tree) return undefined;
  const { height, width, order, parent } = opened.view.tree;
  const edgeValues = colouring === 'dissimilarity' ? opened.view.dissimilarity : undefined;
  const { image } = opened;
  const bitmap = await bitmapOf(drawTree({ image, grid: { height, width }, order, parent, edgeValues }));
  return transfer(bitmap, [bitmap]);
}

/** The affinities of the cell at column x and row y of the grid; undefined if the view is no longer open. */
async function affinityAt(id: number, x: number, y: number): Promise<AffinityPair | undefined> {
  if (opened?.id !== id) return undefined;
  const { view, given } = opened;
  const started = performance.now();
  const pixel = { x: ((x + 0.5) * given.width) / view.width, y: ((y + 0.5) * given.height) / view.height };
  // Both are started at once: the view may be closed before the first has been read.
  const [own, raster] = await Promise.all([
    view.affinity(pixel),
    view.affinity({ ...pixel, scan: 'raster' }),
  ]);
  const planes = { own: planeOf(own.values), raster: planeOf(raster.values) };
  return { anchor: own.anchor, ...planes, milliseconds: performance.now() - started };
}

function planeOf(values: Float32Array): AffinityPlane {
  const sorted = values.slice().sort();
  const quantiles = QUANTILES.map((part) => sorted[Math.round(part * (sorted.length - 1))]);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { values, heat: affinityHeat(values), quantiles, mean };
}

export const calls = { openBlock, closeBlock, drawBlockTree, affinityAt };
