/** Gradients of formulas by central differences. */
import type { FormulaArguments, NamedValues, OpSpec, Values } from './spec.js';

/**
 * Computes the gradient of a function of several arrays by central differences, with one step of Richardson extrapolation:
 * accurate to about 1e-10 for smooth functions.
 */
export function centralDifferences(
  f: (inputs: readonly Float64Array[]) => number,
  inputs: readonly Values[],
): Float64Array[] {
  const point = inputs.map((values) => Float64Array.from(values));
  return point.map((values) =>
    values.map((value, i) => {
      const slope = (h: number) => {
        values[i] = value + h;
        const above = f(point);
        values[i] = value - h;
        const below = f(point);
        values[i] = value;
        return (above - below) / (2 * h);
      };
      const h = 2e-3 * Math.max(1, Math.abs(value));
      return (4 * slope(h / 2) - slope(h)) / 3;
    }),
  );
}

/**
 * Computes the gradients of the sum of dy * output in the float32 inputs of a call, by input name: with the gradient formula
 * of the spec, else by central differences.
 */
export function gradientsOf(spec: OpSpec, args: FormulaArguments, dy: NamedValues): NamedValues {
  if (spec.gradient) return spec.gradient(args, dy);
  const names = Object.keys(args.inputs).filter((name) => spec.op.inputs[name].dtype === 'float32');
  const gradients = centralDifferences(
    (point) => {
      const moved = Object.fromEntries(names.map((name, i) => [name, point[i]]));
      const outputs = spec.formula({ ...args, inputs: { ...args.inputs, ...moved } });
      let total = 0;
      for (const [name, upstream] of Object.entries(dy)) {
        for (let i = 0; i < upstream.length; i++) total += outputs[name][i] * upstream[i];
      }
      return total;
    },
    names.map((name) => args.inputs[name]),
  );
  return Object.fromEntries(names.map((name, i) => [name, gradients[i]]));
}
