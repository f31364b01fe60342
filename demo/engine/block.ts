/** One block of the open model over a picture: its tree, and affinities that follow a pointer. */
import { transfer } from 'comlink';
import { affinityHeat, type BlockView, drawTree, GrootV, type RgbImage } from 'tfjs-grootvl';
import { openedModel } from './library.js';
import { backdropOf, bitmapOf, decode, type Extent, rgbOf } from './pixels.js';

/** What the page shows of a block. Bitmaps are the receiver's to close. */
export interface BlockSummary {
  /** Names the view in later calls. */
  readonly id: number;
  /** Places of the block's grid. */
  readonly height: number;
  readonly width: number;
  readonly hasTree: boolean;
  readonly hasDissimilarity: boolean;
  /** The picture, dimmed. */
  readonly backdrop: ImageBitmap;
  /** RGBA of the colours of a heat map, the coldest first. */
  readonly colours: Uint8ClampedArray<ArrayBuffer>;
}

/** What reaches one place of the grid. */
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
  /** The place that was asked about. */
  readonly anchor: { readonly x: number; readonly y: number };
  /** By the model's own scan. */
  readonly own: AffinityPlane;
  /** By a raster scan with the same decays. */
  readonly raster: AffinityPlane;
  /** Both scans and their colours. */
  readonly milliseconds: number;
}

export type Colouring = 'depth' | 'dissimilarity';

/** Parts of all places, from the weakest. */
const QUANTILES = [0, 0.25, 0.5, 0.75, 1];

/** Colours of the bar. */
const BAR_STEPS = 64;

let opened:
  | { readonly id: number; readonly view: BlockView; readonly image: RgbImage; readonly given: Extent }
  | undefined;
let views = 0;

/** Forgets the view that is open. */
async function closeBlock(): Promise<void> {
  opened?.view.dispose();
  opened = undefined;
}

/** Opens a block in place of the one that is open. @param size short side of what the model sees, pixels */
async function openBlock(
  picture: Blob,
  block: number,
  size: number,
  signal?: AbortSignal,
): Promise<BlockSummary> {
  const model = openedModel();
  if (!(model instanceof GrootV)) throw new Error('the open model has no trees of pictures to show');
  await closeBlock();
  const { bitmap, given } = await decode(picture);
  try {
    const view = await model.view(picture, { block, size, signal });
    await closeBlock(); // of a call that was made meanwhile
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

/** The tree over the picture; undefined where the view is no longer open or has none. */
async function drawBlockTree(id: number, colouring: Colouring): Promise<ImageBitmap | undefined> {
  if (opened?.id !== id || !opened.view.tree) return undefined;
  const { height, width, order, parent } = opened.view.tree;
  const edgeValues = colouring === 'dissimilarity' ? opened.view.dissimilarity : undefined;
  const { image } = opened;
  const bitmap = await bitmapOf(drawTree({ image, grid: { height, width }, order, parent, edgeValues }));
  return transfer(bitmap, [bitmap]);
}

/** What reaches the place at column x and row y of the grid; undefined where the view is no longer open. */
async function affinityAt(id: number, x: number, y: number): Promise<AffinityPair | undefined> {
  if (opened?.id !== id) return undefined;
  const { view, given } = opened;
  const started = performance.now();
  const pixel = { x: ((x + 0.5) * given.width) / view.width, y: ((y + 0.5) * given.height) / view.height };
  // Both are begun at once: the view may be closed before the first has been read.
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
