/** Declares ops: parses their shapes and registers their gradients with tfjs. */
import { registerGradient, type Tensor, type TensorInfo, zeros } from '@tensorflow/tfjs-core';
import type {
  AttributeDeclaration,
  Attributes,
  AttributesOf,
  Declared,
  GradientDeclaration,
  InputDeclaration,
  NumberAttribute,
  OpDeclaration,
  OpDefinition,
  ParsedShapes,
  ReadValues,
  TensorDeclaration,
  Tensors,
  TensorsOf,
} from './declaration.js';
import { completeAttributes } from './input_checks.js';
import { type Letters, parseExtent, parseShape, type ShapeLetters } from './shape_letters.js';

/** Declares a tensor of numbers by its shape in letters: see `parseExtent`. */
export const float32 = (shape: readonly string[], doc: string) => ({ dtype: 'float32', shape, doc }) as const;

/** Declares a tensor of integers. */
export const int32 = (shape: readonly string[], doc: string) => ({ dtype: 'int32', shape, doc }) as const;

/** Declares an input that may be omitted. */
export const optional = <T extends TensorDeclaration>(input: T) => ({ ...input, optional: true }) as const;

/** The functions of a declaration, typed by its inputs and attributes. */
interface TypedFunctions<
  I extends Readonly<Record<string, InputDeclaration>>,
  A extends Readonly<Record<string, AttributeDeclaration>>,
> {
  readonly derived?: Readonly<
    Record<string, string | ((letters: Letters, attributes: AttributesOf<A>) => number)>
  >;
  validate?(inputs: TensorsOf<I, TensorInfo>, attributes: AttributesOf<A>, read: ReadValues): void;
  produced?(outputs: readonly TensorInfo[], attributes: AttributesOf<A>): void;
  compose?(inputs: TensorsOf<I>, attributes: AttributesOf<A>): Tensor | Tensor[];
  recorded?(inputs: TensorsOf<I>, attributes: AttributesOf<A>): Tensor | Tensor[] | undefined;
  readonly gradient?: {
    readonly saves: readonly (keyof I & string)[];
    readonly savesOutputs?: boolean;
    compute(
      saved: TensorsOf<I> & Tensors,
      dy: readonly Tensor[],
      attributes: AttributesOf<A>,
    ): Readonly<Record<string, () => Tensor>>;
  };
  graphDefaults?(inputs: TensorsOf<I>, read: ReadValues): Partial<AttributesOf<A>>;
}

/**
 * Declares an op and registers its gradient with tfjs. The types keep the names of inputs, attributes and outputs.
 * @throws {Error} if a shape cannot be parsed or contains a letter that nothing defines.
 */
export function defineOp<
  const I extends Readonly<Record<string, InputDeclaration>>,
  const A extends Readonly<Record<string, AttributeDeclaration>>,
  const O extends Readonly<Record<string, TensorDeclaration>>,
>(
  definition: Omit<OpDefinition, keyof TypedFunctions<I, A> | 'inputs' | 'attributes' | 'outputs'> & {
    readonly inputs: I;
    readonly attributes: A;
    readonly outputs: O;
  } & TypedFunctions<I, A>,
): Declared<I, A, O> {
  const op = { ...definition, outputNames: Object.keys(definition.outputs) } as unknown as OpDeclaration;
  const declared = Object.assign(op, { parsed: parse(op) });
  registerGradientOf(declared);
  ops.set(op.name, declared);
  return declared as unknown as Declared<I, A, O>;
}

const ops = new Map<string, OpDeclaration>();

/** Returns the declaration of an op whose module has been imported. */
export function declaredOp(name: string): OpDeclaration | undefined {
  return ops.get(name);
}

function parse(op: OpDefinition): ParsedShapes {
  const inputs = Object.entries(op.inputs).map(([name, declaration]) => ({
    name,
    declaration,
    shape: parseShape(declaration.shape),
  }));
  const outputs = Object.values(op.outputs).map(({ dtype, shape }) => ({ dtype, shape: parseShape(shape) }));
  const derived = Object.entries(op.derived ?? {}).map(([letter, value]) => ({
    letter,
    evaluate: typeof value === 'string' ? parseExtent(value).evaluate : value,
  }));
  const numbers = Object.entries(op.attributes).filter(
    (entry): entry is [string, NumberAttribute] => entry[1].type === 'integer' || entry[1].type === 'number',
  );
  const bounded = numbers.flatMap(([name, { most }]) =>
    typeof most === 'string' ? [{ name, extent: parseExtent(most) }] : [],
  );
  const bound: Record<string, number> = Object.fromEntries(derived.map(({ letter }) => [letter, 1]));
  for (const [, { letter }] of numbers) if (letter) bound[letter] = 1;
  const bind = (isOptional: boolean) => {
    for (const { declaration, shape } of inputs) {
      const { optional = false } = declaration;
      if (optional === isOptional) for (const { letter } of shape.extents) if (letter) bound[letter] = 1;
    }
  };
  const check = (shapes: readonly ShapeLetters[]) => {
    for (const { text, evaluate } of shapes.flatMap(({ extents }) => extents)) {
      if (Number.isNaN(evaluate(bound)))
        throw new Error(`${op.name}: no input or attribute says what ${text} is`);
    }
  };
  bind(false);
  check(outputs.map(({ shape }) => shape));
  bind(true); // an optional input defines its own letters
  check(inputs.map(({ shape }) => shape));
  const { counted, reads = [] } = op;
  if (
    counted &&
    !(op.derived?.[counted] && Object.values(op.outputs).every(({ shape }) => shape[0] === counted))
  ) {
    throw new Error(
      `${op.name}: ${counted} is counted, expected a derived letter with which all outputs begin`,
    );
  }
  const unread = reads.find((name) => !op.inputs[name]);
  if (unread) throw new Error(`${op.name}: ${unread} is read, expected one of its inputs`);
  const least = Object.entries({
    ...Object.fromEntries(derived.map(({ letter }) => [letter, 0])),
    ...op.least,
  }).map(([letter, smallest]) => ({ letter, smallest }));
  return { inputs, outputs, derived, least, bounded };
}

/** Serves calls through `tf.engine().runKernel`, and ops with several outputs that `runOp` records. */
function registerGradientOf(op: OpDeclaration): void {
  const { gradient } = op;
  // tfjs cannot save an optional input; `runOp` can.
  if (!gradient || gradient.saves.some((name) => op.inputs[name].optional)) return;
  const constants = Object.keys(op.inputs).filter((name) => !isDifferentiable(op, name));
  registerGradient({
    kernelName: op.name,
    inputsToSave: [...gradient.saves],
    outputsToSave: op.outputNames.map(() => gradient.savesOutputs === true),
    gradFunc: (dy, saved, attributes) => {
      const given = namedSaved(op, saved);
      const complete = completeAttributes(op, attributes as Attributes);
      const upstream = [dy].flat();
      const compute = () => gradient.compute(given, upstream, complete);
      const gradients: Record<string, () => Tensor> = { ...gradientsOf(op, given, upstream, compute) };
      // tfjs asks for the gradient of every input that depends on a differentiated variable.
      for (const name of constants) if (given[name]) gradients[name] = () => zeros(given[name].shape);
      return gradients;
    },
  });
}

/** Whether an op has a gradient with respect to an input. */
export function isDifferentiable(op: OpDeclaration, input: string): boolean {
  const { dtype, shapeOnly = false } = op.inputs[input];
  return dtype !== 'int32' && !shapeOnly;
}

/**
 * Returns gradients by input name. If no output has elements, they are zeros: tfjs's own kernels throw or return
 * uninitialised memory for sums over empty axes.
 * @param inputs the known ones, for their shapes
 */
export function gradientsOf(
  op: OpDeclaration,
  inputs: Tensors,
  dy: readonly Tensor[],
  compute: () => Readonly<Record<string, () => Tensor>>,
): Readonly<Record<string, () => Tensor>> {
  if (dy.some(({ size }) => size > 0)) return compute();
  const names = Object.keys(op.inputs).filter((name) => isDifferentiable(op, name));
  return Object.fromEntries(
    names.map((name) => [name, () => (inputs[name] ? zeros(inputs[name].shape) : compute()[name]())]),
  );
}

/** Wraps gradients that were computed together as a declaration returns them. */
export function alreadyComputed(gradients: Tensors): Record<string, () => Tensor> {
  return Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [name, () => gradient]));
}

/** Names the saved tensors of a gradient: first those of `inputs`, then the outputs. */
export function namedSaved(
  op: OpDeclaration,
  saved: readonly Tensor[],
  inputs: readonly string[] = (op.gradient as GradientDeclaration).saves,
): Tensors {
  const names = [...inputs, ...op.outputNames];
  return Object.fromEntries(saved.map((tensor, i) => [names[i], tensor]));
}
