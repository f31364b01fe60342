/**
 * What an op must compute. The spec of an op is a file beside its declaration with a float64 formula, seeded sample inputs,
 * the tolerance with its reason, faults that tests must detect, and the sizes at which it is timed. The conformance suite
 * runs specs on every backend: outputs, gradients, and kernels with injected faults.
 */
import type { ToleranceClass } from '../../backends.js';
import type {
  Attributes,
  AttributesOf,
  Declared,
  InputDeclaration,
  OpDeclaration,
  Shapes,
  TensorDeclaration,
} from '../declaration.js';
import { completeAttributes } from '../input_checks.js';
import { type Bound, boundOfTolerance, SINGLE_OP, type Tolerance } from './bound.js';
import type { Random } from './random.js';
import type { CaseTensor, CaseTensors } from './tensor.js';

/** The values of a tensor, row-major. */
export type Values = ArrayLike<number>;

/** Values by name. */
export type NamedValues = Readonly<Record<string, Values>>;

/** Arguments of a formula. */
export interface FormulaArguments {
  /** By input name; optional inputs may be missing. */
  readonly inputs: NamedValues;
  readonly shapes: Shapes;
  /** With defaults filled in. */
  readonly attributes: Attributes;
}

/** Computes all outputs by name. */
export type Formula = (args: FormulaArguments) => NamedValues;

/** A kernel over typed arrays: it writes `outputs`, which have the declared sizes and are zero-filled. */
export type HostKernelFunction = (args: {
  readonly inputs: Readonly<Record<string, Float32Array | Int32Array>>;
  readonly outputs: Readonly<Record<string, Float32Array | Int32Array>>;
  readonly shapes: Shapes;
  readonly attributes: Attributes;
  /** Number of rows of the outputs; for an op with a `counted` letter, the maximum. */
  readonly mostRows: number;
  /** For such an op: sets the actual number of rows. */
  readonly written: (rows: number) => void;
}) => void;

export type KernelArguments = Parameters<HostKernelFunction>[0];

/** Injects a fault into a correct kernel. */
export type Fault = (correct: HostKernelFunction) => HostKernelFunction;

export type Faults = Readonly<Record<string, Fault>>;

/** One call of an op. */
export interface Sample {
  /** A short description, unique in the spec. */
  readonly what: string;
  readonly inputs: CaseTensors;
  readonly attributes?: Attributes;
  /** Set if finite differences of the formula are inaccurate: values that vanish in rounding, or high curvature. */
  readonly withoutGradient?: boolean;
  /** Set if inputs contain NaN or infinities, for which the tolerance class `shader` guarantees nothing. */
  readonly notFinite?: boolean;
}

/** Gradients by input name of the sum of dy * output, `dy` by output name. */
export type GradientFormula = (args: FormulaArguments, dy: NamedValues) => NamedValues;

/** A size at which ops are timed: a grid of `side` x `side` vertices. */
export interface PerfSize {
  readonly side: number;
  readonly channels: number;
}

/** How an op is timed. */
export interface PerfSpec {
  /** Number of different samples to alternate, if a processor would learn the branches of a single one. 1 by default. */
  readonly samples?: number;
  sample(size: PerfSize, random: Random): Pick<Sample, 'inputs' | 'attributes'>;
  /** Attributes of other computations that are timed as well, on the same samples, with a label for each. */
  readonly variants?: Readonly<Record<string, Attributes>>;
}

export interface OpSpec {
  readonly op: OpDeclaration;
  /** In float64. */
  readonly formula: Formula;
  /** The result that backends with IEEE arithmetic must match bit for bit, if the op guarantees an order of summation. */
  readonly exact?: Formula;
  /** By default, central differences of the formula. */
  readonly gradient?: GradientFormula;
  /** Outputs through which the op has gradients: all by default, an empty list for none. */
  readonly differentiable?: readonly string[];
  readonly bound: (
    tolerance: ToleranceClass,
    call: { readonly inputs: CaseTensors; readonly attributes: Attributes },
    isGradient: boolean,
  ) => Bound;
  /** Whether it sums float32 products, whose last bits relaxed SIMD changes. */
  readonly sumsProducts?: boolean;
  /** Whether the result for an item of a batch is the same, bit for bit, with other items in the batch. */
  readonly batchInvariant?: boolean;
  readonly samples: (random: Random) => readonly Sample[];
  readonly faults: Faults;
  /** The op that computes the gradients, if they have their own kernel, and faults of that kernel. */
  readonly gradientKernel?: {
    readonly op: OpDeclaration;
    readonly formula: Formula;
    readonly faults: Faults;
  };
  readonly perf?: PerfSpec;
}

type ValuesOf<I extends Readonly<Record<string, InputDeclaration>>> = {
  readonly [Name in keyof I]: I[Name] extends { optional: true } ? Values | undefined : Values;
};

interface TypedArguments<I extends Readonly<Record<string, InputDeclaration>>, A> {
  readonly inputs: ValuesOf<I>;
  readonly shapes: { readonly [Name in keyof I]: readonly number[] };
  readonly attributes: A;
}

type TypedOutputs<O> = { readonly [Name in keyof O]: Values };

/** Defines the spec of a declared op; the formula is typed by the declaration. */
export function defineSpec<
  I extends Readonly<Record<string, InputDeclaration>>,
  A extends OpDeclaration['attributes'],
  O extends Readonly<Record<string, TensorDeclaration>>,
>(
  op: Declared<I, A, O>,
  spec: Omit<OpSpec, 'op' | 'formula' | 'exact' | 'gradient' | 'bound' | 'differentiable'> & {
    readonly formula: (args: TypedArguments<I, AttributesOf<A>>) => TypedOutputs<O>;
    readonly exact?: (args: TypedArguments<I, AttributesOf<A>>) => TypedOutputs<O>;
    readonly gradient?: (
      args: TypedArguments<I, AttributesOf<A>>,
      dy: TypedOutputs<O>,
    ) => Partial<ValuesOf<I>>;
    readonly differentiable?: readonly (keyof O & string)[];
    /** Most single ops are within {@link SINGLE_OP}. */
    readonly tolerance?: Tolerance | OpSpec['bound'];
  },
): OpSpec {
  const { tolerance = { ...SINGLE_OP, reason: 'a short chain of ops' }, ...rest } = spec;
  const bound: OpSpec['bound'] =
    typeof tolerance === 'function'
      ? tolerance
      : (of, _call, isGradient) => boundOfTolerance(tolerance, of, isGradient);
  const defined = { ...rest, op, bound } as unknown as OpSpec;
  specs.set(op.name, defined);
  return defined;
}

const specs = new Map<string, OpSpec>();

/** Returns the spec of an op whose module has been imported. */
export function specOf(op: string): OpSpec | undefined {
  return specs.get(op);
}

/** Returns the specs of all ops whose modules have been imported, by the names of the ops: bundles load modules in another order. */
export function definedSpecs(): readonly OpSpec[] {
  return [...specs.keys()].sort().map((name) => specs.get(name) as OpSpec);
}

/** Builds the arguments of a formula for a call. */
export function formulaArguments(
  op: OpDeclaration,
  inputs: CaseTensors,
  attributes: Attributes = {},
): FormulaArguments {
  const each = <T>(part: (tensor: CaseTensor) => T) =>
    Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, part(tensor)]));
  return {
    inputs: each(({ values }) => values),
    shapes: each(({ shape }) => shape),
    attributes: completeAttributes(op, attributes),
  };
}

/** Returns the correct kernel: a formula, rounded once. */
export function kernelOf(formula: Formula): HostKernelFunction {
  return (args) => {
    for (const [name, values] of Object.entries(formula(args))) {
      const output = args.outputs[name];
      output.set(values);
      if (values.length < output.length) args.written((values.length * args.mostRows) / output.length);
    }
  };
}

/** Returns the values of one item of a batch, in the type that formulas of single items take. */
export function itemOf(values: Values, batch: number, item: number): Float32Array {
  const size = batch === 0 ? 0 : values.length / batch;
  return (values as Float32Array).subarray(item * size, (item + 1) * size);
}

/** Concatenates the results of the items of a batch, by name. */
export function overBatch<Name extends string>(
  batch: number,
  names: readonly Name[],
  compute: (item: number) => Readonly<Record<Name, Values>>,
): Record<Name, Float64Array> {
  const items = Array.from({ length: batch }, (_, item) => compute(item));
  const joined = (name: Name) => {
    const all = new Float64Array(items.reduce((total, item) => total + item[name].length, 0));
    let at = 0;
    for (const item of items) {
      all.set(item[name], at);
      at += item[name].length;
    }
    return all;
  };
  return Object.fromEntries(names.map((name) => [name, joined(name)])) as Record<Name, Float64Array>;
}
