/** Checks an op's attributes and inputs against its declaration, before any kernel runs. */
import type { Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import type {
  AttributeDeclaration,
  Attributes,
  AttributeValue,
  InputDeclaration,
  OpDeclaration,
  OutputSpec,
  Shapes,
} from './declaration.js';
import {
  bindLetters,
  fitsLetters,
  hasRank,
  type Letters,
  type ShapeLetters,
  spellShape,
} from './shape_letters.js';

/** The error type of all ops: the op's name, what was given and what is expected. */
export class OpError extends Error {
  constructor(op: string, message: string, options?: ErrorOptions) {
    super(`${op}: ${message}`, options);
    this.name = 'OpError';
  }
}

/** Formats a shape for errors, for example `[2, 49, 16]`. */
export function showShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/**
 * Fills in attribute defaults and rejects values that the declaration does not allow.
 * @throws {OpError} that names the attribute, its value and what is expected.
 */
export function completeAttributes(op: OpDeclaration, given: Attributes): Attributes {
  const complete: Record<string, AttributeValue> = {};
  for (const name in op.attributes) {
    const declaration = op.attributes[name];
    const value = given[name] ?? declaration.default;
    if (!isAllowed(declaration, value)) {
      throw new OpError(op.name, `${name} is ${showValue(value)}, expected ${allowed(declaration)}`);
    }
    complete[name] = value;
  }
  return complete;
}

function isAllowed(declaration: AttributeDeclaration, value: AttributeValue): boolean {
  switch (declaration.type) {
    case 'string':
      return declaration.oneOf.includes(value as string);
    case 'boolean':
      return typeof value === 'boolean';
    case 'numbers':
      return Array.isArray(value) && value.every(Number.isFinite);
    default: {
      const { type, least = Number.NEGATIVE_INFINITY, most } = declaration;
      if (type === 'integer' ? !Number.isSafeInteger(value) : !Number.isFinite(value)) return false;
      return (value as number) >= least && !(typeof most === 'number' && (value as number) > most);
    }
  }
}

/** Describes the allowed values of an attribute; `most` is its evaluated upper bound. */
function allowed(declaration: AttributeDeclaration, most?: number): string {
  switch (declaration.type) {
    case 'string':
      return `one of ${declaration.oneOf.join(', ')}`;
    case 'boolean':
      return 'true or false';
    case 'numbers':
      return 'a list of finite numbers';
    default: {
      const kind = declaration.type === 'integer' ? 'an integer' : 'a finite number';
      const { least, most: declared } = declaration;
      const largest = most ?? (typeof declared === 'number' ? declared : undefined);
      if (largest !== undefined) return `${kind} from ${least ?? '-Infinity'} to ${largest}`;
      return least === undefined ? kind : `${kind} of at least ${least}`;
    }
  }
}

function showValue(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (Array.isArray(value)) return 'an array';
  return value !== null && typeof value === 'object' ? 'an object' : String(value);
}

/**
 * Checks the inputs of an op: rank and dtype of each, and that every letter has one extent.
 * @param attributes complete: see {@link completeAttributes}.
 * @returns the shapes and dtypes of the outputs.
 * @throws {OpError} that says what was given and what is expected.
 */
export function checkInputs(
  op: OpDeclaration,
  inputs: Readonly<Record<string, TensorInfo | undefined>>,
  attributes: Attributes,
): OutputSpec[] {
  const shapes: Record<string, readonly number[]> = {};
  for (const { name, declaration, shape } of op.parsed.inputs) {
    const input = inputs[name];
    if (input == null && declaration.optional) continue;
    checkKind(op, name, declaration, shape, input);
    shapes[name] = (input as TensorInfo).shape;
  }
  return inferOutputs(op, shapes, attributes);
}

/**
 * Computes the shapes and dtypes of an op's outputs.
 * @param shapes of its inputs, with the declared ranks; omitted optional inputs are missing.
 * @param attributes complete.
 * @throws {OpError} if the sizes are inconsistent.
 */
export function inferOutputs(op: OpDeclaration, shapes: Shapes, attributes: Attributes): OutputSpec[] {
  const { inputs, derived, least, bounded, outputs } = op.parsed;
  const letters: Record<string, number> = {};
  let leading: readonly number[] | undefined;
  for (const name in op.attributes) {
    const declaration = op.attributes[name];
    if ('letter' in declaration && declaration.letter)
      letters[declaration.letter] = attributes[name] as number;
  }
  for (const { name, shape } of inputs) {
    const given = shapes[name];
    if (!given) continue;
    if (shape.anyRank) {
      const count = given.length - shape.extents.length;
      if (leading && !(leading.length === count && leading.every((extent, axis) => extent === given[axis]))) {
        const expected = `${showShape(leading)} for the axes of ...`;
        throw new OpError(
          op.name,
          `${name}${shape.text} has shape ${showShape(given)}, expected ${expected}`,
        );
      }
      leading ??= given.slice(0, count);
    }
    bindLetters(shape, given, letters);
  }
  for (const { name, extent } of bounded) {
    const most = extent.evaluate(letters);
    if ((attributes[name] as number) > most) {
      throw new OpError(
        op.name,
        `${name} is ${attributes[name]}, expected ${allowed(op.attributes[name], most)}`,
      );
    }
  }
  checkFit(op, shapes, letters);
  for (const { letter, evaluate } of derived) letters[letter] = evaluate(letters, attributes);
  for (const { letter, smallest } of least) {
    const extent = letters[letter];
    if (!(extent >= smallest && Number.isInteger(extent))) throw unfit(op, letter, extent, smallest, shapes);
  }
  // Derived letters may also be extents of inputs.
  if (derived.length > 0) checkFit(op, shapes, letters);
  return outputs.map(({ dtype, shape: { anyRank, extents } }) => {
    const shape = extents.map(({ evaluate }) => evaluate(letters));
    return { shape: anyRank ? [...(leading ?? []), ...shape] : shape, dtype };
  });
}

function checkFit(op: OpDeclaration, shapes: Shapes, letters: Letters): void {
  for (const { name, shape } of op.parsed.inputs) {
    const given = shapes[name];
    if (given && !fitsLetters(shape, given, letters)) throw misshapen(op, name, shape, given, letters);
  }
}

function checkKind(
  op: OpDeclaration,
  name: string,
  { dtype }: InputDeclaration,
  shape: ShapeLetters,
  input: TensorInfo | undefined,
): void {
  const expected = `${dtype} ${name}${shape.text}`;
  if (input == null) throw new OpError(op.name, `${name} is missing, expected ${expected}`);
  if (!Array.isArray(input.shape) || input.dtype == null) {
    throw new OpError(op.name, `${name} is ${showKind(input)}, expected a tensor ${expected}`);
  }
  if ((input as Partial<Tensor>).isDisposed) {
    throw new OpError(op.name, `${name} is a tensor that was disposed, expected ${expected}`);
  }
  if (!hasRank(shape, input.shape)) {
    throw new OpError(op.name, `${name} has shape ${showShape(input.shape)}, expected ${expected}`);
  }
  // tf.reshape accepts [0.5, 8] as a shape for four values.
  if (!input.shape.every((extent) => Number.isInteger(extent) && extent >= 0)) {
    throw new OpError(op.name, `${name} has shape ${showShape(input.shape)}, expected integers from 0`);
  }
  if (input.dtype !== dtype)
    throw new OpError(op.name, `${name} has dtype ${input.dtype}, expected ${expected}`);
}

function showKind(value: unknown): string {
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}

function misshapen(
  op: OpDeclaration,
  name: string,
  shape: ShapeLetters,
  given: readonly number[],
  letters: Letters,
): OpError {
  const expected = spellShape(shape, letters);
  const spelled = expected === shape.text ? expected : `${shape.text} = ${expected}`;
  return new OpError(op.name, `${name} has shape ${showShape(given)}, expected ${spelled}`);
}

function unfit(op: OpDeclaration, letter: string, extent: number, least: number, shapes: Shapes): OpError {
  const { [letter]: derived } = op.derived ?? {};
  const meaning = typeof derived === 'string' ? `${letter} = ${derived}` : letter;
  const given = op.parsed.inputs
    .filter(
      ({ name, shape: { text } }) =>
        shapes[name] && [...meaning].some((each) => /[A-Z]/.test(each) && text.includes(each)),
    )
    .map(({ name, shape: { text } }) => `${name}${text} has shape ${showShape(shapes[name])}`);
  const expected = Number.isInteger(extent) ? 'at least' : 'an integer of at least';
  const found = `${meaning} is ${Number(extent.toFixed(4))}`;
  return new OpError(op.name, `${given.join(', ')}: ${found}, expected ${expected} ${least}`);
}
