/** Checkpoints of segmenters and detectors: layouts of both generations of the libraries, sizes, refused ones. */
import t from 'tap';
import { randomState, renamed, smallMaskRCNN, smallUperNet } from '../../testing/checkpoints.js';
import {
  convertSaved,
  DETECTOR,
  SEGMENTER,
  type State,
  saved,
  weightsOf,
} from '../../testing/openmmlab_checkpoints.js';
import { ArchitectureError, type ConvertOptions, convertCheckpoint, MemorySink } from '../index.js';
import {
  MadeOrderedDict,
  madeDict,
  madeTensor,
  type Picklable,
  torchLegacyBytes,
  torchZipBytes,
} from '../pytorch/testing/torch_writer.js';

t.test('wherever the weights lie, the model is the same', async (t) => {
  for (const [kind, state, name] of [
    ['segmenter', SEGMENTER, 'GrootV + UperNet'],
    ['detector', DETECTOR, 'GrootV + Mask R-CNN'],
  ] as const) {
    const { weights, inspection } = await convertSaved(saved(state, madeDict({ seed: 0 })));
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
    const optimizer = madeDict({ state: madeDict({}), param_groups: [] });
    for (const [layout, root] of [
      ['bare', new MadeOrderedDict(state)],
      ['under model', madeDict({ model: new MadeOrderedDict(state) })],
      ['module.', saved(renamed(state, (name) => `module.${name}`))],
      ['model.', saved(renamed(state, (name) => `model.${name}`))],
      ['an optimizer', madeDict({ meta: madeDict({}), state_dict: new MadeOrderedDict(state), optimizer })],
      [
        'mmengine',
        madeDict({
          meta: madeDict({ cfg: 'x = 1' }),
          state_dict: new MadeOrderedDict(state),
          message_hub: madeDict({}),
        }),
      ],
      ['more tensors', saved(more)],
    ] as const) {
      const converted = await convertSaved(root, { dense: {} });
      t.equal(converted.weights, weights, `${kind}, ${layout}`);
    }
    const sink = new MemorySink();
    await convertCheckpoint(torchLegacyBytes(saved(state)), sink);
    t.equal(weightsOf(sink), weights, `${kind}, legacy file`);

    const { inspection: report } = await convertSaved(saved(more));
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
    const trunk = await convertSaved(saved(state), { prefix: 'backbone.' });
    t.equal(trunk.inspection.architecture, 'GrootV', 'the backbone alone, where its prefix is given');
  }
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
    const { inspection, metadata } = await convertSaved(saved(randomState(shapes)));
    t.match(inspection, expected, what);
    t.match(metadata.architecture, expected, what);
  }
  for (const epsilon of [1e-5, 1e-6]) {
    const shapes = smallUperNet({ outputNormalization: { levels: [0, 1], epsilon } });
    const { model } = await convertSaved(saved(randomState(shapes)));
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
    madeDict({ config: 'model=dict(decode_head=dict(pool_scales=(1, 2, 4)))' }),
  );
  t.same((await convertSaved(three)).metadata.architecture.poolScales, [1, 2, 4]);
  const five = saved(
    randomState(smallMaskRCNN({ anchors: 2 })),
    madeDict({ config: 'model=dict(rpn_head=dict(anchor_generator=dict(ratios=[1.0, 2.0])))' }),
  );
  t.equal((await convertSaved(five)).inspection.architecture, 'GrootV + Mask R-CNN');
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
  const config = (state: State, text: string) => saved(state, madeDict({ config: text }));
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
