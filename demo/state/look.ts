/** The open model's results for the selected image. Selecting another image or model aborts the previous work. */
import { effect, signal, untracked } from '@preact/signals';
import type { Prediction } from 'tfjs-grootvl';
import type { ModelSummary } from '../engine/library.js';
import type { DetectedImage, ImageModel, SegmentedImage } from '../engine/look.js';
import { block, hideBlock, showBlock } from './block.js';
import { attempt, call, error } from './engine.js';
import { type DemoImage, fetchImage, image, isImage, suitImage, useOwnImage } from './images.js';
import { close, latest, replace, whenSettled } from './latest.js';
import { opened } from './library.js';
import { forgetMeasurement } from './measure.js';

export { affinityMilliseconds } from './block.js';

/** Properties of the open model; undefined if it is not an image model, or none is open. */
export const model = signal<ImageModel | undefined>();
/** True while what is shown belongs to an older image or model, or is incomplete. */
export const isLooking = signal(false);
export const predictions = signal<
  { readonly of: DemoImage; readonly classes: readonly Prediction[] } | undefined
>();
export const segmented = signal<SegmentedImage | undefined>();
export const detected = signal<DetectedImage | undefined>();
/** The objects above the threshold, drawn over their image. */
export const objectDrawing = signal<ImageBitmap | undefined>();
/** Minimum score of displayed objects. */
export const threshold = signal(0.3);
/** Time of the last prediction. */
export const milliseconds = signal<number | undefined>();

/** Milliseconds without a change before a slider takes effect. */
const DEBOUNCE = 50;

const nextLook = latest();
const nextDrawing = latest();

effect(() => {
  if (opened.value) suitImage(opened.value);
});

effect(() => {
  const [summary, chosen] = [opened.value, image.value];
  untracked(() => void look(summary, chosen));
});

/** Repeats what is shown on the current backend. */
export function lookAgain(): Promise<void> {
  return look(opened.peek(), image.peek());
}

async function look(summary: ModelSummary | undefined, chosen: DemoImage): Promise<void> {
  const signal = nextLook();
  forgetMeasurement();
  if (!summary) return;
  isLooking.value = true;
  const done = await attempt(`Looking at ${chosen.title.toLowerCase()}`, async () => {
    const [described, blob] = await Promise.all([
      call((engine) => engine.describeImageModel()),
      fetchImage(chosen, signal),
    ]);
    signal.throwIfAborted();
    if (described?.kind !== model.peek()?.kind) forget();
    model.value = described;
    if (described?.kind === 'classifier') await classify(described, blob, chosen, signal);
    else if (described?.kind === 'segmenter') await segment(blob, signal);
    else if (described?.kind === 'detector') await detect(blob, signal);
    return true;
  });
  if (signal.aborted) return;
  isLooking.value = false;
  if (!done) forget();
}

/** Clears the results of the last image. */
function forget(): void {
  hideBlock();
  predictions.value = undefined;
  milliseconds.value = undefined;
  replace(segmented, undefined);
  detected.value = undefined;
  replace(objectDrawing, undefined);
}

async function classify(
  { classes, depths }: ImageModel & { kind: 'classifier' },
  blob: Blob,
  of: DemoImage,
  signal: AbortSignal,
): Promise<void> {
  if (classes > 0) {
    const answer = await call((engine) => engine.classify(blob, 5, signal));
    signal.throwIfAborted();
    predictions.value = { of, classes: answer.predictions };
    milliseconds.value = answer.milliseconds;
  }
  const blocks = depths.reduce((sum, depth) => sum + depth, 0);
  block.value = Math.min(block.peek(), blocks - 1);
  await showBlock(blob, of.anchor, signal);
}

async function segment(blob: Blob, signal: AbortSignal): Promise<void> {
  const answer = await call((engine) => engine.segment(blob, signal));
  if (signal.aborted) return close(answer);
  replace(segmented, answer);
  milliseconds.value = answer.milliseconds;
}

async function detect(blob: Blob, signal: AbortSignal): Promise<void> {
  const answer = await call((engine) => engine.detect(blob, signal));
  signal.throwIfAborted();
  detected.value = answer;
  milliseconds.value = answer.milliseconds;
  await drawObjects();
}

async function drawObjects(): Promise<void> {
  if (!detected.peek()) return;
  const signal = nextDrawing();
  const bitmap = await call((engine) => engine.drawObjects(threshold.peek()));
  if (signal.aborted) bitmap?.close();
  else replace(objectDrawing, bitmap);
}

whenSettled(
  () => threshold.value,
  () => attempt('Drawing the objects', drawObjects),
  DEBOUNCE,
);

/** Selects a file that was chosen, dropped or pasted. */
export function lookAtFile(file: File): void {
  if (isImage(file)) useOwnImage(file, file.name || 'Your image');
  else error.value = `${file.name} is not an image: expected a PNG, JPEG, WebP, GIF, AVIF or BMP file`;
}
