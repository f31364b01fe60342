/** `treessm_*` files: one tree state-space module with all its intermediates. */

import {
  add,
  depthwiseConv2d,
  mul,
  reshape,
  split,
  type Tensor,
  type Tensor4D,
  tidy,
} from '@tensorflow/tfjs-core';
import { silu } from '../../plugin/ops/activations.js';
import { softplusOf } from '../../plugin/ops/activations.spec.js';
import { discretize } from '../../plugin/ops/discretize.js';
import { discretizeSpec } from '../../plugin/ops/discretize.spec.js';
import { layerNormalization } from '../../plugin/ops/layer_normalization.js';
import { layerNormalizationSpec } from '../../plugin/ops/layer_normalization.spec.js';
import { linear } from '../../plugin/ops/linear.js';
import { linearSpec } from '../../plugin/ops/linear.spec.js';
import { gridEdges } from '../../plugin/ops/spec/graphs.js';
import { sizeOf } from '../../plugin/ops/spec/tensor.js';
import { treeScan } from '../../plugin/ops/tree_scan.js';
import { layerBound } from '../bounds.js';
import {
  type CaseTensor,
  type ConformanceCase,
  float32,
  int32,
  type OpCase,
  type ProgramCase,
  programCase,
  type Reference,
} from '../case.js';
import { largest } from '../measure.js';
import { outputsCase } from '../spec_cases.js';
import { readTensor, toTensor } from '../tfjs_backend.js';
import { type Comparison, judge } from '../verdict.js';
import { type CaseFile, channelsLast, reshaped } from './case_file.js';
import { edgeWeightsCase } from './edge_weights_file.js';
import { featuresToTreeCase } from './features_to_tree.js';
import { mstCase } from './mst_file.js';
import { contradiction, treesOfParentIds } from './tree_cases.js';
import { treeScanCases } from './tree_scan_file.js';

const EPSILON = 1e-5;

export function isTreeSsmFile(file: CaseFile): boolean {
  return file.has('input', 'output', 'x_act', 'feat_in', 'deltaA', 'parent') && file.has('state.A_logs');
}

export function treeSsmFileCases(file: CaseFile): ConformanceCase[] {
  const { name } = file;
  const [batch, channels, height, width] = file.floats('x_act', 4).shape;
  const numVertices = height * width;
  const byVertex = (tensor: string) => channelsLast(file.floats(tensor));
  const flat = (tensor: CaseTensor) => reshaped(tensor, [tensor.values.length]);
  const x = reshaped(byVertex('x_act'), [batch, numVertices, channels]);
  const [decay, input] = [byVertex('deltaA'), byVertex('feat_in')];
  const trees = treesOfParentIds(file.ints('parent', 2));
  const pairs = gridEdges(height, width);
  const edges = int32([pairs.length / 2, 2], pairs);

  const stored = (of: string, from: string, tensor: CaseTensor): Reference => ({ of, from, tensor });
  const discretizeCase = outputsCase(discretizeSpec, {
    name,
    inputs: {
      dt: byVertex('dts_raw'),
      stepBias: flat(file.floats('state.dt_projs_bias')),
      logA: file.floats('state.A_logs'),
      inputGate: byVertex('Bs'),
      x,
    },
  });
  const normalization = (layer: string, from: string, to: string): OpCase => {
    const testCase = outputsCase(layerNormalizationSpec, {
      name: `${name} ${layer}`,
      inputs: {
        x: byVertex(from),
        gamma: file.floats(`state.${layer}.weight`),
        beta: file.floats(`state.${layer}.bias`),
      },
      attributes: { epsilon: EPSILON },
    });
    return { ...testCase, references: [...testCase.references, stored('y', to, file.floats(to))] };
  };
  return [
    {
      ...discretizeCase,
      references: [
        ...discretizeCase.references,
        stored('decay', 'deltaA', decay),
        stored('input', 'feat_in', input),
      ],
      contradiction: intermediateProblem(file, x),
    },
    normalization('h_norm', 'feature_out', 'h_normed'),
    normalization('out_norm', 'y_core', 'out_normed'),
    ...treeScanCases({
      name,
      x: input,
      decay,
      trees,
      aggregate: 'all',
      stored: [{ of: 'y', from: 'feature_out', tensor: byVertex('feature_out'), exact: false }],
    }),
    edgeWeightsCase({
      name,
      features: x,
      edges,
      metric: 'cosine',
      stored: [
        {
          from: 'edge_weights',
          values: file.floats('edge_weights'),
          of: Math.exp,
          inverse: (w) => Math.log(w),
        },
      ],
    }),
    mstCase({
      name,
      weights: file.floats('edge_weights'),
      edges,
      numVertices,
      treeEdges: file.ints('tree_edges', 3),
    }),
    featuresToTreeCase(name, x, edges, file.ints('tree_edges', 3)),
    moduleCase(file),
  ];
}

/** Checks, in float64, the steps between tensors that none of our ops computes. */
function intermediateProblem(file: CaseFile, x: CaseTensor): string | undefined {
  const bias = file.floats('state.dt_projs_bias').values;
  const dt = channelsLast(file.floats('dts_raw')).values;
  const steps = Array.from(dt, (step, i) => softplusOf(step + bias[i % bias.length]));
  const channels = bias.length;
  const gate = channelsLast(file.floats('Cs')).values;
  const skip = file.floats('state.Ds').values;
  const normalized = file.floats('h_normed').values;
  const core = Array.from(normalized, (value, i) => {
    const row = Math.floor(i / channels);
    return value * gate[row] + skip[i % channels] * x.values[i];
  });
  const rates = Array.from(file.floats('state.A_logs').values, (logA) => -Math.exp(logA));
  const close = { relative: 1e-6, absolute: 1e-7 };
  return (
    (file.has('dts')
      ? contradiction('dts', channelsLast(file.floats('dts')).values, steps, close)
      : undefined) ??
    (file.has('As') ? contradiction('As', file.floats('As').values, rates, close) : undefined) ??
    contradiction('y_core', channelsLast(file.floats('y_core')).values, core, {
      relative: 1e-6,
      absolute: 1e-6 * largest(core),
    })
  );
}

/** The whole module with pinned trees, from input to output. */
function moduleCase(file: CaseFile): ProgramCase {
  return programCase(file.name, 'Tree state-space module', async ({ tolerance }) => {
    const expected: readonly (readonly [string, CaseTensor])[] = [
      ['x_act', channelsLast(file.floats('x_act'))],
      ['dts_raw', channelsLast(file.floats('dts_raw'))],
      ['Bs', channelsLast(file.floats('Bs'))],
      ['Cs', channelsLast(file.floats('Cs'))],
      ['feature_out', channelsLast(file.floats('feature_out'))],
      ['out_normed', file.floats('out_normed')],
      ['output', file.floats('output')],
    ];
    const results = tidy(() => {
      const all = runModule(file);
      return expected.map(([name]) => all[name]);
    });
    const comparisons: Comparison[] = [];
    for (const [i, [tensor, { values, shape }]] of expected.entries()) {
      const given = await readTensor(results[i]);
      results[i].dispose();
      const layer = layerBound(tolerance);
      // These steps are not sums over many layers: their relative error is that of a gradient of a product.
      const { relative } = linearSpec.bound(tolerance, { inputs: {}, attributes: {} }, true);
      const bound = tensor === 'dts_raw' ? { ...layer, relative } : layer;
      comparisons.push({
        tensor,
        given: given.values,
        expected: values,
        shape: [given.values.length],
        expectedShape: [sizeOf(shape)],
        bound,
      });
    }
    return judge(comparisons);
  });
}

/** The module (GrootVL, section 3.2, and the README of the fixtures) composed of the ops of this package. */
function runModule(file: CaseFile): Record<string, Tensor> {
  const state = (name: string) => toTensor(file.floats(`state.${name}`));
  const weights = (name: string) => {
    const { shape, values } = file.floats(`state.${name}`);
    const [rows, columns] = shape.slice(-2);
    const moved = float32([columns, rows], values);
    values.forEach((value, i) => {
      moved.values[(i % columns) * rows + Math.floor(i / columns)] = value;
    });
    return toTensor(moved);
  };
  const [batch, height, width] = file.floats('input').shape;
  const [half, gate] = split(
    linear(toTensor(file.floats('input')), weights('in_proj.weight')),
    2,
    -1,
  ) as Tensor4D[];
  const channels = half.shape[3];
  // [D, 1, 3, 3] -> [3, 3, D, 1].
  const kernel = file.floats('state.conv2d.weight').values;
  const filter = float32([3, 3, channels, 1], kernel);
  kernel.forEach((value, i) => {
    filter.values[(i % 9) * channels + Math.floor(i / 9)] = value;
  });
  const vertices = [batch, height * width, channels];
  const x = reshape(silu(depthwiseConv2d(half, toTensor(filter) as Tensor4D, 1, 'same')), vertices);
  const selected = linear(x, weights('x_proj_weight'));
  const rank = selected.shape[2]! - 2;
  const [step, inputGate, outputGate] = split(selected, [rank, 1, 1], -1);
  const dt = linear(step, weights('dt_projs_weight'));
  const bias = reshape(state('dt_projs_bias'), [channels]);
  const { decay, input } = discretize(dt, bias, state('A_logs'), inputGate, x);
  const trees = treesOfParentIds(file.ints('parent', 2));
  const tree = { order: toTensor(trees.order), parent: toTensor(trees.parent) };
  const scanned = treeScan(input, decay, tree as Parameters<typeof treeScan>[2]);
  const normalized = (y: Tensor, layer: string) =>
    layerNormalization(y, state(`${layer}.weight`), state(`${layer}.bias`), { epsilon: EPSILON });
  const core = add(mul(normalized(scanned, 'h_norm'), outputGate), mul(state('Ds'), x));
  const outNormed = normalized(core, 'out_norm');
  const gated = mul(reshape(outNormed, [batch, height, width, channels]), silu(gate));
  return {
    x_act: x,
    dts_raw: dt,
    Bs: inputGate,
    Cs: outputGate,
    feature_out: scanned,
    out_normed: outNormed,
    output: linear(gated, weights('out_proj.weight')),
  };
}
