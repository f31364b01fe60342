/** The cases of an op that has a formula in float64: its outputs, and its gradients by central differences of it. */
import type { Attributes } from '../../plugin/ops/declaration.js';
import { type CaseTensor, float64, type OpCase } from '../case.js';
import { centralDifferences } from '../oracles/fused_ops.js';
import type { Random } from './random.js';

/** Values of all inputs, in order, to values of all outputs, in order. */
export type Formula = (inputs: readonly ArrayLike<number>[]) => readonly Float64Array[];

export interface FormulaOp {
  readonly op: string;
  readonly what: string;
  readonly attributes?: Attributes;
  readonly inputs: Readonly<Record<string, CaseTensor>>;
  readonly outputs: readonly string[];
  readonly outputShapes: readonly (readonly number[])[];
  readonly formula: Formula;
  /** Where the op has none, or where its formula bends too fast for differences. */
  readonly withoutGradient?: boolean;
  /** Outputs through which the op has gradients, where not through all. */
  readonly differentiable?: readonly string[];
}

export function formulaCases(source: FormulaOp, random: Random): OpCase[] {
  const { op, what, attributes, inputs, outputs, outputShapes, formula, withoutGradient } = source;
  const { differentiable = outputs } = source;
  const names = Object.keys(inputs);
  const values = names.map((name) => inputs[name].values);
  const wanted = formula(values);
  const common = { kind: 'op', name: `generated ${what}`, op, inputs, attributes } as const;
  const from = 'float64 oracle';
  const forward: OpCase = {
    ...common,
    references: outputs.map((of, i) => ({ of, from, tensor: float64(outputShapes[i], wanted[i]) })),
  };
  if (withoutGradient) return [forward];
  const upstream = wanted.map(({ length }, i) =>
    random.floats(length, () => (differentiable.includes(outputs[i]) ? random.normal() : 0)),
  );
  const real = names.filter((name) => inputs[name].dtype === 'float32');
  const gradients = centralDifferences(
    (at) =>
      formula(names.map((name) => at[real.indexOf(name)] ?? inputs[name].values)).reduce(
        (total, y, i) => total + y.reduce((sum, v, j) => sum + v * upstream[i][j], 0),
        0,
      ),
    real.map((name) => inputs[name].values),
  );
  return [
    forward,
    {
      ...common,
      outputGradients: Object.fromEntries(
        outputs.map(
          (name, i) => [name, { dtype: 'float32', shape: outputShapes[i], values: upstream[i] }] as const,
        ),
      ),
      references: real.map((of, i) => ({
        of,
        from: 'central differences',
        tensor: float64(inputs[of].shape, gradients[i]),
      })),
    },
  ];
}
