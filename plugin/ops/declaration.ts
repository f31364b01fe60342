/**
 * The structure of an op's declaration.
 *
 * A declaration names an op's inputs, attributes and outputs, their shapes in letters, and its gradient. The tfjs kernels of
 * every backend, the GraphModel registration, the converter and the conformance suite all read it.
 */
import type { Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import type { Extent, Letters, ShapeLetters } from './shape_letters.js';

/** Element types of the inputs and outputs of this package's ops. */
export type OpDtype = 'float32' | 'int32';

/** One input or output tensor of an op. */
export interface TensorDeclaration {
  readonly dtype: OpDtype;
  /**
   * The shape as letters, each with one extent throughout the op, or expressions of letters: see `parseExtent`. A leading
   * `...` stands for any number of axes; an output with `...` has the axes of the input with it.
   */
  readonly shape: readonly string[];
  readonly doc: string;
}

/** One input tensor of an op. */
export interface InputDeclaration extends TensorDeclaration {
  /** Whether it may be omitted; only the last inputs of an op may. */
  readonly optional?: boolean;
  /** Whether only its shape is used; it then has no gradient. */
  readonly shapeOnly?: boolean;
}

interface CommonAttribute {
  /** Its name on a GraphModel node; by default its own in snake_case, as TensorFlow names attributes. */
  readonly graphName?: string;
  readonly doc: string;
}

/** A finite number; an integer if `type` says so. */
export interface NumberAttribute extends CommonAttribute {
  readonly type: 'number' | 'integer';
  readonly default?: number;
  readonly least?: number;
  /** The largest value: a number or an expression of letters. */
  readonly most?: number | string;
  /** The shape letter that has this value. */
  readonly letter?: string;
}

/** One of several strings. */
export interface StringAttribute extends CommonAttribute {
  readonly type: 'string';
  readonly default?: string;
  readonly oneOf: readonly string[];
}

export interface BooleanAttribute extends CommonAttribute {
  readonly type: 'boolean';
  readonly default?: boolean;
}

export interface NumbersAttribute extends CommonAttribute {
  readonly type: 'numbers';
  readonly default?: readonly number[];
}

/** One attribute of an op. */
export type AttributeDeclaration = NumberAttribute | StringAttribute | BooleanAttribute | NumbersAttribute;

/** The value of an attribute. */
export type AttributeValue = string | number | boolean | readonly number[] | undefined;

/** Values of an op's attributes by camelCase name. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

type ValueOf<A extends AttributeDeclaration> = A extends StringAttribute
  ? A['oneOf'][number]
  : A extends BooleanAttribute
    ? boolean
    : A extends NumbersAttribute
      ? readonly number[]
      : number;

/** The checked attributes of an op, with their types. */
export type AttributesOf<A extends Readonly<Record<string, AttributeDeclaration>>> = {
  readonly [Name in keyof A]: ValueOf<A[Name]>;
};

/** Tensors of an op by name; those of optional inputs may be missing. */
export type TensorsOf<I extends Readonly<Record<string, InputDeclaration>>, T = Tensor> = {
  readonly [Name in keyof I]: I[Name] extends { optional: true } ? T | undefined : T;
};

/** Shape and element type of one output. */
export interface OutputSpec {
  readonly shape: number[];
  readonly dtype: OpDtype;
}

/** Shapes of an op's inputs by name, without optional inputs that were omitted. */
export type Shapes = Readonly<Record<string, readonly number[]>>;

/** Tensors by input name, without optional inputs that were omitted. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** Reads the values of a tensor on whichever backend holds it. */
export type ReadValues = (info: TensorInfo) => Int32Array;

/** How an op is differentiated. */
export interface GradientDeclaration {
  /** The inputs that it needs. */
  readonly saves: readonly string[];
  /** Whether it needs the outputs as well. */
  readonly savesOutputs?: boolean;
  /**
   * Returns gradients by input name, each computed on demand. Integer inputs, such as trees, have none.
   * @param dy gradients of the outputs, in order.
   */
  compute(
    saved: Tensors,
    dy: readonly Tensor[],
    attributes: Attributes,
  ): Readonly<Record<string, () => Tensor>>;
}

/** The definition of an op, as passed to `defineOp`. */
export interface OpDefinition {
  /** Name of the tfjs kernel and of the GraphModel node. */
  readonly name: string;
  readonly doc: string;
  /** Whether only other ops of this package call it, so that it is not registered as a GraphModel node. */
  readonly inner?: boolean;
  /** In the order of a GraphModel node's inputs. */
  readonly inputs: Readonly<Record<string, InputDeclaration>>;
  readonly attributes: Readonly<Record<string, AttributeDeclaration>>;
  /** In the order in which kernels return them. */
  readonly outputs: Readonly<Record<string, TensorDeclaration>>;
  /** Letters computed from other letters and attributes, as expressions or functions. */
  readonly derived?: Readonly<
    Record<string, string | ((letters: Letters, attributes: Attributes) => number)>
  >;
  /**
   * A derived letter that is the first axis of every output and whose extent depends on values: the derived extent is the
   * maximum. Outputs are allocated at that size and cut to the number of rows that the kernel reports.
   */
  readonly counted?: string;
  /**
   * Inputs whose values the op reads on the host. Without `compose`, the plain TypeScript kernel is then the regular one on
   * every backend. A GraphModel node waits for the values where they can only be read asynchronously.
   */
  readonly reads?: readonly string[];
  /** The smallest extent of each letter; 0 for those not named. */
  readonly least?: Readonly<Record<string, number>>;
  /**
   * Checks values where shapes are not enough (vertex ids, trees). It may read tensors, so it must remember what it has
   * already checked: see `graph_checks.ts`.
   */
  validate?(inputs: Readonly<Record<string, TensorInfo>>, attributes: Attributes, read: ReadValues): void;
  /** Called with the outputs of every kernel, so that our own results are not validated again. */
  produced?(outputs: readonly TensorInfo[], attributes: Attributes): void;
  /** The op composed from tfjs's own ops, for backends without a kernel of ours. */
  compose?(inputs: Tensors, attributes: Attributes): Tensor | Tensor[];
  readonly gradient?: GradientDeclaration;
  /**
   * Replaces the op while gradients are recorded: computes the same from other ops, for cases in which this op does not keep
   * what the gradient needs.
   */
  recorded?(inputs: Tensors, attributes: Attributes): Tensor | Tensor[] | undefined;
  /** Derives attributes that a GraphModel node may omit from its inputs. */
  graphDefaults?(inputs: Tensors, read: ReadValues): Attributes;
}

/** A declared op whose inputs, attributes and outputs are known to the compiler. */
export type Declared<
  I extends Readonly<Record<string, InputDeclaration>>,
  A extends Readonly<Record<string, AttributeDeclaration>>,
  O extends Readonly<Record<string, TensorDeclaration>>,
> = Omit<OpDeclaration, 'inputs' | 'attributes' | 'outputs'> & {
  readonly inputs: I;
  readonly attributes: A;
  readonly outputs: O;
};

/** A declared op. */
export interface OpDeclaration extends OpDefinition {
  /** Names of the outputs, in order. */
  readonly outputNames: readonly string[];
  /** The parsed shapes, which the checks read. */
  readonly parsed: ParsedShapes;
}

/** The shapes of a declaration, parsed once. */
export interface ParsedShapes {
  readonly inputs: readonly ParsedInput[];
  readonly outputs: readonly { readonly dtype: OpDtype; readonly shape: ShapeLetters }[];
  readonly derived: readonly { readonly letter: string; readonly evaluate: Evaluate }[];
  readonly least: readonly { readonly letter: string; readonly smallest: number }[];
  /** Attributes whose largest value is an expression. */
  readonly bounded: readonly { readonly name: string; readonly extent: Extent }[];
}

interface ParsedInput {
  readonly name: string;
  readonly declaration: InputDeclaration;
  readonly shape: ShapeLetters;
}

type Evaluate = (letters: Letters, attributes: Attributes) => number;
