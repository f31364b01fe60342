import { type ReadonlySignal, useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { useCanvas } from './canvas.js';

/** Bitmaps of the same image, drawn over each other. */
export interface Layer {
  readonly bitmap: ImageBitmap;
  /** From 0 to 1. */
  readonly opacity: number;
}

interface ZoomFigureProps {
  readonly layers: ReadonlySignal<readonly Layer[]>;
  /** Title of the figure. */
  readonly title: string;
  readonly hint?: string;
}

const MOST = 12;
/** Zoom factor of the + and - keys and buttons. */
const STEP = 1.5;
/** Fraction of the visible part that an arrow key moves by. */
const PAN = 0.15;

/** An image that can be zoomed and panned: with the wheel, two fingers, dragging, + and - and arrow keys, or buttons. */
export function ZoomFigure({ layers, title, hint }: ZoomFigureProps) {
  /** Zoom, and the point of the image at the centre: fractions of its width and height. */
  const seen = useSignal({ zoom: 1, x: 0.5, y: 0.5 });
  const fingers = useRef(new Map<number, { x: number; y: number }>());
  const first = layers.value[0]?.bitmap;

  const show = (zoom: number, x: number, y: number) => {
    const within = (part: number) => Math.min(1 - 0.5 / zoom, Math.max(0.5 / zoom, part));
    seen.value = { zoom, x: within(x), y: within(y) };
  };
  /** Zooms around a point of the canvas, given as fractions of its width and height. */
  const zoomAt = (factor: number, atX = 0.5, atY = 0.5) => {
    const { zoom, x, y } = seen.peek();
    const next = Math.min(MOST, Math.max(1, zoom * factor));
    const change = 1 / zoom - 1 / next;
    show(next, x + (atX - 0.5) * change, y + (atY - 0.5) * change);
  };
  const pan = (dx: number, dy: number) => {
    const { zoom, x, y } = seen.peek();
    show(zoom, x + dx / zoom, y + dy / zoom);
  };
  const reset = () => show(1, 0.5, 0.5);

  const canvas = useCanvas((context, width, height) => {
    const { zoom, x, y } = seen.value;
    context.save();
    context.translate(width * (0.5 - x * zoom), height * (0.5 - y * zoom));
    context.scale(zoom, zoom);
    for (const { bitmap, opacity } of layers.value) {
      context.globalAlpha = opacity;
      context.drawImage(bitmap, 0, 0, width, height);
    }
    context.restore();
  });

  const partOf = ({ clientX, clientY, currentTarget }: MouseEvent) => {
    const { left, top, width, height } = (currentTarget as Element).getBoundingClientRect();
    return { x: (clientX - left) / width, y: (clientY - top) / height };
  };
  const onWheel = (event: WheelEvent) => {
    if (event.deltaY > 0 && seen.peek().zoom === 1) return; // let the page scroll
    event.preventDefault();
    const { x, y } = partOf(event);
    zoomAt(2 ** (-event.deltaY / (event.ctrlKey ? 100 : 400)), x, y);
  };
  const onPointerDown = (event: PointerEvent) => {
    fingers.current.set(event.pointerId, partOf(event));
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
  };
  const onPointerMove = (event: PointerEvent) => {
    const before = fingers.current.get(event.pointerId);
    if (!before) return;
    const now = partOf(event);
    const other = [...fingers.current].find(([id]) => id !== event.pointerId)?.[1];
    fingers.current.set(event.pointerId, now);
    if (!other) return pan(before.x - now.x, before.y - now.y);
    const distance = (from: { x: number; y: number }) => Math.hypot(from.x - other.x, from.y - other.y);
    zoomAt(distance(now) / Math.max(distance(before), 0.01), (now.x + other.x) / 2, (now.y + other.y) / 2);
    pan((before.x - now.x) / 2, (before.y - now.y) / 2);
  };
  const onPointerEnd = ({ pointerId }: PointerEvent) => fingers.current.delete(pointerId);
  const keys: Readonly<Record<string, () => void>> = {
    '+': () => zoomAt(STEP),
    '=': () => zoomAt(STEP),
    '-': () => zoomAt(1 / STEP),
    '0': reset,
    ArrowLeft: () => pan(-PAN, 0),
    ArrowRight: () => pan(PAN, 0),
    ArrowUp: () => pan(0, -PAN),
    ArrowDown: () => pan(0, PAN),
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  };
  return (
    <figure class="zoom">
      <div
        class={seen.value.zoom > 1 ? 'surface zoomed' : 'surface'}
        role="application"
        aria-roledescription="image"
        aria-label={`${title}. Plus and minus enlarge, arrow keys move, 0 shows all.`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: keys move what it shows
        tabIndex={0}
        onWheel={onWheel}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerEnd}
        onPointerCancel={onPointerEnd}
        onDblClick={reset}
        onKeyDown={onKeyDown}
      >
        <canvas ref={canvas} style={first && { aspectRatio: `${first.width} / ${first.height}` }} />
      </div>
      <figcaption>
        <strong>{title}</strong>
        <button type="button" aria-label="Enlarge" onClick={() => zoomAt(STEP)}>
          +
        </button>
        <button
          type="button"
          aria-label="Shrink"
          disabled={seen.value.zoom === 1}
          onClick={() => zoomAt(1 / STEP)}
        >
          −
        </button>
        <button type="button" disabled={seen.value.zoom === 1} onClick={reset}>
          Reset
        </button>
        {hint && <span class="muted">{hint}</span>}
      </figcaption>
    </figure>
  );
}
