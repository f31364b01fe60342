import { useSignal, useSignalEffect } from '@preact/signals';
import type { Ref } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/**
 * A canvas with one pixel per screen pixel.
 * @param draw called with the cleared canvas; called again when its size or a signal that it reads has changed
 */
export function useCanvas(
  draw: (context: CanvasRenderingContext2D, width: number, height: number) => void,
): Ref<HTMLCanvasElement> {
  const ref = useRef<HTMLCanvasElement>(null);
  const size = useSignal({ width: 0, height: 0 });
  useEffect(() => {
    if (!ref.current) return;
    const observer = new ResizeObserver(([{ contentRect }]) => {
      const pixels = (length: number) => Math.round(length * devicePixelRatio);
      size.value = { width: pixels(contentRect.width), height: pixels(contentRect.height) };
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, [size]);
  useSignalEffect(() => {
    const { width, height } = size.value;
    const context = ref.current?.getContext('2d');
    if (!context || width === 0 || height === 0) return;
    const { canvas } = context;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    else context.clearRect(0, 0, width, height);
    context.imageSmoothingQuality = 'high';
    draw(context, width, height);
  });
  return ref;
}
