/**
 * What an op is.
 *
 * A declaration names an op's inputs, attributes and outputs, their shapes in letters, and its gradient. The tfjs
 * kernels of every backend, the GraphModel registration, the converter and the conformance suite all read it.
 */
import type { Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import type { Extent, Letters, ShapeLetters } from './shape_letters.js';

/** Element types of the tensors that ops of this package take and give. */
export type OpDtype = 'float32' | 'int32';

/** One input or output tensor of an op. */
export interface TensorDeclaration {
  readonly dtype: OpDtype;
  /**
   * Its shape in letters, each with one extent throughout the op, or expressions of letters: see
   * `parseExtent`. A leading `...` allows any number of axes; an output with `...` has those of the input with it.
   */
  readonly shape: readonly string[];
  readonly doc: string;
}

/** One input tensor of an op. */
export interface InputDeclaration extends TensorDeclaration {
  /** The last inputs of an op may be left out. */
  readonly optional?: boolean;
  /** Only its shape is used: it has no gradient. */
  readonly shapeOnly?: boolean;
}

interface CommonAttribute {
  /** Its name on a GraphModel node: snake_case, as TensorFlow names attributes. */
  readonly graphName: string;
  readonly doc: string;
}

/** A number, finite; an integer where `type` says so. */
export interface NumberAttribute extends CommonAttribute {
  readonly type: 'number' | 'integer';
  readonly default?: number;
  readonly least?: number;
  /** The largest value, a number or an expression of letters. */
  readonly most?: number | string;
  /** The letter of the shapes that has this value. */
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

/** Shapes of an op's inputs by name; those of optional inputs that were left out are missing. */
export type Shapes = Readonly<Record<string, readonly number[]>>;

/** Tensors by input name; those of optional inputs that were left out are missing. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** Reads the values of a tensor on whichever backend holds it. */
export type ReadValues = (info: TensorInfo) => Int32Array;

/** How an op is differentiated. */
export interface GradientDeclaration {
  /** Inputs that it needs. */
  readonly saves: readonly string[];
  /** Whether it needs the outputs as well. */
  readonly savesOutputs?: boolean;
  /**
   * Gradients by input name, each computed when it is asked for. Integer inputs have none: a tree is a choice.
   * @param dy gradients of the outputs, in their order.
   */
  compute(
    saved: Tensors,
    dy: readonly Tensor[],
    attributes: Attributes,
  ): Readonly<Record<string, () => Tensor>>;
}

/** What an op is declared by: see `defineOp`. */
export interface OpDefinition {
  /** Name of the tfjs kernel and of the GraphModel node. */
  readonly name: string;
  readonly doc: string;
  /** In the order of a GraphModel node's inputs. */
  readonly inputs: Readonly<Record<string, InputDeclaration>>;
  readonly attributes: Readonly<Record<string, AttributeDeclaration>>;
  /** In the order in which kernels return them. */
  readonly outputs: Readonly<Record<string, TensorDeclaration>>;
  /** Letters that follow from others and from attributes, as expressions or functions. */
  readonly derived?: Readonly<
    Record<string, string | ((letters: Letters, attributes: Attributes) => number)>
  >;
  /**
   * A derived letter with which every output begins and whose extent depends on values: what is derived is the largest
   * that it may have. Outputs are made so large, and cut to the rows that a kernel says it has written.
   */
  readonly counted?: string;
  /**
   * Inputs whose values the op reads on the host. Without `compose` the kernel in plain TypeScript is then the regular
   * one on every backend. A GraphModel node waits for the values where they can be read asynchronously only.
   */
  readonly reads?: readonly string[];
  /** The least extent of letters; 0 for those that are not named. */
  readonly least?: Readonly<Record<string, number>>;
  /**
   * Checks values where shapes are not enough (vertex ids, trees). May read tensors, so it must remember what it
   * has read before: see `graph_checks.ts`.
   */
  validate?(inputs: Readonly<Record<string, TensorInfo>>, attributes: Attributes, read: ReadValues): void;
  /** Called with the outputs of every kernel, so that results of ours need not be validated again. */
  produced?(outputs: readonly TensorInfo[], attributes: Attributes): void;
  /** The op composed from tfjs's own ops, for backends without a kernel of ours. */
  compose?(inputs: Tensors, attributes: Attributes): Tensor | Tensor[];
  readonly gradient?: GradientDeclaration;
  /** While gradients are recorded: the same from other ops, where what their gradients need is not kept by this one. */
  recorded?(inputs: Tensors, attributes: Attributes): Tensor | Tensor[] | undefined;
  /** Attributes that a GraphModel node may leave to its inputs. */
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
  /** Names of the outputs in their order. */
  readonly outputNames: readonly string[];
  /** What the checks read, parsed once. */
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
