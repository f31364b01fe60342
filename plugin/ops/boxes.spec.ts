import { AnchorGrid, BoxRois, DecodeBoxes, EncodeBoxes, RoiLevels } from './boxes.js';
import { EXACT } from './spec/bound.js';
import { after, always, changed, computing, mapped, swapped, without } from './spec/faults.js';
import type { Random } from './spec/random.js';
import { defineSpec, type Sample, type Values } from './spec/spec.js';
import { type CaseTensor, float32, int32 } from './spec/tensor.js';

const exact = () => ({ ...EXACT, reason: 'float32 on the host in a declared order: exact' });

/** On the host, in float32: the same on every backend. */
const boxTolerance = {
  float32: 2e-6,
  shader: 2e-6,
  reason: 'float32 on the host: a few products, one exp or log',
};

export const anchorGridSpec = defineSpec(AnchorGrid, {
  formula: ({ shapes: { features }, attributes }) => ({ anchors: anchors(features, attributes) }),
  tolerance: exact,
  differentiable: [],
  samples: (random): Sample[] => [
    { what: '3 x 2, stride 4', inputs: { features: random.tensor([1, 3, 2, 1]) }, attributes: { stride: 4 } },
    {
      what: 'two ratios',
      inputs: { features: random.tensor([1, 1, 3, 1]) },
      attributes: { stride: 16, scale: 5.5, ratios: [0.3, 3] },
    },
  ],
  faults: {
    'anchors are centred on pixels': changed(
      'anchors',
      (at, _, { attributes }) => at + (attributes.stride as number) / 2,
    ),
    'ratios are widths over heights': computing(({ shapes: { features }, attributes }) => {
      const ratios = (attributes.ratios as number[]).map((ratio) => 1 / ratio);
      return { anchors: anchors(features, { ...(attributes as unknown as GridOptions), ratios }) };
    }),
    'columns come before rows': computing(({ shapes: { features }, attributes }) => {
      const [n, height, width, c] = features;
      const given = anchors([n, width, height, c], attributes as unknown as GridOptions);
      return { anchors: given.map((_, i) => given[i - (i % 4) + [1, 0, 3, 2][i % 4]]) };
    }),
    'corners are rounded': changed('anchors', Math.round),
  },
});

interface GridOptions {
  readonly stride: number;
  readonly scale: number;
  readonly ratios: readonly number[];
}

/** Sides and corners are computed in float32. */
function anchors([, height, width]: readonly number[], { stride, scale, ratios }: GridOptions): Float32Array {
  const f = Math.fround;
  const values: number[] = [];
  for (let i = 0; i < height * width * ratios.length; i++) {
    const root = f(Math.sqrt(f(ratios[i % ratios.length])));
    const position = Math.floor(i / ratios.length);
    const [x, y] = [(position % width) * stride, Math.floor(position / width) * stride];
    const [w, h] = [f(f(stride * f(1 / root)) * scale), f(f(stride * root) * scale)];
    values.push(x - w / 2, y - h / 2, x + w / 2, y + h / 2);
  }
  return Float32Array.from(values);
}

/** Boxes of 1 to 40 pixels in an image of 100 x 100. */
export function someBoxes(random: Random, count: number, columns = 4): CaseTensor {
  const rows = Array.from({ length: count }, () => {
    const [x, y] = [random.next() * 60, random.next() * 60];
    const box = [x, y, x + 1 + 39 * random.next(), y + 1 + 39 * random.next()];
    return [...box, ...Array.from({ length: columns - 4 }, () => random.next())];
  });
  return float32([count, columns], rows.flat());
}

const image = int32([2], [70, 80]);

interface DecodeOptions {
  readonly stds: readonly number[];
  readonly maxRatio: number;
}

/**
 * Decodes boxes in float64.
 * @param image [height, width] to which corners are clamped
 */
export function decoded(
  box: Values,
  delta: Values,
  { stds, maxRatio }: DecodeOptions,
  image?: Values,
): number[] {
  const most = -Math.log(maxRatio);
  const axis = (i: number) => {
    const size = box[i + 2] - box[i];
    const centre = (box[i] + box[i + 2]) / 2 + size * delta[i] * stds[i];
    const half = (size * Math.exp(Math.min(most, Math.max(-most, delta[i + 2] * stds[i + 2])))) / 2;
    const clamp = (at: number) => (image ? Math.min(Math.max(at, 0), image[1 - i]) : at);
    return [clamp(centre - half), clamp(centre + half)];
  };
  const [[x1, x2], [y1, y2]] = [axis(0), axis(1)];
  return [x1, y1, x2, y2];
}

export const decodeBoxesSpec = defineSpec(DecodeBoxes, {
  formula: ({ inputs: { boxes, deltas, imageShape }, shapes, attributes }) => ({
    decoded: Array.from({ length: deltas.length / 4 }, (_, i) => {
      const k = Math.floor((4 * i) / shapes.deltas[1]);
      const part = (values: Values, at: number) => Array.from(values).slice(4 * at, 4 * at + 4);
      return decoded(part(boxes, k), part(deltas, i), attributes, imageShape);
    }).flat(),
  }),
  tolerance: boxTolerance,
  differentiable: [],
  samples: (random): Sample[] => [
    { what: 'one class', inputs: { boxes: someBoxes(random, 7), deltas: random.tensor([7, 4]) } },
    {
      what: 'three classes in an image, far deltas',
      inputs: {
        boxes: someBoxes(random, 9),
        deltas: random.tensor([9, 12], () => 20 * random.normal()),
        imageShape: image,
      },
      attributes: { stds: [0.1, 0.2, 0.3, 0.5] },
    },
    {
      what: 'no boxes',
      inputs: { boxes: float32([0, 4], []), deltas: float32([0, 4], []) },
    },
  ],
  faults: {
    'deltas are not scaled': always({ stds: [1, 1, 1, 1] }),
    'sizes may change without limit': always({ maxRatio: 1e-20 }),
    'boxes leave the image': without('imageShape'),
    'height and width of the image are swapped': mapped(
      'imageShape',
      (_, i, { inputs }) => inputs.imageShape[1 - i],
    ),
    'all classes have the deltas of the first': mapped(
      'deltas',
      (_, i, { inputs: { deltas }, shapes }) => deltas[i - (i % shapes.deltas[1]) + (i % 4)],
    ),
  },
});

export const encodeBoxesSpec = defineSpec(EncodeBoxes, {
  formula: ({ inputs: { boxes, targets }, attributes: { stds } }) => encoded(boxes, targets, stds),
  tolerance: boxTolerance,
  differentiable: [],
  samples: (random): Sample[] => [
    { what: 'boxes near each other', inputs: { boxes: someBoxes(random, 9), targets: someBoxes(random, 9) } },
    {
      what: 'in standard deviations',
      inputs: { boxes: someBoxes(random, 5), targets: someBoxes(random, 5) },
      attributes: { stds: [0.1, 0.1, 0.2, 0.2] },
    },
  ],
  faults: {
    'deltas are not scaled': always({ stds: [1, 1, 1, 1] }),
    'boxes and targets are swapped': swapped('boxes', 'targets'),
  },
});

function encoded(boxes: Values, targets: Values, stds: readonly number[]) {
  const deltas = Float64Array.from(boxes, (_, i) => {
    const at = i - (i % 4) + (i % 2);
    const size = (of: Values) => of[at + 2] - of[at];
    const centre = (of: Values) => (of[at] + of[at + 2]) / 2;
    const isCentre = i % 4 < 2;
    const delta = isCentre
      ? (centre(targets) - centre(boxes)) / size(boxes)
      : Math.log(size(targets) / size(boxes));
    return delta / stds[i % 4];
  });
  return { deltas };
}

export const boxRoisSpec = defineSpec(BoxRois, {
  formula: ({ inputs: { boxes, scale }, shapes }) => ({
    rois: Array.from({ length: shapes.boxes[0] }, (_, k) => [
      0,
      ...[0, 1, 2, 3].map((i) => boxes[k * shapes.boxes[1] + i] * (scale ? scale[i] : 1)),
    ]).flat(),
  }),
  tolerance: { float32: 1e-7, shader: 1e-7, reason: 'one product on the host' },
  differentiable: [],
  samples: (random): Sample[] => [
    { what: 'proposals', inputs: { boxes: someBoxes(random, 5, 5) } },
    {
      what: 'boxes to scale',
      inputs: { boxes: someBoxes(random, 4), scale: float32([4], [1.5, 1.25, 1.5, 1.25]) },
    },
    { what: 'no boxes', inputs: { boxes: float32([0, 4], []), scale: float32([4], [2, 2, 2, 2]) } },
  ],
  faults: {
    'boxes are not scaled': without('scale'),
    'the image index is the score': after(({ inputs: { boxes }, outputs: { rois } }) => {
      for (let at = 0; at < rois.length; at += 5) rois[at] = boxes[at + 4] ?? 0;
    }),
  },
});

export const roiLevelsSpec = defineSpec(RoiLevels, {
  formula: ({ inputs: { rois }, attributes: { levels, finestScale } }) => {
    const rows = rois.length > 0 ? Array.from(rois) : [-1, 0, 0, 0, 0];
    const byLevel = Array.from({ length: levels }, (_, level) =>
      rows.map((value, i) => {
        if (i % 5 > 0) return value;
        const size =
          Math.sqrt((rows[i + 3] - rows[i + 1]) * (rows[i + 4] - rows[i + 2])) / finestScale + 1e-6;
        const own = Math.min(levels - 1, Math.max(0, Math.floor(Math.log2(size))));
        return own === level ? value : -1;
      }),
    );
    return { byLevel: byLevel.flat() };
  },
  tolerance: exact,
  differentiable: [],
  samples: (random): Sample[] => [
    {
      what: 'four levels, sides at which levels begin',
      inputs: {
        rois: float32(
          [8, 5],
          [10, 56, 112, 223.5, 224, 448, 500, 0].flatMap((side, k) => [k % 2, 3, 5, 3 + side, 5 + side]),
        ),
      },
    },
    { what: 'two levels', inputs: { rois: rois(random, 5) }, attributes: { levels: 2, finestScale: 5 } },
    { what: 'no rois', inputs: { rois: float32([0, 5], []) } },
  ],
  faults: {
    'levels begin at the next size': mapped('rois', (value, i) => (i % 5 > 2 ? value - 0.01 : value)),
    'the finest scale is always 56': always({ finestScale: 56 }),
    'without rois the row is of image 0': changed('byLevel', (at, _, { inputs: { rois } }) =>
      rois.length === 0 ? 0 : at,
    ),
    'every level has all rois': changed('byLevel', (at, i, { inputs: { rois } }) =>
      rois.length > 0 ? rois[i % rois.length] : at,
    ),
  },
});

function rois(random: Random, count: number): CaseTensor {
  const boxes = someBoxes(random, count).values;
  return float32(
    [count, 5],
    Array.from({ length: count }, (_, k) => [0, ...boxes.subarray(4 * k, 4 * k + 4)]).flat(),
  );
}
