/** Files for functions composed of ops: every step on the backend under test, trees exactly, and gradients. */
import { dispose, engine, exp, getGradient, mul, neg, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { ToleranceClass } from '../../plugin/backends.js';
import { GridTree, type GridTreeOptions } from '../../plugin/filters/grid_tree.js';
import { byPixel } from '../../plugin/filters/tree_filter.js';
import type { Tree } from '../../plugin/ops/boruvka_mst.js';
import { edgeDissimilarity } from '../../plugin/ops/edge_dissimilarity.js';
import { runOp } from '../../plugin/ops/kernels.js';
import { randomSpanningTreeSpec } from '../../plugin/ops/random_spanning_tree.spec.js';
import type { Bound } from '../../plugin/ops/spec/bound.js';
import { gridEdges } from '../../plugin/ops/spec/graphs.js';
import { parentIdsOf, treesOf } from '../../plugin/ops/spec/rooted_tree.js';
import { NotSupported } from '../backend.js';
import { compositionBound } from '../bounds.js';
import {
  type CaseTensor,
  type ConformanceCase,
  float32,
  int32,
  type OpCase,
  type ProgramCase,
  programCase,
} from '../case.js';
import type { Judgement } from '../judgement.js';
import { outputsCase } from '../spec_cases.js';
import { readTensor, toTensor } from '../tfjs_backend.js';
import { type Comparison, combine, comparisonOf, fail, judge } from '../verdict.js';
import { type CaseFile, channelsLast, LayoutError } from './case_file.js';
import { mstCase } from './mst_file.js';

/** A file's tensor for a step, channels-last. */
export interface ExpectedStep {
  readonly of: string;
  readonly from: string;
  readonly tensor: CaseTensor;
}

export type Steps = Readonly<Record<string, Tensor>>;

/** A tree in a file: `<prefix>parent`, `<prefix>edge_index` and `<prefix>edge_weights`. */
export interface TreeSource {
  readonly prefix: string;
  /** The case of the op that builds it from the file's weights. */
  readonly opCase: OpCase;
  /** Edge index, order, parent and weights of the backend's own tree. */
  readonly make: (steps: Steps, prepared?: Tree) => readonly Tensor[];
  /** Maps weights to the values that are compared. */
  readonly read: (weight: number) => number;
}

export interface CompositionSource {
  readonly file: CaseFile;
  readonly name?: string;
  /** Name of the row in the report: the function. */
  readonly op: string;
  /** Floating-point inputs, channels-last. */
  readonly inputs: Readonly<Record<string, CaseTensor>>;
  /** Computed before and disposed of afterwards: trees that depend on values which are read back. */
  readonly prepare?: (inputs: Steps) => Promise<Tree>;
  /** All steps by name. */
  readonly run: (inputs: Steps, prepared?: Tree) => Steps;
  readonly expected: readonly ExpectedStep[];
  /** Bound of the steps, instead of {@link compositionBound}. */
  readonly bound?: (tolerance: ToleranceClass) => Bound;
  readonly trees: readonly TreeSource[];
  /** Gradients of sum(dy * step `of`), or without dy of the step itself, with respect to inputs. */
  readonly gradient?: {
    readonly of: string;
    readonly dy?: CaseTensor;
    readonly expected: readonly ExpectedStep[];
  };
}

/** Tensors of a file for a step: under its own name, and computed in float64 (`_true`). */
export function stored(
  file: CaseFile,
  of: string,
  name: string,
  read: (name: string) => CaseTensor = (from) => mapOf(file, from),
): ExpectedStep[] {
  return [name, `${name}_true`]
    .filter((from) => file.has(from))
    .map((from) => ({ of, from, tensor: read(from) }));
}

/** A [B, C, H, W] tensor of a file as [B, H, W, C]. */
export function mapOf(file: CaseFile, name: string): CaseTensor {
  return channelsLast(file.tensor(name, 4));
}

/** A number in the metadata. @throws {LayoutError} */
export function numberOf(file: CaseFile, name: string): number {
  const value = Number(file.metadata.get(name) ?? Number.NaN);
  if (!Number.isFinite(value)) throw new LayoutError(`${file.path} does not say what ${name} is`);
  return value;
}

/** Height and width of maps [B, H, W, C]. */
export function gridOf({ shape }: CaseTensor): [number, number] {
  return [shape[1], shape[2]];
}

/** An input [B, C, H, W] of a file, as [B, H, W, C]. @throws {LayoutError} */
export function inputMap(file: CaseFile, name: string): CaseTensor {
  return channelsLast(file.input(name, 4));
}

/** Sets the decays of roots in [B, V, G] to 0, as in files. @param tree the prefix of a tree in the file */
export function withoutRoots(file: CaseFile, tree: string): (decay: Tensor) => Tensor {
  const { shape, values } = file.ints(`${tree}parent`, 2);
  const others = float32(
    [...shape, 1],
    values.map((id) => (id < 0 ? 0 : 1)),
  );
  return (decay) => mul(decay, toTensor(others));
}

export function compositionCases(source: CompositionSource): ConformanceCase[] {
  const { name = source.file.name, gradient } = source;
  return [
    ...source.trees.map(({ opCase }) => opCase),
    stepsCase(source, name),
    ...(gradient ? [gradientCase(source, name, gradient)] : []),
  ];
}

/** The minimum spanning tree of mapped feature distances. @param features a step [B, H, W, C] */
export function minimumTree(
  file: CaseFile,
  prefix: string,
  grid: Grid,
  options: GridTreeOptions,
  features: (steps: Steps) => Tensor,
): TreeSource {
  const weights = file.input(`${prefix}edge_weights`, 2);
  const opCase = mstCase({
    name: nameOfTree(file, prefix),
    weights,
    edges: edgesOf(grid),
    numVertices: grid[0] * grid[1],
    chosen: [{ from: `${prefix}edge_index`, index: file.ints(`${prefix}edge_index`, 2) }],
  });
  return {
    prefix,
    opCase,
    make: (steps) => runOp(GridTree, { features: features(steps) }, { ...options }),
    // Exponentials are compared by their logarithms: a single large one would hide all others.
    read: options.mapping === 'exp' ? Math.log : (weight) => weight,
  };
}

/** The random tree of exp(-distance) of features; `prepare` creates the backend's own. */
export function randomTree(
  file: CaseFile,
  prefix: string,
  grid: Grid,
  seed: number,
  features: (steps: Steps) => Tensor,
): TreeSource {
  const inputs = { similarity: file.input(`${prefix}edge_weights`, 2), edges: edgesOf(grid) };
  const testCase = outputsCase(randomSpanningTreeSpec, {
    name: nameOfTree(file, prefix),
    inputs,
    attributes: { numVertices: grid[0] * grid[1], seed },
  });
  const from = `${prefix}edge_index`;
  const stored = { of: 'edgeIndex', from, tensor: file.ints(from, 2) };
  return {
    prefix,
    opCase: { ...testCase, references: [...testCase.references, stored] },
    make: (steps, prepared) => {
      const { edgeIndex, order, parent } = prepared as Tree;
      const weights = edgeDissimilarity(byPixel(features(steps)), toTensor(edgesOf(grid)), {
        metric: 'euclidean',
      });
      return [edgeIndex, order, parent, exp(neg(weights))];
    },
    read: Math.log,
  };
}

type Grid = readonly [height: number, width: number];

function edgesOf(grid: Grid): CaseTensor {
  const pairs = gridEdges(...grid);
  return int32([pairs.length / 2, 2], pairs);
}

function nameOfTree(file: CaseFile, prefix: string): string {
  return `${file.name} ${prefix.replace(/[._]*$/, '')}`.trimEnd();
}

/** Every step, with the backend's own trees. */
function stepsCase(source: CompositionSource, name: string): ProgramCase {
  const { file, op, expected, trees, bound = (tolerance) => compositionBound(tolerance, false) } = source;
  return programCase(name, op, async ({ tolerance }) => {
    const values = await valuesOf(source, (inputs, prepared) => {
      const steps = source.run(inputs, prepared);
      return [...expected.map(({ of }) => steps[of]), ...trees.flatMap(({ make }) => make(steps, prepared))];
    });
    const made = (i: number) => values.slice(expected.length + i * PARTS, expected.length + (i + 1) * PARTS);
    return combine([
      ...trees.map((tree, i) => judgeTree(file, tree, made(i), tolerance)),
      judge(comparisons(expected, (_, i) => values[i], bound(tolerance))),
    ]);
  });
}

/** Edge index, order, parent and weights of a tree. */
const PARTS = 4;

/** Computes values of the inputs and reads them; no tensor is left behind. */
async function valuesOf(
  { inputs, prepare }: CompositionSource,
  compute: (inputs: Steps, prepared?: Tree) => Tensor[],
): Promise<CaseTensor[]> {
  const given = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, toTensor(value)]));
  let prepared: Tree | undefined;
  try {
    prepared = await prepare?.(given);
    const results = tidy(() => compute(given, prepared));
    const values = await Promise.all(results.map(readTensor));
    dispose(results);
    return values;
  } finally {
    dispose(given);
    prepared?.dispose();
  }
}

function comparisons(
  expected: readonly ExpectedStep[],
  given: (step: ExpectedStep, i: number) => CaseTensor,
  bound: Bound,
): Comparison[] {
  return expected.map((step, i) => comparisonOf(step.from, given(step, i), step.tensor, bound));
}

/** Compares the backend's own tree with the file's: edges exactly, weights within a bound. */
function judgeTree(
  file: CaseFile,
  { prefix, read }: TreeSource,
  [edgeIndex, order, parent, weights]: readonly CaseTensor[],
  tolerance: ToleranceClass,
): Judgement {
  const compared = { edge_index: edgeIndex, parent: parentIds(order, parent) };
  for (const [part, given] of Object.entries(compared)) {
    const { shape, values } = file.ints(prefix + part, 2);
    const at = values.findIndex((value, i) => value !== given.values[i]);
    if (at >= 0 || values.length !== given.values.length) {
      return fail(
        `${prefix}${part}[${at}] is ${given.values[at]} of [${given.shape}], expected ${values[at]} of [${shape}]`,
      );
    }
  }
  const expected = file.tensor(`${prefix}edge_weights`, 2);
  return judge([
    {
      tensor: `${prefix}edge_weights`,
      given: Float64Array.from(weights.values, read),
      expected: Float64Array.from(expected.values, read),
      shape: weights.shape,
      expectedShape: expected.shape,
      bound: compositionBound(tolerance, false),
    },
  ]);
}

/** [B, V] parent vertices, -1 for the roots, as in files. */
export function parentIds(order: CaseTensor, parent: CaseTensor): CaseTensor {
  const trees = treesOf({ order: order.values, parent: parent.values }, order.shape);
  return int32(
    order.shape,
    trees.flatMap((tree) => Array.from(parentIdsOf(tree))),
  );
}

/** Gradients through all steps. */
function gradientCase(
  source: CompositionSource,
  name: string,
  gradient: NonNullable<CompositionSource['gradient']>,
): ProgramCase {
  const { op } = source;
  return programCase(name, `${op} gradient`, async ({ tolerance }) => {
    if (!getGradient('RealDiv')) {
      throw new NotSupported("the gradients of tfjs's own ops are not registered: import @tensorflow/tfjs");
    }
    const names = [...new Set(gradient.expected.map(({ of }) => of))];
    const values = await valuesOf(source, (inputs, prepared) => {
      const forward = () => source.run(inputs, prepared)[gradient.of];
      const dy = gradient.dy && toTensor(gradient.dy);
      const xs = names.map((name) => inputs[name]);
      return engine().gradients(forward, xs, dy).grads;
    });
    const found = ({ of }: ExpectedStep) => values[names.indexOf(of)];
    return judge(comparisons(gradient.expected, found, compositionBound(tolerance, true)));
  });
}
