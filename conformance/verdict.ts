/** Turns figures into verdicts. */

import type { ToleranceClass } from '../plugin/backends.js';
import { completeAttributes } from '../plugin/ops/input_checks.js';
import { type Bound, boundOfTolerance, EXACT, SINGLE_OP } from '../plugin/ops/spec/bound.js';
import { specOf } from '../plugin/ops/spec/spec.js';
import { NEAR_TIE } from './bounds.js';
import type { CaseTensor, OpCase, Reference } from './case.js';
import { certify } from './certificate.js';
import type { Judgement, TreePair, Verdict } from './judgement.js';
import { measure } from './measure.js';

/** One comparison of a case. */
export interface Comparison {
  readonly tensor: string;
  readonly given: ArrayLike<number>;
  readonly shape?: readonly number[];
  readonly expected: ArrayLike<number>;
  readonly expectedShape?: readonly number[];
  readonly bound: Bound;
}

/** Values and the expected ones. */
export function comparison(
  tensor: string,
  given: ArrayLike<number>,
  expected: ArrayLike<number>,
  bound: Bound,
): Comparison {
  return { tensor, given, expected, bound };
}

/** A tensor and its expected value, of the same shape. */
export function comparisonOf(
  tensor: string,
  given: CaseTensor,
  expected: CaseTensor,
  bound: Bound,
): Comparison {
  const [shape, expectedShape] = [given.shape, expected.shape];
  return { tensor, given: given.values, shape, expected: expected.values, expectedShape, bound };
}

/** Passes if every comparison is within its bound. */
export function judge(comparisons: readonly Comparison[]): Judgement {
  let worst: { judgement: Judgement; severity: number } | undefined;
  for (const { tensor, given, expected, shape, expectedShape, bound } of comparisons) {
    if (shape && expectedShape && shape.join() !== expectedShape.join()) {
      return fail(`${tensor} has shape [${shape}], expected [${expectedShape}]`);
    }
    if (given.length !== expected.length) {
      return fail(`${tensor} has ${given.length} values, expected ${expected.length}`);
    }
    const figures = measure(given, expected);
    const allowed = Math.max(bound.absolute, bound.relative * figures.scale);
    const within = figures.maxAbs <= allowed;
    const severity =
      figures.maxAbs === 0 || allowed === Number.POSITIVE_INFINITY ? 0 : figures.maxAbs / allowed;
    if (worst && severity <= worst.severity) continue;
    const { index, given: value, expected: expectedValue } = figures.worst;
    const reason = within
      ? ''
      : `${tensor}[${index}] is ${show(value)}, expected ${show(expectedValue)}: off by ${show(figures.maxAbs)}, ` +
        `allowed ${show(allowed)}`;
    worst = {
      severity,
      judgement: { verdict: within ? 'pass' : 'fail', reason, figures, bound, tensor },
    };
  }
  return worst?.judgement ?? { verdict: 'fail', reason: 'the case compares nothing' };
}

export function fail(reason: string): Judgement {
  return { verdict: 'fail', reason };
}

export function show(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e6 ? String(value) : value.toPrecision(4);
}

/** Judges the outputs of an op case (or gradients, for a gradient case), given by name. */
export function judgeOpCase(
  testCase: OpCase,
  given: ReadonlyMap<string, CaseTensor>,
  tolerance: ToleranceClass,
): Judgement {
  if (testCase.contradiction) return fail(testCase.contradiction);
  const comparisons: Comparison[] = [];
  for (const reference of testCase.references) {
    if (reference.only && reference.only !== tolerance) continue;
    const output = given.get(reference.of);
    if (!output) return fail(`${reference.of} did not come out`);
    const name = `${reference.of} (${reference.from})`;
    const bound = reference.bound ?? boundOf(testCase, reference, tolerance);
    comparisons.push(comparisonOf(name, output, reference.tensor, bound));
  }
  const judgement = judge(comparisons);
  if (judgement.verdict === 'fail' && testCase.references.some(({ of }) => of === 'edgeIndex')) {
    return { ...judgement, ...explainTrees(testCase, given) };
  }
  return judgement;
}

/** The bound of the op for one of its outputs. */
export function boundOf(testCase: OpCase, reference: Reference, tolerance: ToleranceClass): Bound {
  if (reference.tensor.dtype === 'int32') return EXACT;
  const { op, inputs, attributes = {} } = testCase;
  const isGradient = testCase.outputGradients !== undefined;
  const spec = specOf(op);
  if (!spec) return boundOfTolerance({ ...SINGLE_OP, reason: 'an op without a spec' }, tolerance, isGradient);
  return spec.bound(tolerance, { inputs, attributes: completeAttributes(spec.op, attributes) }, isGradient);
}

/** Draws the first tree of a batch that differs, and says whether it is minimal. */
function explainTrees(
  testCase: OpCase,
  given: ReadonlyMap<string, CaseTensor>,
): { reason: string; trees?: TreePair[] } | undefined {
  const expected = testCase.references.find(({ of }) => of === 'edgeIndex')?.tensor;
  const chosen = given.get('edgeIndex');
  const { weights, edges } = testCase.inputs;
  if (!weights || !edges) return undefined; // not a minimum spanning tree
  if (!expected || !chosen || expected.shape.join() !== chosen.shape.join()) return undefined;
  const [batch, length] = expected.shape;
  const numEdges = edges.shape[0];
  for (let b = 0; b < batch; b++) {
    const row = (values: CaseTensor['values'], n: number) => Array.from(values.subarray(b * n, (b + 1) * n));
    const [mine, reference] = [row(chosen.values, length), row(expected.values, length)];
    if (mine.join() === reference.join()) continue;
    const missing = reference.filter((e) => !mine.includes(e)).length;
    if (missing === 0) return undefined; // the same edges, in another order
    const reason = `tree ${b} of the batch: ${missing} of ${length} edges differ`;
    const pair = (e: number): [number, number] => [edges.values[2 * e], edges.values[2 * e + 1]];
    const valid = mine.every((e) => e >= 0 && e < numEdges);
    const trees = valid
      ? treePair(reference.map(pair), mine.map(pair), length + 1, edges.values, `batch item ${b}`)
      : [];
    try {
      const weightRow = row(weights.values, numEdges);
      const { margin } = certify(mine, weightRow, edges.values, length + 1);
      if (weightRow.some(Number.isNaN)) return { reason, trees };
      const how =
        margin <= 0
          ? 'as light as the minimum, but ties go to the lower edge index'
          : `an edge could be replaced by one that is ${show(margin)} lighter`;
      return { reason: `${reason}; ${how}`, trees };
    } catch {
      return { reason: `${reason}; the edges are not a spanning tree`, trees };
    }
  }
  return undefined;
}

/** Maximum number of vertices to draw: larger trees are illegible. */
const DRAWN_VERTICES = 900;

/** Two trees for the report, unless they are too large to draw. */
function treePair(
  expected: readonly (readonly [number, number])[],
  given: readonly (readonly [number, number])[],
  numVertices: number,
  edges: ArrayLike<number>,
  caption: string,
): TreePair[] {
  if (numVertices > DRAWN_VERTICES || numVertices < 2) return [];
  return [{ numVertices, width: gridWidth(edges, numVertices), expected, given, caption }];
}

/** The width of the grid with these edges, or undefined. */
function gridWidth(edges: ArrayLike<number>, numVertices: number): number | undefined {
  const width = edges.length > 1 && edges[0] === 0 && edges[1] > 1 ? edges[1] : numVertices;
  const steps = new Set<number>();
  for (let e = 0; e < edges.length; e += 2) steps.add(edges[e + 1] - edges[e]);
  const grid = numVertices % width === 0 && [...steps].every((step) => step === 1 || step === width);
  return grid && width < numVertices ? width : undefined;
}

/**
 * Whether a tree may replace another one: pass if the edges are the same, tie-flip if its certificate holds.
 * @param weights float64, by edge
 */
export function judgeTree(
  chosen: readonly number[],
  expected: readonly number[],
  weights: ArrayLike<number>,
  edges: ArrayLike<number>,
  numVertices: number,
  what: string,
): Judgement {
  const [mine, reference] = [new Set(chosen), new Set(expected)];
  const differing = [...mine].filter((e) => !reference.has(e)).length;
  let margin: number;
  try {
    margin = certify(chosen, weights, edges, numVertices).margin;
  } catch (error) {
    return fail(`${what}: ${(error as Error).message}`);
  }
  const certified = margin <= NEAR_TIE;
  if (differing === 0 && certified) return { verdict: 'pass', reason: '' };
  const pair = (e: number): [number, number] => [edges[2 * e], edges[2 * e + 1]];
  const reason =
    `${what}: ${differing} of ${numVertices - 1} edges differ, ` +
    (certified
      ? `near ties within ${show(Math.max(0, margin))} of minimal`
      : `${show(margin)} over a tree that is minimal, allowed ${NEAR_TIE}`);
  return {
    verdict: certified ? 'tie-flip' : 'fail',
    reason,
    margin,
    trees: treePair(expected.map(pair), chosen.map(pair), numVertices, edges, what),
  };
}

/** The worst verdict of several judgements, with the figures closest to a bound and all trees. */
export function combine(judgements: readonly Judgement[]): Judgement {
  const rank = (verdict: Verdict) => ['skip', 'pass', 'tie-flip', 'fail'].indexOf(verdict);
  const worst = judgements.reduce((a, b) => (rank(b.verdict) > rank(a.verdict) ? b : a));
  const severity = ({ figures, bound }: Judgement) =>
    figures && bound
      ? figures.maxAbs / Math.max(bound.absolute, bound.relative * figures.scale, Number.MIN_VALUE)
      : -1;
  const measured = judgements.reduce((a, b) => (severity(b) > severity(a) ? b : a));
  const { figures, bound, tensor } = severity(worst) > 1 ? worst : measured;
  const trees = judgements.flatMap((judgement) => judgement.trees ?? []).slice(0, 4);
  const margins = judgements.flatMap(({ margin }) => (margin === undefined ? [] : [margin]));
  const reasons = judgements.filter(({ verdict, reason }) => verdict === worst.verdict && reason);
  return {
    verdict: worst.verdict,
    reason: reasons
      .map(({ reason }) => reason)
      .slice(0, 3)
      .join('; '),
    figures,
    bound,
    tensor,
    ...(margins.length > 0 && { margin: Math.max(...margins) }),
    ...(trees.length > 0 && { trees }),
  };
}
