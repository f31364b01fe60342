/** The available images, and the selected one. */
import { computed, signal } from '@preact/signals';
import astronaut from '../../examples/photos/astronaut.png?url';
import chelsea from '../../examples/photos/chelsea.png?url';
import scene from '../../examples/scenes/scene.png?url';
import type { ModelSummary } from '../engine/library.js';

export type ImageKind = 'photograph' | 'digit' | 'scene' | 'own';

export interface DemoImage {
  readonly id: string;
  readonly title: string;
  readonly kind: ImageKind;
  readonly url: string;
  /** Initial anchor of affinities: fractions of the width and the height, 0 to 1. */
  readonly anchor: readonly [x: number, y: number];
}

const MIDDLE = [0.5, 0.5] as const;

const DIGITS = Object.entries(
  import.meta.glob<string>('../../examples/digits/*.png', { eager: true, query: '?url', import: 'default' }),
).map(([path, url]): DemoImage => {
  const [, number, label] = /digit-(\d+)-label-(\d)/.exec(path) ?? [];
  const title = `A handwritten ${label} (number ${Number(number)})`;
  return { id: `digit-${number}`, title, kind: 'digit', url, anchor: MIDDLE };
});

const BUNDLED: readonly DemoImage[] = [
  { id: 'chelsea', title: 'A cat', kind: 'photograph', url: chelsea, anchor: [0.324, 0.42] },
  { id: 'astronaut', title: 'An astronaut', kind: 'photograph', url: astronaut, anchor: [0.49, 0.2] },
  { id: 'scene', title: 'Digits on a photograph', kind: 'scene', url: scene, anchor: MIDDLE },
  ...DIGITS,
];

/** The kind of image that a family of models is shown first: the bundled models were trained on scenes. */
const SUITABLE: Readonly<Partial<Record<ModelSummary['family'], ImageKind>>> = {
  GrootV: 'photograph',
  Segmenter: 'scene',
  Detector: 'scene',
};

/** A classifier with this number of classes is assumed to classify digits. */
const DIGIT_CLASSES = 10;

/** The last image from the user: a file, the clipboard or the camera. */
const own = signal<DemoImage | undefined>();

/** The available images. */
export const images = computed(() => (own.value ? [...BUNDLED, own.value] : BUNDLED));

/** The selected image. */
export const image = signal<DemoImage>(BUNDLED[0]);

export function chooseImage(id: string): void {
  const found = images.peek().find((each) => each.id === id);
  if (found) image.value = found;
}

/** @throws {Error} one line, if it cannot be loaded; the signal's reason if it is aborted */
export async function fetchImage({ url, title }: DemoImage, signal: AbortSignal): Promise<Blob> {
  const response = await fetch(url, { signal }).catch(() => undefined);
  signal.throwIfAborted();
  if (!response?.ok) throw new Error(`${title} could not be loaded: is there a connection?`);
  return response.blob();
}

/** Selects an image from the user. */
export function useOwnImage(file: Blob, title: string): void {
  const before = own.peek();
  const url = URL.createObjectURL(file);
  own.value = { id: url, title, kind: 'own', url, anchor: MIDDLE };
  image.value = own.value;
  if (before) URL.revokeObjectURL(before.url);
}

/** Selects an image that suits a model, unless the selected one does, or is from the user. */
export function suitImage({ family, classes }: ModelSummary): void {
  const now = image.peek().kind;
  const kind = family === 'GrootV' && classes === DIGIT_CLASSES ? 'digit' : SUITABLE[family];
  const suits = BUNDLED.find((each) => each.kind === kind);
  if (suits && now !== kind && now !== 'own') image.value = suits;
}

/** Whether a page can show a file, by its type or else its name. */
export function isImage({ type, name }: File): boolean {
  return type === '' ? /\.(png|jpe?g|webp|gif|avif|bmp|svg)$/i.test(name) : type.startsWith('image/');
}
