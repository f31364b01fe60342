import t from 'tap';
import { bytesOf, changedCopy, failures, firstFailures } from '../../testing/changed_files.js';

/** Tensors with expected values in one file of each kind. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  'grootv/mst_grid7x7_random.safetensors': ['tree_edges', 'tree_edge_index', 'tree_edge_index_sorted'],
  'grootv/mst_graph200_quant4.safetensors': ['tree_edge_index_sorted'],
  'grootv/edge_weights_photo_1x16x5x9.safetensors': [
    'weight_cosine',
    'weight_cosine_max_tree',
    'weight_norm2',
    'weight_norm1',
  ],
  'grootv/treescan_mst5x9_D16.safetensors': [
    'feature_out',
    'feature_out_true',
    'grad_x_official',
    'grad_w_official',
    'grad_x_true',
    'grad_w_true',
    'parent',
    'tree_edges',
    'bfs_sorted_index',
  ],
  'grootv/treescan_path_slowdecay_L3136.safetensors': ['feature_out', 'grad_w_official', 'grad_w_true'],
  'grootv/treessm_c16_8x10_b1.safetensors': [
    'output',
    'x_act',
    'dts_raw',
    'dts',
    'deltaA',
    'As',
    'Bs',
    'Cs',
    'feat_in',
    'feature_out',
    'h_normed',
    'y_core',
    'out_normed',
    'edge_weights',
    'tree_edges',
    'parent',
  ],
  'grootl/op/case18_B1_L16_ctx16.safetensors': [
    'tree_weight',
    'mst_edges',
    'mst_edge_index',
    'tree_parent',
    'tree_out',
    'tree_out_f64',
    'mix_out',
    'discrete_A',
    'deltaB_u',
    'grad_feature_in',
    'grad_weight',
    'grad_feature_in_f64',
    'grad_weight_f64',
    'pairs',
    'input_states',
    'output',
    'output_f64',
    'mixer.in_proj.weight',
    'grad_input_states',
    'grad_input_states_f64',
    'grad_f64.mixer.A_log',
    'grad_f64.mixer.conv1d.weight',
    'grad_f64.mixer.out_proj.weight',
  ],
  'family/gg_ssm_temporal_list.safetensors': [
    'pairs',
    'edge_index',
    'parent',
    'tree_weights',
    'output',
    'output_true',
    'grad_input_true',
    'grad.x_proj.weight_true',
    'state.conv1d.weight',
  ],
  'family/gg_ssm_series_mixer.safetensors': ['output_true', 'grad.D_true'],
  'family/op_scan_star17_leafroot_g3of6.safetensors': [
    ...['root', 'all', 'leaves', 'normalized'].flatMap((aggregate) => [
      `y_${aggregate}`,
      `grad_x_${aggregate}`,
      `grad_decay_${aggregate}`,
    ]),
    'parent',
  ],
  'family/op_parent_dissimilarity_grid5x5_g6of6.safetensors': [
    ...['euclidean', 'manhattan', 'cosine'].flatMap((metric) => [`d_${metric}`, `grad_features_${metric}`]),
    'parent',
  ],
  'family/op_path_scan_5x7.safetensors': [
    'order.snake',
    'parent.column_reverse',
    'y.row',
    'y_all.snake',
    'y_cross',
    'grad_x_cross',
    'grad_decay_cross',
  ],
  'family/op_random_tree_6x7_seed7.safetensors': ['edge_index', 'parent', 'probe_uniform', 'probe'],
  'family/op_tree_mapping_9x10.safetensors': [
    'small.identity.edge_weights',
    'small.plus_one.edge_index',
    'large.exp.parent',
    'large.negative.edge_weights',
  ],
  'family/apro_two_passes.safetensors': [
    'distance_low',
    'distance_high',
    'global_low_true',
    'global_high',
    'local',
    'local_boxed',
    'tree.parent',
    'tree.edge_index',
  ],
  'family/tree_filter_v1_g2_self.safetensors': [
    'output_true',
    'grad_feature',
    'decay',
    'scan_of_ones',
    'tree.parent',
    'tree.edge_index',
    'tree.edge_weights',
  ],
  'family/tree_filter_v2_g2_embed6.safetensors': [
    'conf_filtered',
    'feature_filtered',
    'grad_guide_true',
    'grad.beta_true',
    'grad.embed_layer.weight_true',
  ],
  'family/tree_energy_loss_low_only.safetensors': ['loss', 'filtered_low', 'roi_resized', 'grad_preds_true'],
  'family/box_levelset_i2_c4.safetensors': [
    'loss_image',
    'loss_features',
    'feature_tree.parent',
    'grad_deep_features_true',
  ],
  'family/grootv_scan_coefficient.safetensors': [
    'maximum.parent',
    'minimum.edge_weights',
    'minimum.y_true',
    'maximum.grad_decay_true',
  ],
  'grootl/op/mst_ties.safetensors': ['t3.mst_edge_index', 't3.mst_edges'],
};

/** Whole models, with their checkpoint. */
const MODELS: Readonly<Record<string, readonly [string, readonly string[]]>> = {
  'grootv/grootv_tiny_layerscale_expected.safetensors': [
    'grootv/grootv_tiny_layerscale.pth',
    [
      'input.32x32',
      'logits.32x32',
      'logits.48x80',
      'seq_out.32x32.0',
      'seq_out.48x80.3',
      'pooled.32x32',
      'grad_input.32x32',
      'trees.48x80.levels.1.blocks.0.edge_weights',
      'trees.48x80.levels.1.blocks.0.parent',
    ],
  ],
  'grootv/grootv_nano_mnist_gradients.safetensors': [
    'grootv/grootv_nano_mnist.pth',
    ['loss', 'grad.head.bias'],
  ],
  'family/gg_ssm_tiny_config_expected.safetensors': [
    'family/gg_ssm_tiny_config.pth',
    [
      'input.15x17',
      'features.15x17',
      'seq_out.15x17.0',
      'trees.15x17.levels.1.blocks.1.edge_weights',
      'trees.15x17.levels.0.blocks.0.parent',
    ],
  ],
  'family/gg_ssm_tiny_head_expected.safetensors': [
    'family/gg_ssm_tiny_head.pth',
    ['logits.24x24.stride1', 'logits.24x24.stride2'],
  ],
  'family/uis_mamba_dts_hsw_expected.safetensors': [
    'family/uis_mamba_dts_hsw.pth',
    [
      'outputs.64x64.2',
      'mask.64x64.levels.2.blocks.1',
      'deformed.64x64.levels.0.blocks.0',
      'coords.64x64.levels.0.blocks.0',
      'trees.64x64.levels.3.blocks.0.edge_weights',
      'trees.64x64.levels.1.blocks.0.parent',
    ],
  ],
  'family/gg_ssm_eye_lpw_expected.safetensors': [
    'family/gg_ssm_eye_lpw.pth',
    [
      'input',
      'coords',
      'temporal_out',
      'sequence_in',
      'spatial_features',
      'trees.sequence.temporal_ssm.parent',
      'trees.sequence.temporal_ssm.edge_weights',
      'trees.spatial.levels.1.blocks.0.parent',
      'trees.spatial.levels.0.blocks.1.edge_weights',
    ],
  ],
  'family/gg_ssm_series_tiny_expected.safetensors': [
    'family/gg_ssm_series_tiny.pth',
    [
      'input',
      'output',
      'trees.x.encoder.layers.1.mixer.parent',
      'trees.x.encoder.layers.0.mixer.edge_weights',
    ],
  ],
  'dense/upernet_tiny_expected_short.safetensors': [
    'dense/upernet_tiny.pth',
    [
      'features.70x101.1',
      'psp_bottleneck.70x101',
      'lateral.70x101.0',
      'fpn.70x101.1',
      'fpn_bottleneck.70x101',
      'decode_logits_first16.70x101',
      'trees.70x101.levels.0.blocks.0.edge_weights',
    ],
  ],
  'dense/mask_rcnn_tiny_expected_short.safetensors': [
    'dense/mask_rcnn_tiny.pth',
    [
      'features.94x126.2',
      'fpn.94x126.0',
      'rpn_objectness.94x126.0',
      'rpn_deltas.94x126.1',
      'proposals.94x126',
      'cls_score.94x126',
      'roi_feats_first16.94x126',
      'shared_fc2_first64.94x126',
      'dets.94x126',
      'labels.94x126',
      'mask_logits.94x126',
      'mask_rois.94x126',
    ],
  ],
};

t.test(
  'one element off by 1e-2 fails, in every tensor of every kind of file, on every backend',
  async (t) => {
    for (const [path, tensors] of Object.entries(EXPECTED)) {
      for (const [i, tensor] of tensors.entries()) {
        // A different position in each tensor, but the same in every run.
        const at = ((i + 1) * 0.6180339887) % 1;
        const files = new Map([[path, changedCopy(path, tensor, at)]]);
        for (const found of await firstFailures(files, ['cpu', 'wasm'])) {
          t.ok(found, `${path} ${tensor}: ${found?.reason}`);
        }
      }
    }
  },
);

t.test('and in whole models', async (t) => {
  for (const [path, [checkpoint, tensors]] of Object.entries(MODELS)) {
    for (const [i, tensor] of tensors.entries()) {
      const files = new Map([
        [path, changedCopy(path, tensor, ((i + 1) * 0.6180339887) % 1)],
        [checkpoint, bytesOf(checkpoint)],
      ]);
      const [found] = await firstFailures(files, ['wasm']);
      t.ok(found, `${path} ${tensor}: ${found?.reason}`);
    }
  }
});

t.test('and in training runs', async (t) => {
  const path = 'training/nano_adamw_short.safetensors';
  for (const tensor of ['loss', 'grad_norm', 'logits', 'after_1.head.bias']) {
    const files = new Map([[path, changedCopy(path, tensor, 0.1)]]);
    for (const beside of ['training/nano_batches_short.safetensors', 'grootv/grootv_nano_mnist.pth']) {
      files.set(beside, bytesOf(beside));
    }
    const [found] = await firstFailures(files, ['wasm']);
    t.ok(found, `${path} ${tensor}: ${found?.reason}`);
  }
});

/**
 * For a changed model file, the suite searches for other explanations, which takes seconds: so only one of its two sets of
 * weights is tested.
 */
const OF_MANY = ['model', 'first4', ...(process.env.GROOTVL_LONG === '1' ? ['model_ema'] : [])];

t.test('and in a model of many images, whose cases fail each for its own tensor', async (t) => {
  const path = 'grootv/grootv_nano_mnist_expected.safetensors';
  const checkpoint = 'grootv/grootv_nano_mnist.pth';
  let bytes = bytesOf(path);
  for (const part of OF_MANY) {
    const tensor = part === 'first4' ? 'trees.first4.levels.2.blocks.1.edge_weights' : `logits_${part}`;
    bytes = changedCopy(path, tensor, 0.6180339887, bytes);
  }
  const files = new Map([
    [path, bytes],
    [checkpoint, bytesOf(checkpoint)],
  ]);
  const found = await failures(files);
  for (const part of ['model', 'model_ema', 'first4']) {
    const isChanged = OF_MANY.includes(part);
    const failed = found.find(({ case: name }) => name.endsWith(` ${part}`));
    t.equal(failed !== undefined, isChanged, `${part}: ${failed?.reason}`);
  }
});
