/** Tests the checks of segmenter and detector metadata, which come with untrusted models. */
import t from 'tap';
import { DETECTOR, SEGMENTER } from '../../testing/dense_metadata.js';
import type { Check } from './checks.js';
import { DETECTOR_METADATA } from './detector_metadata.js';
import { SEGMENTER_METADATA } from './segmenter_metadata.js';

/** A copy with one field changed; undefined removes it. */
function changed(metadata: object, path: string, value: unknown): object {
  const copy = JSON.parse(JSON.stringify(metadata));
  const fields = path.split('.');
  const last = fields.pop() as string;
  const owner = fields.reduce((at, field) => at[field], copy);
  if (value === undefined) delete owner[last];
  else owner[last] = value;
  return copy;
}

type Change = readonly [path: string, value: unknown, message: RegExp];

const BOTH: readonly Change[] = [
  ['architecture.family', 'GrootV', /family is "GrootV", expected "GrootV-/],
  ['architecture.classes', 0, /classes is 0, expected an integer from 1 to 65536/],
  ['architecture.outputNormalization', {}, /levels is undefined, expected an array/],
  ['preprocessing.scale', [64, 96], /scale is \[64, 96\], expected the long side first/],
  ['preprocessing.scale', [1e6, 64], /scale\[0\] is 1000000, expected an integer from 1 to 16384/],
  ['preprocessing.resampling', 'bicubic', /resampling is "bicubic", expected "opencv-bilinear"/],
  ['preprocessing.deviation', [1, 0, 1], /deviation has a 0/],
  ['preprocessing.padTo', 0, /padTo is 0, expected an integer from 1 to 1024/],
  ['preprocessing.multipleOf', 1.5, /multipleOf is 1.5, expected an integer/],
  ['classNames', ['one'], /classNames has 1 names, expected one for each of/],
  ['palette', [[1, 2, 3]], /palette has 1 colours, expected one for each of/],
  ['palette', [[1, 2, 300]], /palette\[0\]\[2\] is 300, expected an integer from 0 to 255/],
  ['palette', undefined, /palette is undefined, expected an array/],
];

const SEGMENTERS: readonly Change[] = [
  ['inference', undefined, /inference is undefined, expected an object/],
  ['inference.mode', 'slide', /mode is slide, expected cropSize and stride/],
  ['inference.cropSize', [0, 4], /cropSize\[0\] is 0, expected an integer/],
  [
    'inference',
    { mode: 'slide', cropSize: [64, 64], stride: [42, 65] },
    /stride is \[42,65\], cropSize \[64,64\]: windows would leave gaps/,
  ],
];

const DETECTORS: readonly Change[] = [
  ['testing.scoreThreshold', 2, /scoreThreshold is 2, expected a number from 0/],
  ['testing.maxDetections', 1e9, /maxDetections is 1000000000, expected/],
  ['testing.proposals.minSize', -1, /minSize is -1, expected a number from 0/],
];

const ON_UIS_MAMBA = {
  ...DETECTOR,
  architecture: {
    ...DETECTOR.architecture,
    ...({ backbone: 'UIS-Mamba', depatch: false, useHsw: true, hswVarphi: 0.7, poolSize: 2 } as const),
  },
};

const UIS_MAMBA: readonly Change[] = [
  ['architecture.backbone', 'VMamba', /backbone is "VMamba", expected "UIS-Mamba"/],
  ['architecture.depatch', 1, /architecture\.depatch is 1, expected true or false/],
  ['architecture.useHsw', undefined, /architecture\.useHsw is undefined, expected true or false/],
  ['architecture.hswVarphi', 'a', /architecture\.hswVarphi is "a", expected a number/],
  ['architecture.poolSize', 0, /architecture\.poolSize is 0, expected an integer from 1 to 1024/],
];

const KINDS: readonly (readonly [string, Check, object, readonly Change[]])[] = [
  ['a segmenter', SEGMENTER_METADATA, SEGMENTER, [...BOTH, ...SEGMENTERS]],
  ['a detector', DETECTOR_METADATA, DETECTOR, [...BOTH, ...DETECTORS]],
  ['a detector on UIS-Mamba', DETECTOR_METADATA, ON_UIS_MAMBA, UIS_MAMBA],
];

for (const [kind, check, metadata, changes] of KINDS) {
  t.test(`${kind} as the converter writes it`, async (t) => {
    t.doesNotThrow(() => check(metadata, 'metadata'));
  });
  for (const [path, value, message] of changes) {
    t.test(`${kind} with ${path} ${JSON.stringify(value)} is refused`, async (t) => {
      t.throws(() => check(changed(metadata, path, value), 'metadata'), { message });
    });
  }
}
