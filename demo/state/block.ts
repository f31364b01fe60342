/** The block that is shown: its tree, and the affinities of the place under the pointer. */
import { batch, computed, signal } from '@preact/signals';
import type { AffinityPair, BlockSummary, Colouring } from '../engine/block.js';
import { attempt, call, error } from './engine.js';
import { latest, replace, whenSettled } from './latest.js';

/** Counted over the whole network. */
export const block = signal(0);
/** Short side of what the model sees, pixels. */
export const size = signal(224);
export const colouring = signal<Colouring>('depth');

export const view = signal<BlockSummary | undefined>();
export const tree = signal<ImageBitmap | undefined>();
export const affinity = signal<AffinityPair | undefined>();
/** Of the last pair of maps, in the worker. */
export const affinityMilliseconds = signal<number | undefined>();
/** A place that stays while the pointer reads values of others; undefined while the pointer is the place. */
export const isPinned = signal(false);
/** The place of the grid whose values are read out. */
export const probe = signal<{ readonly x: number; readonly y: number }>({ x: 0, y: 0 });

/** Milliseconds without a change before the value of a slider counts, and before a place is read out. */
const DEBOUNCE = 150;
const SILENCE = 700;

let shown: { readonly blob: Blob; readonly signal: AbortSignal } | undefined;
const nextShow = latest();
const nextDrawing = latest();

/** Shows the block of a picture. @param place where affinities are shown at first: parts of the width and of the height */
export async function showBlock(
  blob: Blob,
  place: readonly [x: number, y: number],
  signal: AbortSignal,
): Promise<void> {
  shown = { blob, signal };
  await reopen(place, () => replace(tree, undefined)); // that of another picture
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

async function reopen(place: readonly [x: number, y: number], onOpened = () => {}): Promise<void> {
  if (!shown) return;
  const { blob, signal: shownSignal } = shown;
  const signal = AbortSignal.any([shownSignal, nextShow()]);
  const summary = await call((engine) => engine.openBlock(blob, block.peek(), size.peek(), signal));
  if (signal.aborted) summary.backdrop.close();
  signal.throwIfAborted();
  batch(() => {
    onOpened();
    replace(view, summary);
  });
  isPinned.value = false;
  pointAt(...cellOf(place, summary));
  await drawTree();
}

/** The place of the grid that holds a point of the picture, given as parts of its width and height. */
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
    const now = view.peek();
    const { x, y } = probe.peek();
    if (!now) return;
    await attempt('Running the block', () => reopen([(x + 0.5) / now.width, (y + 0.5) / now.height]));
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

/** Reads the values at a place of the grid; unless another one is pinned, shows what reaches it. The newest call counts. */
export function pointAt(x: number, y: number): void {
  probe.value = { x, y };
  if (isPinned.peek()) return;
  wanted = { x, y };
  if (!isFollowing) void follow();
}

/** As `pointAt` for parts of the width and of the height. */
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

/** The maps in words: which place, and how far the two scans carry. */
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

/** What a screen reader says: the words when the place has not moved for a while. */
export const announced = signal('');
whenSettled(
  () => description.value,
  () => (announced.value = description.peek()),
  SILENCE,
);
