/** Checkpoints of segmenters and detectors: layouts of both generations of the libraries, settings, what is refused. */
import t from 'tap';
import { DETECTOR_METADATA } from '../../plugin/models/detector_metadata.js';
import { SEGMENTER_METADATA } from '../../plugin/models/segmenter_metadata.js';
import { randomState, smallMaskRCNN, smallUperNet } from '../../testing/checkpoints.js';
import { ArchitectureError, type ConvertOptions, convertCheckpoint, MemorySink } from '../index.js';
import {
  MadeGlobal,
  MadeObject,
  MadeOrderedDict,
  MadeTuple,
  madeTensor,
  type Picklable,
  torchLegacyBytes,
  torchZipBytes,
} from '../pytorch/testing/torch_writer.js';

type State = ReadonlyMap<string, Picklable>;

const dict = (entries: Readonly<Record<string, Picklable>>) =>
  new Map<Picklable, Picklable>(Object.entries(entries));
const tuple = (...items: Picklable[]) => new MadeTuple(...items);
const renamed = (state: State, name: (name: string) => string) =>
  new Map([...state].map(([key, tensor]) => [name(key), tensor]));

async function convert(root: Picklable, options: ConvertOptions = {}) {
  const sink = new MemorySink();
  const inspection = await convertCheckpoint(await torchZipBytes(root), sink, options);
  const model = JSON.parse(new TextDecoder().decode(sink.files.get('model.json')));
  const settings = Object.fromEntries(inspection.settings.map(({ name, ...setting }) => [name, setting]));
  return { inspection, settings, metadata: model.userDefinedMetadata, weights: weightsOf(sink), model };
}

/** The bytes of all weights. */
function weightsOf(sink: MemorySink): string {
  const shards = [...sink.files].filter(([name]) => name.endsWith('.bin'));
  return shards.map(([, bytes]) => Buffer.from(bytes).toString('base64')).join();
}

/** A checkpoint as the libraries save it. */
const saved = (state: State, meta?: Picklable) =>
  dict({ ...(meta ? { meta } : {}), state_dict: new MadeOrderedDict(state) });

const SEGMENTER = randomState(smallUperNet());
const DETECTOR = randomState(smallMaskRCNN());
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

t.test('wherever the weights lie, the model is the same', async (t) => {
  for (const [kind, state, name] of [
    ['segmenter', SEGMENTER, 'GrootV + UperNet'],
    ['detector', DETECTOR, 'GrootV + Mask R-CNN'],
  ] as const) {
    const { weights, inspection } = await convert(saved(state, dict({ seed: 0 })));
    t.match(inspection, {
      architecture: name,
      channels: 4,
      depths: [1, 1],
      classes: 3,
      ignored: [{ name: 'meta' }],
    });
    const more = new Map<string, Picklable>([
      ...state,
      ['auxiliary_head.conv_seg.weight', madeTensor('float32', [1], new Float32Array(1))],
      ['backbone.conv_head.0.weight', madeTensor('float32', [1], new Float32Array(1))],
      ['backbone.head.weight', madeTensor('float32', [2], new Float32Array(2))],
      ['ema_backbone_patch_embed_conv1_weight', madeTensor('float32', [1], new Float32Array(1))],
      ['ema_decode_head_conv_seg_weight', madeTensor('float32', [1], new Float32Array(1))],
    ]);
    const optimizer = dict({ state: dict({}), param_groups: [] });
    for (const [layout, root] of [
      ['bare', new MadeOrderedDict(state)],
      ['under model', dict({ model: new MadeOrderedDict(state) })],
      ['module.', saved(renamed(state, (name) => `module.${name}`))],
      ['model.', saved(renamed(state, (name) => `model.${name}`))],
      ['an optimizer', dict({ meta: dict({}), state_dict: new MadeOrderedDict(state), optimizer })],
      [
        'mmengine',
        dict({ meta: dict({ cfg: 'x = 1' }), state_dict: new MadeOrderedDict(state), message_hub: dict({}) }),
      ],
      ['more tensors', saved(more)],
    ] as const) {
      const converted = await convert(root, { dense: {} });
      t.equal(converted.weights, weights, `${kind}, ${layout}`);
    }
    const sink = new MemorySink();
    await convertCheckpoint(torchLegacyBytes(saved(state)), sink);
    t.equal(weightsOf(sink), weights, `${kind}, legacy file`);

    const { inspection: report } = await convert(saved(more));
    t.match(
      report.ignored.map(({ name, reason }) => `${name}: ${reason}`),
      [
        /^auxiliary_head\.conv_seg\.weight: a head for training only$/,
        /^backbone\.conv_head\.0\.weight: the backbone's own classifier/,
        /^backbone\.head\.weight: the backbone's own classifier/,
        /^ema_backbone_patch_embed_conv1_weight: a moving average/,
        /^ema_decode_head_conv_seg_weight: a moving average/,
      ],
      kind,
    );
    const trunk = await convert(saved(state), { prefix: 'backbone.' });
    t.equal(trunk.inspection.architecture, 'GrootV', 'the backbone alone, where its prefix is given');
  }
});

t.test('what the checkpoint of a segmenter says', async (t) => {
  const meta = dict({ CLASSES: tuple(...NAMES), PALETTE: COLOURS, config: OLD, mmseg_version: '0.30.0' });
  const { metadata, settings } = await convert(saved(SEGMENTER, meta));
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
  const later = dict({
    dataset_meta: dict({ classes: NAMES, palette: COLOURS.map((c) => tuple(...c)) }),
    cfg: OLD,
  });
  const { source: _, ...same } = metadata;
  t.match((await convert(saved(SEGMENTER, later))).metadata, same, 'keys of mmengine');
});

t.test('what the checkpoint of a detector says', async (t) => {
  const { metadata, model } = await convert(saved(DETECTOR, dict({ cfg: NEW })));
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
  const segmenter = await convert(saved(SEGMENTER));
  t.match(segmenter.metadata, {
    preprocessing: { scale: [2048, 512], multipleOf: null, padTo: 1 },
    inference: { mode: 'whole', cropSize: null, stride: null },
    classNames: null,
    palette: null,
  });
  t.match(segmenter.settings.scale, { from: 'default', note: /the checkpoint has no configuration/ });
  const slide = await convert(saved(SEGMENTER), { dense: { mode: 'slide' } });
  t.same(slide.metadata.inference, { mode: 'slide', cropSize: [512, 512], stride: [341, 341] });
  const detector = await convert(saved(DETECTOR));
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
  const given = await convert(saved(SEGMENTER, dict({ config: OLD })), {
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
      dict({ CLASSES: tuple('a') }),
      'classNames',
      /meta\.CLASSES: classNames has 1 names, expected/,
    ],
    [
      'a name that is a number',
      dict({ CLASSES: ['a', 'b', 3] }),
      'classNames',
      /classNames\[2\] is 3, expected a text/,
    ],
    ['names as a text', dict({ CLASSES: 'abc' }), 'classNames', /classNames is "abc", expected an array/],
    [
      'names as an object',
      dict({ CLASSES: new MadeObject(new MadeGlobal('a.b', 'C')) }),
      'classNames',
      /expected an array/,
    ],
    [
      'a colour out of range',
      dict({
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
      dict({ PALETTE: [[[[1]]]] }),
      'palette',
      /palette\[0\] is an array of 1, expected an array of 3/,
    ],
    [
      'a scale of one side',
      dict({ config: "test_pipeline=[dict(type='Resize', scale=512)]" }),
      'scale',
      /scale is 512, expected an array/,
    ],
    [
      'a scale of texts',
      dict({ config: "test_pipeline=[dict(type='Resize', scale=('a', 'b'))]" }),
      'scale',
      /scale\[0\] is "a"/,
    ],
    [
      'an unknown mode',
      dict({ config: "model=dict(test_cfg=dict(mode='tiles'))" }),
      'mode',
      /mode is "tiles", expected "whole" or "slide"/,
    ],
    [
      'a negative crop',
      dict({ config: 'model=dict(test_cfg=dict(crop_size=(-1, 5)))' }),
      'cropSize',
      /cropSize\[0\] is -1/,
    ],
    [
      'a configuration that is a dict',
      dict({ config: dict({ model: 1 }) }),
      'mode',
      /meta\.config: it is no text/,
    ],
    [
      'code',
      dict({ config: "import os\nos.system('id')\nmode = 'slide'" }),
      'mode',
      /1 of its statements are no assignments/,
    ],
    [
      'deep nesting',
      dict({ config: `model = ${'dict(test_cfg='.repeat(100)}1${')'.repeat(100)}` }),
      'mode',
      /1 of its statements/,
    ],
    [
      'a long text',
      dict({ config: ' '.repeat(2 ** 20 + 1) }),
      'mode',
      /has 1048577 characters, at most 1048576 are read/,
    ],
    ['meta that is a list', [1, 2], 'mode', /no configuration/],
  ] as const) {
    const { settings, metadata } = await convert(saved(SEGMENTER, meta));
    t.match(settings[setting], { from: 'default', note: message }, what);
    t.doesNotThrow(() => SEGMENTER_METADATA(metadata, 'metadata'), what);
    t.match(metadata.inference, { mode: 'whole' });
  }
  const soft = "model = dict(test_cfg=dict(rcnn=dict(nms=dict(type='soft_nms', iou_threshold=0.5))))";
  const { inspection } = await convert(saved(DETECTOR, dict({ config: soft })));
  t.match(
    inspection.settings.find(({ name }) => name === 'rcnn.nms'),
    { note: /rcnn\.nms is of another type/ },
  );
});

t.test('any sizes', async (t) => {
  for (const [what, shapes, expected] of [
    [
      'outnorm',
      smallUperNet({ outputNormalization: { levels: [0, 1], epsilon: 1e-5 } }),
      { outputNormalization: { levels: [0, 1], epsilon: 1e-5 } },
    ],
    [
      'outnorm.0',
      smallMaskRCNN({ outputNormalization: { levels: [1], epsilon: 1e-6 } }),
      { outputNormalization: { levels: [1], epsilon: 1e-6 } },
    ],
    ['one class', smallUperNet({ classes: 1 }), { classes: 1 }],
    ['one class of boxes', smallMaskRCNN({ classes: 1 }), { classes: 1, classAgnosticBoxes: false }],
    [
      'four levels, layer scale',
      smallUperNet({ channels: 8, depths: [1, 2, 1, 1], layerScale: true, headChannels: 12 }),
      { depths: [1, 2, 1, 1], layerScale: true, headChannels: 12 },
    ],
    [
      'class-agnostic boxes',
      smallMaskRCNN({ classAgnosticBoxes: true }),
      { classAgnosticBoxes: true, classAgnosticMasks: false },
    ],
    [
      'class-agnostic masks',
      smallMaskRCNN({ classAgnosticMasks: true }),
      { classAgnosticBoxes: false, classAgnosticMasks: true },
    ],
    [
      'no mask convolution',
      smallMaskRCNN({ maskConvolutions: 0, boxLayers: 1, boxSide: 5 }),
      { maskConvolutions: 0 },
    ],
  ] as const) {
    const { inspection, metadata } = await convert(saved(randomState(shapes)));
    t.match(inspection, expected, what);
    t.match(metadata.architecture, expected, what);
  }
  for (const epsilon of [1e-5, 1e-6]) {
    const shapes = smallUperNet({ outputNormalization: { levels: [0, 1], epsilon } });
    const { model } = await convert(saved(randomState(shapes)));
    const node = (name: string) =>
      model.modelTopology.node.find((node: { name: string }) => node.name === name);
    t.match(node('features_0'), { op: 'LayerNormalization', attr: { epsilon: { f: epsilon } } });
    t.match(
      node('backbone.levels.0.downsample.conv/convolution').input[0],
      /levels\.0\.norm\.0/,
      'not the normed map',
    );
  }
  const three = saved(
    randomState(smallUperNet({ pools: 3 })),
    dict({ config: 'model=dict(decode_head=dict(pool_scales=(1, 2, 4)))' }),
  );
  t.same((await convert(three)).metadata.architecture.poolScales, [1, 2, 4]);
  const five = saved(
    randomState(smallMaskRCNN({ anchors: 2 })),
    dict({ config: 'model=dict(rpn_head=dict(anchor_generator=dict(ratios=[1.0, 2.0])))' }),
  );
  t.equal((await convert(five)).inspection.architecture, 'GrootV + Mask R-CNN');
});

t.test('what is refused', async (t) => {
  const changed = (
    shapes: Map<string, readonly number[]>,
    change: (shapes: Map<string, readonly number[]>) => void,
  ) => {
    change(shapes);
    return saved(randomState(shapes));
  };
  const without = (shapes: Map<string, readonly number[]>, start: string) =>
    changed(shapes, (shapes) => {
      for (const name of [...shapes.keys()]) if (name.startsWith(start)) shapes.delete(name);
    });
  const config = (state: State, text: string) => saved(state, dict({ config: text }));
  for (const [what, root, message, options] of [
    [
      'no classifier',
      without(smallUperNet(), 'decode_head.conv_seg'),
      /GrootV \+ UperNet .*2 missing: decode_head\.conv_seg\.weight/,
    ],
    [
      'no lateral',
      without(smallUperNet(), 'decode_head.lateral_convs.0.bn.running_var'),
      /1 missing: decode_head\.lateral_convs\.0\.bn\.running_var/,
    ],
    [
      'a wide conv',
      changed(smallUperNet(), (shapes) => shapes.set('decode_head.fpn_convs.0.conv.weight', [5, 6, 3, 3])),
      /1 of the wrong shape: decode_head\.fpn_convs\.0\.conv\.weight is \[5, 6, 3, 3\], expected \[5, 5, 3, 3\]/,
    ],
    [
      'an unknown module',
      changed(smallUperNet(), (shapes) => shapes.set('decode_head.extra.weight', [1])),
      /1 unexpected: decode_head\.extra\.weight/,
    ],
    [
      'no mask head',
      without(smallMaskRCNN(), 'roi_head.mask_head'),
      /GrootV \+ Mask R-CNN .* missing: roi_head\.mask_head/,
    ],
    ['no box head', without(smallMaskRCNN(), 'roi_head.bbox_head'), / missing: roi_head\.bbox_head/],
    ['no neck', without(smallMaskRCNN(), 'neck.'), / missing: neck\.lateral_convs/],
    [
      'boxes of other classes',
      changed(smallMaskRCNN(), (shapes) => shapes.set('roi_head.bbox_head.fc_reg.weight', [8, 7])),
      /fc_reg\.weight is \[8, 7\], expected \[12, 7\]/,
    ],
    [
      'masks of other classes',
      changed(smallMaskRCNN(), (shapes) => shapes.set('roi_head.mask_head.conv_logits.weight', [2, 5, 1, 1])),
      /conv_logits\.weight is \[2, 5, 1, 1\], expected \[3, 5, 1, 1\]/,
    ],
    [
      'no classes',
      changed(smallMaskRCNN(), (shapes) => shapes.set('roi_head.bbox_head.fc_cls.weight', [0, 7])),
      /fc_cls\.weight is \[0, 7\], expected \[2, 7\]/,
    ],
    [
      'a block that lacks a tensor',
      without(smallUperNet(), 'backbone.levels.1.blocks.0.TreeSSM.Ds'),
      /1 missing: backbone\.levels\.1\.blocks\.0\.TreeSSM\.Ds/,
    ],
    [
      'pools of unknown sides',
      saved(randomState(smallUperNet({ pools: 3 }))),
      /pools to 3 maps, whose sides are not in the weights: expected pool_scales in meta\.config/,
    ],
    [
      'anchors of unknown ratios',
      saved(randomState(smallMaskRCNN({ anchors: 5 }))),
      /5 anchors a position, whose ratios are not in the weights/,
    ],
    [
      'aligned corners',
      config(SEGMENTER, 'model=dict(decode_head=dict(align_corners=True))'),
      /align_corners=True, expected False/,
    ],
    [
      'BGR',
      config(DETECTOR, "test_pipeline=[dict(type='Normalize', to_rgb=False)]"),
      /BGR \(to_rgb is False\), expected RGB/,
    ],
    [
      'windows with gaps',
      config(SEGMENTER, "model=dict(test_cfg=dict(mode='slide', crop_size=(8, 8), stride=(9, 8)))"),
      /stride is \[9,8\], cropSize \[8,8\]: windows would leave gaps/,
    ],
    ['another model', config(DETECTOR, "model = dict(backbone=dict(type='UIS_Mamba'))"), /one of UIS-Mamba/],
    [
      'too few names',
      saved(SEGMENTER),
      /2 class names were given, the model has 3 classes/,
      { classNames: ['a', 'b'] },
    ],
    [
      'too few colours',
      saved(SEGMENTER),
      /palette has 1 colours, expected one for each of 3 classes/,
      { dense: { palette: [[1, 2, 3]] } },
    ],
    [
      'a scale of nothing',
      saved(SEGMENTER),
      /scale\[0\] is 0, expected an integer from 1/,
      { dense: { scale: [0, 0] } },
    ],
    [
      'a threshold for a segmenter',
      saved(SEGMENTER),
      /scoreThreshold was given, which is for detectors/,
      { dense: { scoreThreshold: 0.5 } },
    ],
    [
      'windows for a detector',
      saved(DETECTOR),
      /mode was given, which is for segmenters/,
      { dense: { mode: 'slide' } },
    ],
  ] as const) {
    const sink = new MemorySink();
    const converting = convertCheckpoint(await torchZipBytes(root), sink, options as ConvertOptions);
    const error = await converting.then(
      () => undefined,
      (error: Error) => error,
    );
    t.ok(error instanceof ArchitectureError, `${what}: ${error}`);
    t.match(error?.message, message, what);
    t.notMatch(error?.message, /\n/, what);
    t.equal(sink.files.size, 0, `${what}: nothing is written`);
  }
});
