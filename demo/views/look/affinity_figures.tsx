import {
  affinity,
  announced,
  description,
  isPinned,
  pointAt,
  pointAtPart,
  probe,
  view,
} from '../../state/block.js';
import { model } from '../../state/look.js';
import { useCanvas } from './canvas.js';

/** Affinities of a cell with the model's own scan, next to those with a raster scan, as compared in the paper. */
export function AffinityFigures() {
  const scan = model.value?.kind === 'classifier' ? model.value.scan : 'tree';
  return (
    <>
      <AffinityFigure which="own" title={TITLES[scan]} />
      {scan !== 'raster' && <AffinityFigure which="raster" title={TITLES.raster} />}
      <Reading />
    </>
  );
}

const TITLES = { tree: 'Tree scan', raster: 'Raster scan', cross: 'Cross scan' } as const;
const HINT = 'how much of it reaches the ring';

interface AffinityFigureProps {
  readonly which: 'own' | 'raster';
  readonly title: string;
}

function AffinityFigure({ which, title }: AffinityFigureProps) {
  const canvas = useCanvas((context, width, height) => {
    const [grid, pair] = [view.value, affinity.value];
    if (!grid) return;
    context.drawImage(grid.backdrop, 0, 0, width, height);
    if (!pair || pair.own.values.length !== grid.width * grid.height) return;
    context.drawImage(image(pair[which].heat, grid.width), 0, 0, width, height);
    const middle = ({ x, y }: { x: number; y: number }) =>
      [((x + 0.5) * width) / grid.width, ((y + 0.5) * height) / grid.height] as const;
    mark(context, ...middle(pair.anchor), 8 * devicePixelRatio);
    if (isPinned.value) mark(context, ...middle(probe.value), 3 * devicePixelRatio);
  });
  const follow = ({ clientX, clientY, currentTarget }: PointerEvent) => {
    const { left, top, width, height } = (currentTarget as Element).getBoundingClientRect();
    pointAtPart((clientX - left) / width, (clientY - top) / height);
  };
  const { backdrop } = view.value ?? {};
  return (
    <figure class="affinity">
      <div
        class="surface"
        role="application"
        aria-roledescription="map"
        aria-label={`${title}: ${HINT}. Arrow keys move the place, Enter pins it.`}
        aria-describedby="reading"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: keys move the place
        tabIndex={0}
        onPointerDown={follow}
        onPointerMove={follow}
        onClick={onClick}
        onKeyDown={onKeyDown}
      >
        <canvas ref={canvas} style={backdrop && { aspectRatio: `${backdrop.width} / ${backdrop.height}` }} />
      </div>
      <figcaption>
        <strong>{title}</strong>
        <span class="muted">{HINT}</span>
        <Scale which={which} />
      </figcaption>
    </figure>
  );
}

/** On touch screens, a tap sets the anchor; a button pins it. */
function onClick(event: MouseEvent): void {
  if (event instanceof PointerEvent && event.pointerType === 'mouse') togglePin();
}

function togglePin(): void {
  isPinned.value = !isPinned.peek();
  const { x, y } = probe.peek();
  pointAt(x, y);
}

const STEPS: Readonly<Record<string, readonly [x: number, y: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

function onKeyDown(event: KeyboardEvent): void {
  const grid = view.peek();
  if (!grid || event.ctrlKey || event.metaKey || event.altKey) return;
  const step = STEPS[event.key];
  if (step) {
    const { x, y } = probe.peek();
    const length = event.shiftKey ? 5 : 1;
    const within = (value: number, places: number) => Math.min(places - 1, Math.max(0, value));
    pointAt(within(x + length * step[0], grid.width), within(y + length * step[1], grid.height));
  } else if (event.key === 'Enter' || event.key === ' ') {
    togglePin();
  } else return;
  event.preventDefault();
}

/** RGBA as a drawable canvas. */
function image(rgba: Uint8ClampedArray<ArrayBuffer>, width: number): OffscreenCanvas {
  const canvas = new OffscreenCanvas(width, rgba.length / 4 / width);
  canvas.getContext('2d')?.putImageData(new ImageData(rgba, width), 0, 0);
  return canvas;
}

/** A white ring with a dark edge. */
function mark(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  for (const [width, colour] of [
    [4.5, '#0a0a14'],
    [2, '#fff'],
  ] as const) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.lineWidth = width * devicePixelRatio;
    context.strokeStyle = colour;
    context.stroke();
  }
}

/** The colour scale, and the values at five of its colours. */
function Scale({ which }: { readonly which: 'own' | 'raster' }) {
  const canvas = useCanvas((context, width, height) => {
    const colours = view.value?.colours;
    if (colours) context.drawImage(image(colours, colours.length / 4), 0, 0, width, height);
  });
  const values = affinity.value?.[which].quantiles ?? [];
  return (
    <span class="scale">
      <canvas ref={canvas} />
      <span class="values">
        {values.map((value, i) => (
          <span key={i}>{shortNumber(value)}</span>
        ))}
      </span>
    </span>
  );
}

/** `0.35`, `3e-7`. */
function shortNumber(value: number): string {
  if (value === 0 || value >= 0.01) return String(Number(value.toPrecision(2)));
  return value.toExponential(0);
}

/** The maps as text. */
function Reading() {
  return (
    <div class="reading">
      <p id="reading">{description.value}</p>
      <p class="visually-hidden" role="status">
        {announced.value}
      </p>
      <button type="button" aria-pressed={isPinned.value} onClick={togglePin}>
        Pin the place
      </button>
    </div>
  );
}
