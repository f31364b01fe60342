/** The displayed block: its tree, and the affinities of the cell under the pointer. */
import { batch, computed, signal } from '@preact/signals';
import type { AffinityPair, BlockSummary, Colouring } from '../engine/block.js';
import { attempt, call, error } from './engine.js';
import { latest, replace, whenSettled } from './latest.js';

/** Index over the whole network. */
export const block = signal(0);
/** Short side of the model's input, in pixels. */
export const size = signal(224);
export const colouring = signal<Colouring>('depth');

export const view = signal<BlockSummary | undefined>();
export const tree = signal<ImageBitmap | undefined>();
export const affinity = signal<AffinityPair | undefined>();
/** For the last pair of maps, in the worker. */
export const affinityMilliseconds = signal<number | undefined>();
/** Whether the anchor stays in place while the pointer reads other values; otherwise it follows the pointer. */
export const isPinned = signal(false);
/** The cell whose values are shown. */
export const probe = signal<{ readonly x: number; readonly y: number }>({ x: 0, y: 0 });

/** Milliseconds without a change before a slider takes effect, and before a cell is announced. */
const DEBOUNCE = 150;
const SILENCE = 700;

/** An image whose block is shown, or is being opened. */
interface Shown {
  readonly blob: Blob;
  /** Initial anchor: fractions of the width and the height. */
  readonly place: readonly [x: number, y: number];
  readonly signal: AbortSignal;
  isOpened: boolean;
}

let shown: Shown | undefined;
const nextShow = latest();
const nextDrawing = latest();

/** Shows the block for an image. @param place initial anchor: fractions of the width and the height */
export async function showBlock(blob: Blob, place: Shown['place'], signal: AbortSignal): Promise<void> {
  shown = { blob, place, signal, isOpened: false };
  await open(shown, place);
}

export function hideBlock(): void {
  nextShow();
  shown = undefined;
  if (view.peek()) void call((engine) => engine.closeBlock());
  replace(view, undefined);
  replace(tree, undefined);
  affinity.value = undefined;
  affinityMilliseconds.value = undefined;
}

/** Opens the current block at the current size; ends early, without an error, if it is opened again meanwhile. */
async function open(of: Shown, place: Shown['place']): Promise<void> {
  const own = nextShow();
  const signal = AbortSignal.any([of.signal, own]);
  let summary: BlockSummary;
  try {
    summary = await call((engine) => engine.openBlock(of.blob, block.peek(), size.peek(), signal));
    if (signal.aborted) summary.backdrop.close();
    signal.throwIfAborted();
  } catch (reason) {
    if (own.aborted && !of.signal.aborted) return;
    throw reason;
  }
  batch(() => {
    if (!of.isOpened) replace(tree, undefined); // that of another image
    of.isOpened = true;
    replace(view, summary);
  });
  isPinned.value = false;
  pointAt(...cellOf(place, summary));
  await drawTree();
}

/** The cell at a point of the image, given as fractions of its width and height. */
function cellOf(
  [x, y]: readonly [number, number],
  grid: { width: number; height: number },
): [number, number] {
  const within = (part: number, places: number) =>
    Math.min(places - 1, Math.max(0, Math.floor(part * places)));
  return [within(x, grid.width), within(y, grid.height)];
}

async function drawTree(): Promise<void> {
  const signal = nextDrawing();
  const id = view.peek()?.id;
  if (id === undefined) return;
  const bitmap = await call((engine) => engine.drawBlockTree(id, colouring.peek()));
  if (signal.aborted) bitmap?.close();
  else replace(tree, bitmap);
}

whenSettled(
  () => [block.value, size.value],
  async () => {
    const of = shown;
    if (!of) return;
    const [now, { x, y }] = [view.peek(), probe.peek()];
    const isShown = now && of.isOpened;
    const place = isShown ? ([(x + 0.5) / now.width, (y + 0.5) / now.height] as const) : of.place;
    await attempt('Running the block', () => open(of, place));
  },
  DEBOUNCE,
);
whenSettled(
  () => colouring.value,
  () => attempt('Drawing the tree', drawTree),
  0,
);

let wanted: { readonly x: number; readonly y: number } | undefined;
let isFollowing = false;

/** Reads the values of a cell; unless another one is pinned, shows its affinities. The latest call wins. */
export function pointAt(x: number, y: number): void {
  probe.value = { x, y };
  if (isPinned.peek()) return;
  wanted = { x, y };
  if (!isFollowing) void follow();
}

/** Like `pointAt`, with fractions of the width and the height. */
export function pointAtPart(x: number, y: number): void {
  const grid = view.peek();
  if (grid) pointAt(...cellOf([x, y], grid));
}

/** One request at a time: the pointer may move faster than the worker answers. */
async function follow(): Promise<void> {
  isFollowing = true;
  try {
    while (wanted) {
      const { x, y } = wanted;
      wanted = undefined;
      const id = view.peek()?.id;
      if (id === undefined) return;
      const pair = await call((engine) => engine.affinityAt(id, x, y));
      if (!pair || view.peek()?.id !== id) continue;
      affinity.value = pair;
      affinityMilliseconds.value = pair.milliseconds;
    }
  } catch (reason) {
    if ((reason as Error).name !== 'AbortError') error.value = (reason as Error).message;
  } finally {
    isFollowing = false;
  }
}

/** The maps as text: the cell, and how far the two scans reach. */
export const description = computed(() => {
  const [grid, pair] = [view.value, affinity.value];
  if (!grid || !pair) return '';
  const named = ({ x, y }: { x: number; y: number }) => `column ${x + 1}, row ${y + 1}`;
  if (isPinned.value) {
    const v = probe.value.y * grid.width + probe.value.x;
    const [own, raster] = [pair.own, pair.raster].map(({ values }) => values[v].toPrecision(3));
    const way = `From ${named(probe.value)} to the pinned ${named(pair.anchor)}`;
    return `${way}: ${own} by the model's scan, ${raster} by a raster scan.`;
  }
  const [own, raster] = [pair.own, pair.raster].map(({ mean }) => mean.toPrecision(3));
  const place = `To ${named(pair.anchor)} of ${grid.width} × ${grid.height}`;
  return `${place}: on average ${own} of every place arrives by the model's scan, ${raster} by a raster scan.`;
});

/** Text for screen readers: the description once the cell has not changed for a while. */
export const announced = signal('');
whenSettled(
  () => description.value,
  () => (announced.value = description.peek()),
  SILENCE,
);
