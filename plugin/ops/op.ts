/**
 * What an op is, said once.
 *
 * A declaration names an op's inputs, attributes and outputs and checks them. The tfjs kernels of every backend,
 * the GraphModel registration, the converter and the conformance suite all read it; none of them repeats it.
 */
import type { Tensor, TensorInfo } from '@tensorflow/tfjs-core';

/** Element types of the tensors that ops of this package take and give. */
export type OpDtype = 'float32' | 'int32';

/** One input tensor of an op. */
export interface InputDeclaration {
  readonly dtype: OpDtype;
  /** Letters of the shape, such as `[B, V, D]`: shown in errors and documentation. A leading `...` allows any rank. */
  readonly shape: readonly string[];
  /** The last inputs of an op may be left out. */
  readonly optional?: boolean;
  readonly doc: string;
}

/** One attribute of an op. */
export interface AttributeDeclaration {
  /** Its name on a GraphModel node: snake_case, as TensorFlow names attributes. */
  readonly graphName: string;
  /** Used where the attribute is not given. */
  readonly default?: string | number;
  /** The values a string attribute may take. */
  readonly oneOf?: readonly string[];
  readonly doc: string;
}

/** Shape and element type of one output. */
export interface OutputSpec {
  readonly shape: number[];
  readonly dtype: OpDtype;
}

/** Values of an op's attributes by camelCase name. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** Shapes of an op's inputs by name; those of optional inputs that were left out are missing. */
export type Shapes = Readonly<Record<string, readonly number[]>>;

/** Tensors by input name; those of optional inputs that were left out are missing. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** Reads the values of a tensor on whichever backend holds it. */
export type ReadValues = (info: TensorInfo) => Int32Array;

/** The declaration of an op. See {@link defineOp}. */
export interface OpDeclaration {
  /** Name of the tfjs kernel and of the GraphModel node. */
  readonly name: string;
  readonly doc: string;
  /** In the order of a GraphModel node's inputs. */
  readonly inputs: Readonly<Record<string, InputDeclaration>>;
  readonly attributes: Readonly<Record<string, AttributeDeclaration>>;
  /** Output names, in the order in which kernels return them. */
  readonly outputs: readonly string[];
  /**
   * Shapes and dtypes of the outputs. Ranks and dtypes of the inputs have been checked before; what remains is how
   * the sizes fit together.
   * @throws {OpError} when they do not.
   */
  readonly infer: (shapes: Shapes, attributes: Attributes) => OutputSpec[];
  /**
   * Checks values where shapes are not enough (vertex ids, trees). May read tensors, so it must remember what it
   * has read before: see `graph_checks.ts`.
   */
  readonly validate?: (
    inputs: Readonly<Record<string, TensorInfo>>,
    attributes: Attributes,
    read: ReadValues,
  ) => void;
  /** Called with the outputs of every kernel, so that results of ours need not be validated again. */
  readonly produced?: (outputs: readonly TensorInfo[], attributes: Attributes) => void;
  /** The op composed from stock tfjs ops, for backends without a kernel of ours. */
  readonly compose?: (inputs: Tensors, attributes: Attributes) => Tensor | Tensor[];
  /** What running the op means when it is more than a call of its kernel. */
  readonly run?: (inputs: Tensors, attributes: Attributes) => Tensor[];
  /** Attributes that a GraphModel node may leave to its inputs. */
  readonly graphDefaults?: (inputs: Tensors, read: ReadValues) => Attributes;
}

/** The one error type of ops: the op's name, what was given and what is wanted. */
export class OpError extends Error {
  constructor(op: string, message: string) {
    super(`${op}: ${message}`);
    this.name = 'OpError';
  }
}

/** Declares an op; the type of the literal is kept, so that input and attribute names are known to the compiler. */
export function defineOp<D extends OpDeclaration>(declaration: D): D {
  return declaration;
}

/** `[2, 49, 16]` as text, for errors. */
export function showShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/** Fills in attribute defaults and refuses values that the declaration does not allow. */
export function completeAttributes(op: OpDeclaration, given: Attributes): Attributes {
  const complete: Record<string, string | number | undefined> = {};
  for (const [name, declaration] of Object.entries(op.attributes)) {
    const value = given[name] ?? declaration.default;
    if (declaration.oneOf && !declaration.oneOf.includes(value as string)) {
      throw new OpError(
        op.name,
        `${name} is ${JSON.stringify(value)}, wanted one of ${declaration.oneOf.join(', ')}`,
      );
    }
    complete[name] = value;
  }
  return complete;
}

/**
 * Checks rank, dtype and sizes of the inputs of an op.
 * @returns the shapes and dtypes of its outputs.
 * @throws {OpError} that says what was given and what is wanted.
 */
export function checkInputs(
  op: OpDeclaration,
  inputs: Readonly<Record<string, TensorInfo | undefined>>,
  attributes: Attributes,
): OutputSpec[] {
  const shapes: Record<string, readonly number[]> = {};
  for (const [name, declaration] of Object.entries(op.inputs)) {
    const input = inputs[name];
    const wanted = `${declaration.dtype} ${name}[${declaration.shape.join(', ')}]`;
    if (input == null) {
      if (declaration.optional) continue;
      throw new OpError(op.name, `${name} is missing, wanted ${wanted}`);
    }
    if (!Array.isArray(input.shape) || input.dtype == null) {
      throw new OpError(op.name, `${name} is ${describe(input)}, wanted a tensor ${wanted}`);
    }
    const anyRank = declaration.shape[0] === '...';
    const leastRank = anyRank ? declaration.shape.length - 1 : declaration.shape.length;
    if (anyRank ? input.shape.length < leastRank : input.shape.length !== leastRank) {
      throw new OpError(op.name, `${name} has shape ${showShape(input.shape)}, wanted ${wanted}`);
    }
    if (input.dtype !== declaration.dtype) {
      throw new OpError(op.name, `${name} has dtype ${input.dtype}, wanted ${wanted}`);
    }
    shapes[name] = input.shape;
  }
  return op.infer(shapes, attributes);
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  return value === null ? 'null' : `a value of type ${typeof value}`;
}

/** Throws unless the sizes are equal: `what` names both, such as `rows of weights and edges`. */
export function checkEqual(op: string, what: string, given: number, wanted: number): void {
  if (given !== wanted) throw new OpError(op, `${what} differ: ${given} and ${wanted}`);
}
