/** Seeded cases of the fused ops and of their gradients (central differences of the float64 formulas). */
import { type CaseTensor, type ConformanceCase, float32 } from '../case.js';
import {
  columns,
  discretize,
  gelu,
  layerNormalization,
  linear,
  silu,
  stateReadout,
} from '../oracles/fused_ops.js';
import { type Formula, type FormulaOp, formulaCases } from './formula_cases.js';
import { Random } from './random.js';

export function fusedCases(seed: number): ConformanceCase[] {
  const random = new Random(seed, 300);
  const normal = (shape: number[], scale = 1): CaseTensor =>
    float32(
      shape,
      random.floats(
        shape.reduce((a, b) => a * b, 1),
        () => scale * random.normal(),
      ),
    );
  const wide = Array.from({ length: 61 }, (_, i) => (i - 30) / 2.5);
  const ops: FormulaOp[] = [];
  for (const [op, f] of [
    ['Gelu', gelu],
    ['Silu', silu],
  ] as const) {
    const add = (what: string, x: CaseTensor) =>
      ops.push({
        op,
        what,
        inputs: { x },
        outputs: ['y'],
        outputShapes: [x.shape],
        formula: ([x]) => [f(x)],
      });
    add('normal', normal([2, 3, 5]));
    add('from -12 to 12', float32([wide.length], wide));
    add('large and tiny', float32([6], [-80, 80, -1e-30, 1e-30, 0, 30]));
  }
  for (const channels of [1, 4, 7, 33]) {
    const x = normal([2, 3, channels], 3);
    const epsilon = random.pick([1e-5, 1e-6]);
    ops.push({
      op: 'LayerNormalization',
      what: `C = ${channels}`,
      attributes: { epsilon },
      inputs: { x, gamma: normal([channels]), beta: normal([channels]) },
      outputs: ['y'],
      outputShapes: [x.shape],
      formula: ([x, gamma, beta]) => [layerNormalization(x, gamma, beta, epsilon)],
    });
  }
  for (const [channels, states] of [
    [5, 1],
    [3, 4],
    [8, 2],
  ]) {
    const x = normal([2, 3, channels]);
    ops.push({
      op: 'Discretize',
      what: `D = ${channels}, N = ${states}`,
      inputs: {
        rawStep: normal([2, 3, channels], 2),
        stepBias: normal([channels]),
        logA: normal([channels, states]),
        inputGate: normal([2, 3, states]),
        x,
      },
      outputs: ['decay', 'input'],
      outputShapes: [
        [2, 3, channels * states],
        [2, 3, channels * states],
      ],
      formula: ([rawStep, stepBias, logA, gate, x]) => {
        const { decay, input } = discretize(rawStep, stepBias, logA, gate, x);
        return [decay, input];
      },
    });
  }
  for (const [inputs, outputs, activation, used] of [
    [7, 5, 'none', [0, 5]],
    [4, 9, 'gelu', [0, 9]],
    [16, 3, 'silu', [0, 3]],
    [5, 9, 'none', [0, 4]],
    [6, 9, 'silu', [4, 9]],
  ] as const) {
    const [first, end] = used;
    const isPart = end - first < outputs;
    const bias = activation === 'gelu' || random.next() < 0.5;
    ops.push({
      op: 'Linear',
      what: `${inputs} to ${outputs}, ${activation}${bias ? ', bias' : ''}${isPart ? `, ${first} to ${end}` : ''}`,
      attributes: { activation, ...(isPart && { firstOutput: first, endOutput: end }) },
      inputs: {
        x: normal([2, 3, inputs]),
        weights: normal([inputs, outputs]),
        ...(bias && { bias: normal([outputs]) }),
      },
      outputs: ['y'],
      outputShapes: [[2, 3, end - first]],
      formula: ([x, weights, bias]) => [linear(x, weights, bias, outputs, activation, used)],
    });
  }
  for (const [width, states] of [
    [7, 1],
    [6, 2],
  ]) {
    const bounds = [0, width - 2 * states, width - states, width];
    ops.push({
      op: 'SelectiveSplit',
      what: `P = ${width}, N = ${states}`,
      attributes: { states },
      inputs: { selected: normal([2, 3, width]) },
      outputs: ['step', 'inputGate', 'outputGate'],
      outputShapes: [width - 2 * states, states, states].map((count) => [2, 3, count]),
      formula: ([selected]) => [0, 1, 2].map((i) => columns(selected, width, bounds[i], bounds[i + 1])),
    });
  }
  const image = normal([2, 3, 4, 5]);
  const copy: Formula = ([x]) => [Float64Array.from(x)];
  ops.push(
    {
      op: 'FlattenGrid',
      what: '3 x 4',
      inputs: { x: image },
      outputs: ['y'],
      outputShapes: [[2, 12, 5]],
      formula: copy,
    },
    {
      op: 'UnflattenGrid',
      what: '3 x 4',
      inputs: { x: normal([2, 12, 6]), like: image },
      outputs: ['y'],
      outputShapes: [[2, 3, 4, 6]],
      formula: copy,
      withoutGradient: true,
    },
  );
  for (const channels of [3, 8, 17]) {
    const epsilon = 1e-5;
    const vertices = () => normal([2, 3, channels]);
    ops.push({
      op: 'StateReadout',
      what: `D = ${channels}`,
      attributes: { epsilon },
      inputs: {
        state: vertices(),
        outputGate: normal([2, 3, 1]),
        x: vertices(),
        skip: normal([channels]),
        gate: vertices(),
        stateGamma: normal([channels]),
        stateBeta: normal([channels]),
        outputGamma: normal([channels]),
        outputBeta: normal([channels]),
      },
      outputs: ['y'],
      outputShapes: [[2, 3, channels]],
      formula: ([state, outputGate, x, skip, gate, ...affine]) => [
        stateReadout(state, outputGate, x, skip, gate, affine, epsilon),
      ],
    });
  }
  return ops.flatMap((op) => formulaCases(op, random));
}
