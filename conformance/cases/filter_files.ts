/** `tree_filter_v1_*`, `tree_filter_v2_*` and `grootv_scan_*` files: filters and scans, with all their steps and gradients. */
import { exp, neg, ones, square } from '@tensorflow/tfjs-core';
import { type GridTreeOptions, gridTree } from '../../plugin/filters/grid_tree.js';
import { learnableTreeFilterSteps, randomTreeOfGuide } from '../../plugin/filters/learnable_tree_filter.js';
import { grootVScan, parentAffinity } from '../../plugin/filters/scans.js';
import { byPixel, treeFilter } from '../../plugin/filters/tree_filter.js';
import type { Metric } from '../../plugin/ops/edge_dissimilarity.js';
import { treeScan } from '../../plugin/ops/tree_scan.js';
import { type CaseTensor, type ConformanceCase, float32 } from '../case.js';
import type { CaseFile } from './case_file.js';
import {
  compositionCases,
  type ExpectedStep,
  gridOf,
  inputMap,
  minimumTree,
  numberOf,
  randomTree,
  type Steps,
  stored,
  withoutRoots,
} from './composition_cases.js';

export function isTreeFilterFile(file: CaseFile): boolean {
  return file.has('feature', 'scan_of_ones', 'decay', 'output') && file.metadata.has('groups');
}

export function treeFilterFileCases(file: CaseFile): ConformanceCase[] {
  const metric = (file.metadata.get('metric') ?? 'euclidean') as Metric;
  const groups = numberOf(file, 'groups');
  const optional = ['embed', 'guide'].filter((name) => file.has(name));
  const inputs = Object.fromEntries(['feature', ...optional].map((name) => [name, inputMap(file, name)]));
  const options: GridTreeOptions = { metric: 'euclidean', mapping: 'plus_one' };
  const guideOf = ({ guide, embed, feature }: Steps) => guide ?? embed ?? feature;
  const decayOf = withoutRoots(file, 'tree.');
  return compositionCases({
    file,
    op: 'treeFilter',
    inputs,
    run: ({ feature, embed, guide }) => {
      const tree = gridTree(guideOf({ feature, embed, guide }), options);
      const decay = parentAffinity(byPixel(embed ?? feature), tree, { groups, metric });
      return {
        ...{ feature, embed, guide },
        output: treeFilter(feature, { embed, guide, groups, metric }),
        decay: decayOf(decay),
        scanOfOnes: treeScan(ones(decay.shape), decay, tree),
      };
    },
    expected: [
      ...stored(file, 'output', 'output'),
      ...stored(file, 'decay', 'decay', (name) => file.tensor(name, 3)),
      ...stored(file, 'scanOfOnes', 'scan_of_ones', (name) => file.tensor(name, 3)),
    ],
    trees: [minimumTree(file, 'tree.', gridOf(inputs.feature), options, guideOf)],
    gradient: {
      of: 'output',
      dy: inputMap(file, 'grad_output'),
      expected: ['feature', 'embed'].flatMap((name) => stored(file, name, `grad_${name}`)),
    },
  });
}

const LAYERS = { embed: 'embed_layer.weight', guide: 'guide_layer.weight', confidence: 'conf_layer.weight' };

export function isLearnableTreeFilterFile(file: CaseFile): boolean {
  return file.has('feature', 'guide', 'state.beta', 'state.gamma', `state.${LAYERS.embed}`, 'output');
}

export function learnableTreeFilterFileCases(file: CaseFile): ConformanceCase[] {
  const [, seed] = /^random, seed (\d+)$/.exec(file.metadata.get('tree') ?? '') ?? [];
  const layers = Object.entries(LAYERS).map(([name, layer]) => [`${name}Weights`, layer] as const);
  const inputs = {
    ...{ feature: inputMap(file, 'feature'), guide: inputMap(file, 'guide') },
    ...Object.fromEntries(layers.map(([name, layer]) => [name, kernelOf(file.tensor(`state.${layer}`, 4))])),
    ...{ beta: file.input('state.beta', 1), gamma: file.input('state.gamma', 1) },
  };
  const isRandom = seed !== undefined;
  const decayOf = withoutRoots(file, 'tree.');
  const grid = gridOf(inputs.feature);
  const guideEmbedOf = ({ guideEmbed }: Steps) => guideEmbed;
  const learnt: ExpectedStep[] = [
    ...layers.flatMap(([name, layer]) =>
      stored(file, name, `grad.${layer}`, (from) => kernelOf(file.tensor(from, 4))),
    ),
    ...['beta', 'gamma'].flatMap((name) =>
      stored(file, name, `grad.${name}`, (from) => file.tensor(from, 1)),
    ),
  ];
  return compositionCases({
    file,
    op: 'learnableTreeFilter',
    inputs,
    prepare: isRandom
      ? ({ feature, guide, guideWeights }) =>
          randomTreeOfGuide(feature, guide, { guide: guideWeights }, Number(seed))
      : undefined,
    run: (given, random) => {
      const { feature, guide, embedWeights, guideWeights, confidenceWeights, beta, gamma } = given;
      const layers = { embed: embedWeights, guide: guideWeights, confidence: confidenceWeights };
      const [output, embed, guideEmbed, confidence, decay, filteredConfidence, filteredFeature] =
        learnableTreeFilterSteps(feature, guide, { ...layers, beta, gamma }, { tree: random });
      return {
        ...{ output, embed, guideEmbed, confidence, filteredConfidence, filteredFeature },
        decay: decayOf(decay),
        ownWeight: exp(neg(square(beta))),
      };
    },
    expected: [
      ...stored(file, 'output', 'output'),
      ...stored(file, 'embed', 'embed'),
      ...stored(file, 'guideEmbed', 'guide_embed'),
      ...stored(file, 'confidence', 'conf'),
      ...stored(file, 'filteredConfidence', 'conf_filtered'),
      ...stored(file, 'filteredFeature', 'feature_filtered'),
      ...stored(file, 'decay', 'decay', (name) => file.tensor(name, 3)),
      ...stored(file, 'ownWeight', 'self_weight', (name) => file.tensor(name, 1)),
    ],
    trees: [
      isRandom
        ? randomTree(file, 'tree.', grid, Number(seed), guideEmbedOf)
        : minimumTree(file, 'tree.', grid, { metric: 'euclidean', mapping: 'exp' }, guideEmbedOf),
    ],
    gradient: {
      of: 'output',
      dy: inputMap(file, 'grad_output'),
      expected: [...['feature', 'guide'].flatMap((name) => stored(file, name, `grad_${name}`)), ...learnt],
    },
  });
}

/** A 1x1 convolution [O, I, 1, 1] as the matrix [I, O] of a linear layer. */
function kernelOf({ shape, values }: CaseTensor): CaseTensor {
  const [outputs, inputs] = shape;
  return float32(
    [inputs, outputs],
    values.map((_, i) => values[(i % outputs) * inputs + Math.floor(i / outputs)]),
  );
}

/** Names of the trees in a `grootv_scan_*` file, and how they are built. */
const SCANS: Readonly<Record<string, { metric: Metric; maximum: boolean }>> = {
  minimum: { metric: 'cosine', maximum: false },
  maximum: { metric: 'cosine', maximum: true },
  norm2: { metric: 'euclidean', maximum: false },
};

export function isGrootVScanFile(file: CaseFile): boolean {
  return file.has('features', 'x', 'decay', 'coefficient') && scansOf(file).length > 0;
}

function scansOf(file: CaseFile): string[] {
  return Object.keys(SCANS).filter((kind) => file.has(`${kind}.parent`, `${kind}.y_true`));
}

export function grootVScanFileCases(file: CaseFile): ConformanceCase[] {
  const byVertex = (name: string) => file.input(name, 3);
  const inputs = {
    ...{ x: byVertex('x'), decay: byVertex('decay') },
    ...{ features: inputMap(file, 'features'), coefficient: file.input('coefficient', 2) },
  };
  return scansOf(file).flatMap((kind) => {
    const expected = (of: string, name: string) =>
      stored(file, of, `${kind}.${name}`, (from) => file.tensor(from, 3));
    return compositionCases({
      file,
      name: `${file.name} ${kind}`,
      op: 'grootVScan',
      inputs,
      run: ({ x, decay, features, coefficient }) => ({
        features,
        y: grootVScan(x, decay, features, { coefficient, ...SCANS[kind] }),
      }),
      expected: expected('y', 'y'),
      trees: [
        minimumTree(
          file,
          `${kind}.`,
          gridOf(inputs.features),
          { mapping: 'exp', ...SCANS[kind] },
          ({ features }) => features,
        ),
      ],
      gradient: {
        of: 'y',
        dy: byVertex('grad_output'),
        expected: [...expected('x', 'grad_x'), ...expected('decay', 'grad_decay')],
      },
    });
  });
}
