/**
 * Box arithmetic (x1, y1, x2, y2) on the host, in float32 and in the order of operations of the reference implementation,
 * because rounding may decide which boxes a detector keeps.
 */
const f32 = Math.fround;

/** How deltas are applied to boxes. */
export interface Decoding {
  /** Factors of the deltas of x, y, width and height. */
  readonly stds: readonly number[];
  /** Sizes change by at most this factor or its inverse. */
  readonly maxRatio: number;
  /** Height and width to which corners are clamped. */
  readonly imageShape?: ArrayLike<number>;
}

/**
 * Returns a function that decodes the box at `boxes[from..]` with the deltas at `deltas[at..]` and writes it to `out[to..]`.
 */
export function boxDecoder({ stds, maxRatio, imageShape }: Decoding) {
  const [sx, sy, sw, sh] = stds.map(f32);
  const most = f32(Math.abs(Math.log(maxRatio)));
  const [height, width] = imageShape
    ? [imageShape[0], imageShape[1]]
    : [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const least = imageShape ? 0 : Number.NEGATIVE_INFINITY;
  const sizeOf = (size: number, delta: number) =>
    f32(size * f32(Math.exp(Math.max(-most, Math.min(most, delta)))));
  const clamped = (value: number, end: number) => Math.max(least, Math.min(end, value));
  return (
    out: Float32Array,
    to: number,
    boxes: ArrayLike<number>,
    from: number,
    deltas: ArrayLike<number>,
    at: number,
  ): void => {
    const [x1, y1, x2, y2] = [boxes[from], boxes[from + 1], boxes[from + 2], boxes[from + 3]];
    const [w, h] = [f32(x2 - x1), f32(y2 - y1)];
    const x = f32(f32(f32(x1 + x2) * 0.5) + f32(w * f32(deltas[at] * sx)));
    const y = f32(f32(f32(y1 + y2) * 0.5) + f32(h * f32(deltas[at + 1] * sy)));
    const halfWidth = f32(sizeOf(w, f32(deltas[at + 2] * sw)) * 0.5);
    const halfHeight = f32(sizeOf(h, f32(deltas[at + 3] * sh)) * 0.5);
    out[to] = clamped(f32(x - halfWidth), width);
    out[to + 1] = clamped(f32(y - halfHeight), height);
    out[to + 2] = clamped(f32(x + halfWidth), width);
    out[to + 3] = clamped(f32(y + halfHeight), height);
  };
}

/**
 * Returns the anchors of every position of a map, by row, column and ratio.
 * @param ratios heights over widths
 */
export function anchorsOf(
  height: number,
  width: number,
  {
    stride,
    scale,
    ratios,
  }: { readonly stride: number; readonly scale: number; readonly ratios: readonly number[] },
): Float32Array {
  const halves = ratios.map((ratio) => {
    const root = f32(Math.sqrt(f32(ratio)));
    const sides = [f32(f32(stride * f32(1 / root)) * scale), f32(f32(stride * root) * scale)];
    return sides.map((side) => f32(0.5 * side));
  });
  const anchors = new Float32Array(4 * height * width * ratios.length);
  let at = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [x, y] = [column * stride, row * stride];
      for (const [w, h] of halves) {
        anchors[at++] = x - w;
        anchors[at++] = y - h;
        anchors[at++] = x + w;
        anchors[at++] = y + h;
      }
    }
  }
  return anchors;
}

/**
 * Returns the level of a feature pyramid that a box belongs to, `floor(log2(sqrt(w * h) / finestScale + 1e-6))` limited to 0
 * to levels-1. Boxes without area belong to the finest.
 */
export function levelOf(width: number, height: number, levels: number, finestScale: number): number {
  const scale = f32(f32(Math.sqrt(f32(width * height))) / f32(finestScale));
  // Rounded like a logarithm in float32: values just below a power of two give that power's logarithm.
  const level = Math.floor(f32(Math.log2(f32(scale + f32(1e-6)))));
  return level > 0 ? Math.min(level, levels - 1) : 0;
}
