/** The cases of specs: every sample's outputs and gradients against the float64 formula. */
import type { Attributes } from '../plugin/ops/declaration.js';
import { inferOutputs } from '../plugin/ops/input_checks.js';
import { EXACT, UNPROMISED } from '../plugin/ops/spec/bound.js';
import { gradientsOf } from '../plugin/ops/spec/differences.js';
import { Random } from '../plugin/ops/spec/random.js';
import { formulaArguments, type NamedValues, type OpSpec, type Sample } from '../plugin/ops/spec/spec.js';
import { type CaseTensor, type CaseTensors, float64, int32, sizeOf } from '../plugin/ops/spec/tensor.js';
import { SPECS } from '../plugin/ops/specs.js';
import type { ConformanceCase, OpCase, Reference } from './case.js';
import { DEFAULT_SEED } from './seed.js';

/** One call of an op. */
export interface Call {
  readonly name: string;
  readonly inputs: CaseTensors;
  readonly attributes?: Attributes;
  readonly notFinite?: boolean;
}

/** The most recent cases, with their references: a process that runs the suite twice computes them once. */
let generated: { readonly seed: number; readonly cases: readonly ConformanceCase[] } | undefined;

/** @param seed any integer; recorded in the report */
export function generatedCases(seed: number = DEFAULT_SEED): readonly ConformanceCase[] {
  if (generated?.seed !== seed) {
    generated = { seed, cases: SPECS.flatMap((spec) => specCases(spec, seed)) };
  }
  return generated.cases;
}

/** The seeded cases of an op. The same seed gives the same cases everywhere, independent of other ops. */
export function specCases(spec: OpSpec, seed: number = DEFAULT_SEED): OpCase[] {
  const random = new Random(seed, spec.op.name);
  return spec.samples(random).flatMap((sample) => {
    const call = { ...sample, name: `generated ${sample.what}` };
    const dy = upstream(spec, sample, random);
    return [outputsCase(spec, call), ...(dy ? [gradientCase(spec, call, dy)] : [])];
  });
}

/** Random gradients of the outputs; undefined if the sample has no gradient case. */
function upstream(spec: OpSpec, sample: Sample, random: Random): CaseTensors | undefined {
  const { op, differentiable = op.outputNames } = spec;
  if (sample.withoutGradient || differentiable.length === 0) return undefined;
  const { shapes, attributes } = formulaArguments(op, sample.inputs, sample.attributes);
  return Object.fromEntries(
    inferOutputs(op, shapes, attributes).map(({ shape }, i) => {
      const name = op.outputNames[i];
      return [name, random.tensor(shape, () => (differentiable.includes(name) ? random.normal() : 0))];
    }),
  );
}

/** The outputs of an op close to its formula, and bit for bit if the op promises it. */
export function outputsCase(spec: OpSpec, { name, inputs, attributes, notFinite }: Call): OpCase {
  const { op, formula, exact } = spec;
  return lazily({ kind: 'op', name, op: op.name, inputs, attributes }, () => {
    const args = formulaArguments(op, inputs, attributes);
    const specs = inferOutputs(op, args.shapes, args.attributes);
    const tensors = (values: NamedValues) =>
      op.outputNames.map((of, i) => {
        const { dtype } = specs[i];
        const rest = specs[i].shape.slice(1);
        const shape = op.counted ? [values[of].length / sizeOf(rest), ...rest] : specs[i].shape;
        return { of, tensor: dtype === 'int32' ? int32(shape, values[of]) : float64(shape, values[of]) };
      });
    const references = tensors(formula(args)).flatMap((found) => judged(found, 'float64 oracle', notFinite));
    if (exact) {
      const from = 'float32 in the declared order';
      references.push(
        ...tensors(exact(args)).map((found) => ({ ...found, from, bound: EXACT, only: 'float32' as const })),
      );
    }
    return references;
  });
}

/** Gradients of the sum of dy * output with respect to the float32 inputs. @param dy by output name */
export function gradientCase(
  spec: OpSpec,
  { name, inputs, attributes, notFinite }: Call,
  dy: CaseTensors,
): OpCase {
  const { op } = spec;
  return lazily({ kind: 'op', name, op: op.name, inputs, attributes, outputGradients: dy }, () => {
    const upstream = Object.fromEntries(Object.entries(dy).map(([output, { values }]) => [output, values]));
    const gradients = gradientsOf(spec, formulaArguments(op, inputs, attributes), upstream);
    const from = spec.gradient ? 'float64 oracle' : 'central differences';
    return Object.entries(gradients).flatMap(([of, values]) =>
      judged({ of, tensor: float64(inputs[of].shape, values) }, from, notFinite),
    );
  });
}

/** References of all ops take seconds: they are computed when first read. */
function lazily(rest: Omit<OpCase, 'references'>, compute: () => Reference[]): OpCase {
  let references: Reference[] | undefined;
  return {
    ...rest,
    get references() {
      references ??= compute();
      return references;
    },
  };
}

function judged(
  found: { readonly of: string; readonly tensor: CaseTensor },
  from: string,
  notFinite = false,
): Reference[] {
  if (!notFinite) return [{ ...found, from }];
  return [
    { ...found, from, only: 'float32' },
    { ...found, from, only: 'shader', bound: UNPROMISED },
  ];
}
