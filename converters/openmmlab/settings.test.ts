/** Settings of segmenters and detectors: from their checkpoints, from options, and defaults. */
import t from 'tap';
import { DETECTOR_METADATA } from '../../plugin/models/detector_metadata.js';
import { SEGMENTER_METADATA } from '../../plugin/models/segmenter_metadata.js';
import { convertSaved, DETECTOR, SEGMENTER, saved } from '../../testing/openmmlab_checkpoints.js';
import {
  MadeGlobal,
  MadeObject,
  MadeTuple,
  madeDict,
  type Picklable,
} from '../pytorch/testing/torch_writer.js';

const tuple = (...items: Picklable[]) => new MadeTuple(...items);
const NAMES = ['wall', 'floor', 'cat'];
const COLOURS = [
  [120, 120, 120],
  [80, 50, 50],
  [11, 102, 255],
];

const OLD = `
model = dict(
    type='EncoderDecoder',
    decode_head=dict(type='UPerHead', pool_scales=(1, 2, 3, 6), align_corners=False),
    test_cfg=dict(mode='slide', crop_size=(48, 64), stride=(32, 40)))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='MultiScaleFlipAug',
        img_scale=(1024, 2048),
        transforms=[
            dict(type='Resize', keep_ratio=True),
            dict(type='ResizeToMultiple', size_divisor=16),
            dict(type='Normalize', mean=[120.0, 110.0, 100.0], std=[50.0, 60.0, 70.0], to_rgb=True)])]
`;

const NEW = `
model = dict(
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[120.0, 110.0, 100.0], std=[50.0, 60.0, 70.0],
        bgr_to_rgb=True, pad_size_divisor=64),
    rpn_head=dict(
        anchor_generator=dict(scales=[4], ratios=[0.25, 1.0, 4.0]),
        bbox_coder=dict(target_stds=[1.0, 1.0, 2.0, 2.0])),
    roi_head=dict(bbox_head=dict(bbox_coder=dict(target_stds=[0.2, 0.2, 0.4, 0.4]))),
    test_cfg=dict(
        rpn=dict(nms_pre=300, max_per_img=120, nms=dict(type='nms', iou_threshold=0.75), min_bbox_size=8),
        rcnn=dict(score_thr=0.1, nms=dict(type='nms', iou_threshold=0.2), max_per_img=10, mask_thr_binary=0.35)))
test_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadImageFromFile'), dict(type='Resize', scale=(640, 480), keep_ratio=True)]))
`;

t.test('what the checkpoint of a segmenter says', async (t) => {
  const meta = madeDict({ CLASSES: tuple(...NAMES), PALETTE: COLOURS, config: OLD, mmseg_version: '0.30.0' });
  const { metadata, settings } = await convertSaved(saved(SEGMENTER, meta));
  t.doesNotThrow(() => SEGMENTER_METADATA(metadata, 'metadata'));
  t.match(metadata, {
    architecture: { family: 'GrootV-UperNet', headChannels: 5, poolScales: [1, 2, 3, 6] },
    preprocessing: {
      scale: [2048, 1024],
      multipleOf: 16,
      padTo: 1,
      mean: [120 / 255, 110 / 255, 100 / 255],
      deviation: [50 / 255, 60 / 255, 70 / 255],
    },
    inference: { mode: 'slide', cropSize: [48, 64], stride: [32, 40] },
    classNames: NAMES,
    palette: COLOURS,
  });
  t.same(settings.scale, { value: [2048, 1024], from: 'checkpoint' });
  t.same(settings.padTo, { value: 1, from: 'default' });
  const later = madeDict({
    dataset_meta: madeDict({ classes: NAMES, palette: COLOURS.map((c) => tuple(...c)) }),
    cfg: OLD,
  });
  const { source: _, ...same } = metadata;
  t.match((await convertSaved(saved(SEGMENTER, later))).metadata, same, 'keys of mmengine');
});

t.test('what the checkpoint of a detector says', async (t) => {
  const { metadata, model } = await convertSaved(saved(DETECTOR, madeDict({ cfg: NEW })));
  t.doesNotThrow(() => DETECTOR_METADATA(metadata, 'metadata'));
  t.match(metadata, {
    architecture: {
      family: 'GrootV-MaskRCNN',
      pyramidChannels: 6,
      boxChannels: 7,
      maskChannels: 5,
      maskConvolutions: 2,
    },
    preprocessing: {
      scale: [640, 480],
      multipleOf: null,
      padTo: 64,
      mean: [120 / 255, 110 / 255, 100 / 255],
    },
    testing: {
      scoreThreshold: 0.1,
      iouThreshold: 0.2,
      maxDetections: 10,
      maskThreshold: 0.35,
      proposals: { perLevel: 300, maxOutput: 120, iouThreshold: 0.75, minSize: 8 },
    },
    classNames: null,
    palette: null,
  });
  const node = (op: string) => model.modelTopology.node.find((node: { op: string }) => node.op === op);
  t.match(node('RegionProposals').attr, {
    nms_pre: { i: '300' },
    max_output: { i: '120' },
    iou_threshold: { f: 0.75 },
    min_size: { f: 8 },
    stds: { list: { f: [1, 1, 2, 2] } },
  });
  t.match(node('ClassDetections').attr, {
    score_threshold: { f: 0.1 },
    iou_threshold: { f: 0.2 },
    max_output: { i: '10' },
    stds: { list: { f: [0.2, 0.2, 0.4, 0.4] } },
  });
  t.match(node('AnchorGrid').attr, {
    stride: { i: '4' },
    scale: { f: 4 },
    ratios: { list: { f: [0.25, 1, 4] } },
  });
});

t.test('defaults of the libraries, and options before everything', async (t) => {
  const segmenter = await convertSaved(saved(SEGMENTER));
  t.match(segmenter.metadata, {
    preprocessing: { scale: [2048, 512], multipleOf: null, padTo: 1 },
    inference: { mode: 'whole', cropSize: null, stride: null },
    classNames: null,
    palette: null,
  });
  t.match(segmenter.settings.scale, { from: 'default', note: /the checkpoint has no configuration/ });
  const slide = await convertSaved(saved(SEGMENTER), { dense: { mode: 'slide' } });
  t.same(slide.metadata.inference, { mode: 'slide', cropSize: [512, 512], stride: [341, 341] });
  const detector = await convertSaved(saved(DETECTOR));
  t.match(detector.metadata, {
    preprocessing: { scale: [1333, 800], multipleOf: null, padTo: 32 },
    testing: {
      scoreThreshold: 0.05,
      iouThreshold: 0.5,
      maxDetections: 100,
      maskThreshold: 0.5,
      proposals: { perLevel: 1000, maxOutput: 1000, iouThreshold: 0.7, minSize: 0 },
    },
  });
  const given = await convertSaved(saved(SEGMENTER, madeDict({ config: OLD })), {
    classNames: ['a', 'b', 'c'],
    dense: {
      mode: 'whole',
      scale: [96, 64],
      multipleOf: null,
      palette: [
        [1, 2, 3],
        [4, 5, 6],
        [7, 8, 9],
      ],
    },
  });
  t.match(given.metadata, {
    preprocessing: { scale: [96, 64], multipleOf: null },
    inference: { mode: 'whole' },
    classNames: ['a', 'b', 'c'],
    palette: [
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ],
  });
  t.same(given.settings.mode, { value: 'whole', from: 'options' });
});

t.test('what does not fit is left for the default, and reported', async (t) => {
  for (const [what, meta, setting, message] of [
    [
      'too few names',
      madeDict({ CLASSES: tuple('a') }),
      'classNames',
      /meta\.CLASSES: classNames has 1 names, expected/,
    ],
    [
      'a name that is a number',
      madeDict({ CLASSES: ['a', 'b', 3] }),
      'classNames',
      /classNames\[2\] is 3, expected a text/,
    ],
    ['names as a text', madeDict({ CLASSES: 'abc' }), 'classNames', /classNames is "abc", expected an array/],
    [
      'names as an object',
      madeDict({ CLASSES: new MadeObject(new MadeGlobal('a.b', 'C')) }),
      'classNames',
      /expected an array/,
    ],
    [
      'a colour out of range',
      madeDict({
        PALETTE: [
          [1, 2, 3],
          [4, 5, 6],
          [7, 8, 256],
        ],
      }),
      'palette',
      /palette\[2\]\[2\] is 256/,
    ],
    [
      'colours within colours',
      madeDict({ PALETTE: [[[[1]]]] }),
      'palette',
      /palette\[0\] is an array of 1, expected an array of 3/,
    ],
    [
      'a scale of one side',
      madeDict({ config: "test_pipeline=[dict(type='Resize', scale=512)]" }),
      'scale',
      /scale is 512, expected an array/,
    ],
    [
      'a scale of texts',
      madeDict({ config: "test_pipeline=[dict(type='Resize', scale=('a', 'b'))]" }),
      'scale',
      /scale\[0\] is "a"/,
    ],
    [
      'an unknown mode',
      madeDict({ config: "model=dict(test_cfg=dict(mode='tiles'))" }),
      'mode',
      /mode is "tiles", expected "whole" or "slide"/,
    ],
    [
      'a negative crop',
      madeDict({ config: 'model=dict(test_cfg=dict(crop_size=(-1, 5)))' }),
      'cropSize',
      /cropSize\[0\] is -1/,
    ],
    [
      'a configuration that is a dict',
      madeDict({ config: madeDict({ model: 1 }) }),
      'mode',
      /meta\.config: it is not text/,
    ],
    [
      'code',
      madeDict({ config: "import os\nos.system('id')\nmode = 'slide'" }),
      'mode',
      /1 of its statements are not assignments/,
    ],
    [
      'deep nesting',
      madeDict({ config: `model = ${'dict(test_cfg='.repeat(100)}1${')'.repeat(100)}` }),
      'mode',
      /1 of its statements/,
    ],
    [
      'a long text',
      madeDict({ config: ' '.repeat(2 ** 20 + 1) }),
      'mode',
      /has 1048577 characters, at most 1048576 are read/,
    ],
    ['meta that is a list', [1, 2], 'mode', /no configuration/],
  ] as const) {
    const { settings, metadata } = await convertSaved(saved(SEGMENTER, meta));
    t.match(settings[setting], { from: 'default', note: message }, what);
    t.doesNotThrow(() => SEGMENTER_METADATA(metadata, 'metadata'), what);
    t.match(metadata.inference, { mode: 'whole' });
  }
  const soft = "model = dict(test_cfg=dict(rcnn=dict(nms=dict(type='soft_nms', iou_threshold=0.5))))";
  const { inspection } = await convertSaved(saved(DETECTOR, madeDict({ config: soft })));
  t.match(
    inspection.settings.find(({ name }) => name === 'rcnn.nms'),
    { note: /rcnn\.nms is of another type/ },
  );
});
