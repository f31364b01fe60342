/** A nano UperNet for scenes: the backbone that classifies digits, and heads that nobody has trained yet. */
import { bytesSource, type ConvertOptions, convertCheckpoint, MemorySink } from '../../converters/index.js';
import { type Colour, Segmenter } from '../../plugin/index.js';
import { encodeSafetensors, RandomNumbers } from '../../plugin/training/index.js';
import {
  biasOfShares,
  convModule,
  LEVEL_CHANNELS,
  normalWeights,
  trainedBackbone,
} from './initial_checkpoint.js';
import { CLASS_NAMES, DIGIT_NAMES, SCENE_SIZE } from './scenes.js';

const CHANNELS = 32;
const POOLS = 4;
/** Share of the background in a scene. Digits are equally frequent. */
const BACKGROUND = 0.9;

/** Colours of drawings: dark behind digits that differ. */
const PALETTE: readonly Colour[] = [
  [32, 32, 40],
  [230, 25, 75],
  [60, 180, 75],
  [255, 225, 25],
  [0, 130, 200],
  [245, 130, 48],
  [145, 30, 180],
  [70, 240, 240],
  [240, 50, 230],
  [210, 245, 60],
  [250, 190, 212],
];

/** A `.safetensors` file in the layout of mmsegmentation, which initialises UperNet likewise, but for the bias of classes. */
export async function initialSegmenter(seed: number): Promise<Uint8Array> {
  const random = RandomNumbers.stream(seed, 'segmenter');
  const last = LEVEL_CHANNELS[LEVEL_CHANNELS.length - 1];
  const finer = LEVEL_CHANNELS.slice(0, -1);
  const head = [
    ...Array.from({ length: POOLS }, (_, i) =>
      convModule(`psp_modules.${i}.1`, [CHANNELS, last, 1], random),
    ).flat(),
    ...convModule('bottleneck', [CHANNELS, last + POOLS * CHANNELS, 3], random),
    ...finer.flatMap((inputs, i) => convModule(`lateral_convs.${i}`, [CHANNELS, inputs, 1], random)),
    ...finer.flatMap((_, i) => convModule(`fpn_convs.${i}`, [CHANNELS, CHANNELS, 3], random)),
    ...convModule('fpn_bottleneck', [CHANNELS, LEVEL_CHANNELS.length * CHANNELS, 3], random),
    normalWeights('conv_seg.weight', [CLASS_NAMES.length, CHANNELS, 1, 1], 0.01, random),
    biasOfShares('conv_seg.bias', [BACKGROUND, ...DIGIT_NAMES.map(() => (1 - BACKGROUND) / 10)]),
  ].map((tensor) => ({ ...tensor, name: `decode_head.${tensor.name}` }));
  return encodeSafetensors([...(await trainedBackbone()), ...head], { format: 'pt' });
}

/** Converts a checkpoint in memory and loads it on the current backend. */
export async function loadSegmenter(
  checkpoint: Uint8Array,
  options: ConvertOptions = {},
): Promise<Segmenter> {
  const sink = new MemorySink();
  await convertCheckpoint(bytesSource(checkpoint), sink, options);
  return Segmenter.load(sink);
}

/** The initial one, to be trained; its file will say names and colours of classes and the size of scenes. */
export async function trainableSegmenter(seed: number): Promise<Segmenter> {
  return loadSegmenter(await initialSegmenter(seed), {
    batchNorm: 'keep',
    classNames: CLASS_NAMES,
    dense: { scale: [SCENE_SIZE, SCENE_SIZE], palette: PALETTE },
  });
}
