/** `apro_*` files: affinity propagation along a tree and around every pixel. */
import { dispose, reshape, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { gridTree } from '../../plugin/filters/grid_tree.js';
import { localAffinityFilter } from '../../plugin/filters/local_affinity_filter.js';
import { byPixel } from '../../plugin/filters/tree_filter.js';
import { readForChecks } from '../../plugin/kernels/values.js';
import { bottleneckFilter } from '../../plugin/ops/bottleneck_filter.js';
import { bottleneckFilterSpec } from '../../plugin/ops/bottleneck_filter.spec.js';
import { parentDissimilarity } from '../../plugin/ops/parent_dissimilarity.js';
import { EXACT } from '../../plugin/ops/spec/bound.js';
import { compositionBound } from '../bounds.js';
import {
  type CaseTensor,
  type ConformanceCase,
  type OpCase,
  type ProgramCase,
  programCase,
} from '../case.js';
import { outputsCase } from '../spec_cases.js';
import { readTensor, toTensor } from '../tfjs_backend.js';
import { comparisonOf, judge } from '../verdict.js';
import { type CaseFile, LayoutError, reshaped } from './case_file.js';
import {
  compositionCases,
  gridOf,
  inputMap,
  mapOf,
  minimumTree,
  numberOf,
  parentIds,
  stored,
} from './composition_cases.js';
import { treesOfParentIds } from './tree_cases.js';

export function isAffinityFile(file: CaseFile): boolean {
  return file.has('image', 'prob', 'distance_low', 'global_low', 'global_high', 'tree.parent');
}

export function affinityFileCases(file: CaseFile): ConformanceCase[] {
  const [image, prob] = ['image', 'prob'].map((name) => inputMap(file, name));
  const options = { metric: 'euclidean', mapping: 'plus_one' } as const;
  return [
    minimumTree(file, 'tree.', gridOf(image), options, ({ image }) => image).opCase,
    filterCase(file, 'low', prob),
    filterCase(file, 'high', mapOf(file, 'global_low')),
    propagationCase(file, image, prob),
    ...['local', 'local_boxed'].flatMap((name) =>
      file.has(name) ? localCases(file, name, image, prob) : [],
    ),
  ];
}

/** A pass along the tree of the file, with the distances of the file. */
function filterCase(file: CaseFile, pass: 'low' | 'high', x: CaseTensor): OpCase {
  const { order, parent } = treesOfParentIds(file.ints('tree.parent', 2));
  const asRows = (map: CaseTensor) => reshaped(map, [...order.shape, 1]);
  const testCase = outputsCase(bottleneckFilterSpec, {
    name: `${file.name} ${pass}`,
    inputs: { x: asRows(x), distance: file.input(`distance_${pass}`, 2), order, parent },
    attributes: { zeta: numberOf(file, `zeta_${pass}`) },
  });
  // In a single-op case, float32 values are only bounded by the reference's own rounding.
  const references = stored(file, 'y', `global_${pass}`).map(({ of, from, tensor }) => ({
    ...{ of, from, tensor: asRows(tensor) },
    bound: compositionBound('float32', false),
  }));
  return { ...testCase, references: [...testCase.references, ...references] };
}

/** Both passes, along the backend's own tree and with its own distances. */
function propagationCase(file: CaseFile, image: CaseTensor, prob: CaseTensor): ProgramCase {
  const deep = file.has('deep_features') ? inputMap(file, 'deep_features') : undefined;
  const [low, high] = ['zeta_low', 'zeta_high'].map((name) => numberOf(file, name));
  const expected = [
    ...['distance_low', 'distance_high'].map((name) => ({
      of: name,
      from: name,
      tensor: file.tensor(name, 2),
    })),
    ...['global_low', 'global_high'].flatMap((name) => stored(file, name, name)),
  ];
  return programCase(file.name, 'bottleneckFilter', async ({ tolerance }) => {
    const kept: Tensor[] = [];
    const keep = <T extends Tensor>(tensor: T): T => {
      kept.push(tensor);
      return tensor;
    };
    try {
      const guide = keep(toTensor(image));
      const tree = gridTree(guide, { metric: 'euclidean', mapping: 'plus_one' });
      const { order, parent } = tree;
      kept.push(tree.edgeIndex, order, parent);
      const distanceTo = (map: Tensor) =>
        keep(
          tidy(() => reshape(parentDissimilarity(byPixel(map), tree, { metric: 'euclidean' }), order.shape)),
        );
      const filtered = async (map: Tensor, distance: Tensor, zeta: number) => {
        const rows = keep(byPixel(map));
        await readForChecks(rows, distance, order, parent);
        return keep(tidy(() => reshape(bottleneckFilter(rows, distance, tree, { zeta }), map.shape)));
      };
      const distanceLow = distanceTo(guide);
      const globalLow = await filtered(keep(toTensor(prob)), distanceLow, low);
      const distanceHigh = distanceTo(deep ? keep(toTensor(deep)) : globalLow);
      const globalHigh = await filtered(globalLow, distanceHigh, high);
      const made: Readonly<Record<string, Tensor>> = {
        ...{ distance_low: distanceLow, distance_high: distanceHigh },
        ...{ global_low: globalLow, global_high: globalHigh },
      };
      const ids = parentIds(await readTensor(order), await readTensor(parent));
      const comparisons = [comparisonOf('tree.parent', ids, file.ints('tree.parent', 2), EXACT)];
      const bound = compositionBound(tolerance, false);
      for (const { of, from, tensor } of expected) {
        comparisons.push(comparisonOf(from, await readTensor(made[of]), tensor, bound));
      }
      return judge(comparisons);
    } finally {
      dispose(kept);
    }
  });
}

/** Maximum number of rounds, each of which adds ops to a case. */
const MOST_ROUNDS = 1000;

/** An integer of the metadata that determines the amount of computation. @throws {LayoutError} */
function integerOf(file: CaseFile, name: string, most: number): number {
  const value = numberOf(file, name);
  if (Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw new LayoutError(`${file.path}: ${name} is ${value}, expected an integer from 0 to ${most}`);
}

/** The filter around every pixel. */
function localCases(file: CaseFile, name: string, image: CaseTensor, prob: CaseTensor): ConformanceCase[] {
  const isBoxed = name === 'local_boxed';
  const [, height, width] = prob.shape;
  const options = {
    zeta: numberOf(file, 'zeta_local'),
    // Pixels further away than the size of the map do not exist.
    reach: (integerOf(file, 'kernel', 2 * Math.max(height, width)) - 1) / 2,
    rounds: integerOf(file, 'iterations', MOST_ROUNDS),
  };
  return compositionCases({
    file,
    name: `${file.name} ${name}`,
    op: 'localAffinityFilter',
    inputs: { image, prob, ...(isBoxed && { box: file.input('box', 3) }) },
    run: ({ image, prob, box }) => ({ y: localAffinityFilter(prob, image, { ...options, box }) }),
    expected: stored(file, 'y', name, (from) =>
      reshaped(file.tensor(from, 3), [prob.shape[0], height, width, 1]),
    ),
    bound: (tolerance) => ({
      absolute: 0,
      relative: { float32: 2e-5, shader: 2e-4 }[tolerance],
      reason:
        'twenty rounds of weighted means in float32, in the reference too; in a box the values become small',
    }),
    trees: [],
  });
}
