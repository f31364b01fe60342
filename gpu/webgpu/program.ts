/**
 * Compute programs as data. A kernel provides the WGSL of its computation; its bindings are declared by name, and the
 * declarations in WGSL, the bind group layout and the order of bindings follow from that. Only declared bindings are bound,
 * so a variant without a bias has no binding for one.
 */

/** Types of numbers in the uniform buffer. */
export type NumberType = 'u32' | 'i32' | 'f32';

/** The definition of a program. Names of bindings and numbers are WGSL identifiers. */
export interface ProgramDefinition {
  /**
   * Buffers that are read, by name, with the WGSL type of their elements: `x: 'f32'` is `var<storage, read> x: array<f32>`.
   */
  readonly reads?: Readonly<Record<string, string>>;
  /** Buffers that are written, and may be read: `var<storage, read_write>`. Every element must be written. */
  readonly writes: Readonly<Record<string, string>>;
  /** Numbers that differ from call to call: `rows: 'u32'` is `numbers.rows`. */
  readonly numbers?: Readonly<Record<string, NumberType>>;
  /** WGSL with the entry point `main`. */
  readonly code: string;
}

export interface Program extends ProgramDefinition {
  /** Of the kernel and its variant: used in errors, and in timings of `tf.profile`. */
  readonly name: string;
  /** The complete source. */
  readonly source: string;
  readonly bindings: readonly { readonly name: string; readonly type: GPUBufferBindingType }[];
}

/** Distinguishes the variants of a program. */
export type Variant = Readonly<Record<string, string | number | boolean>>;

/**
 * A program with variants, whose text depends on an attribute, on the presence of an input, or on a tile size. Each variant
 * is created once.
 */
export function programs<V extends Variant>(
  name: string,
  define: (variant: V) => ProgramDefinition,
): (variant: V) => Program {
  const known = new Map<string, Program>();
  return (variant) => {
    const key = Object.entries(variant).map(([option, value]) => ` ${option}=${value}`);
    const fullName = name + key.join('');
    const made = known.get(fullName) ?? program(fullName, define(variant));
    known.set(fullName, made);
    return made;
  };
}

/** A program without variants. */
export function program(name: string, definition: ProgramDefinition): Program {
  const { reads = {}, writes, numbers = {}, code } = definition;
  const bindings = [
    ...Object.keys(reads).map((name) => ({ name, type: 'read-only-storage' as const })),
    ...Object.keys(writes).map((name) => ({ name, type: 'storage' as const })),
  ];
  const types: Readonly<Record<string, string>> = { ...reads, ...writes };
  const declarations = bindings.map(({ name, type }, i) => {
    const access = type === 'storage' ? 'read_write' : 'read';
    return `@group(0) @binding(${i}) var<storage, ${access}> ${name}: array<${types[name]}>;`;
  });
  const members = Object.entries(numbers).map(([name, type]) => `${name}: ${type}`);
  if (members.length > 0) {
    declarations.push(
      `struct Numbers { ${members.join(', ')} }`,
      `@group(0) @binding(${bindings.length}) var<uniform> numbers: Numbers;`,
    );
  }
  const source = [...declarations, LINEAR_WORKGROUP, code].join('\n');
  return { ...definition, name, source, bindings };
}

/** Index of a workgroup, from 0, if more workgroups than one dimension allows are spread over two. */
const LINEAR_WORKGROUP =
  'fn linearWorkgroup(id: vec3<u32>, count: vec3<u32>) -> u32 { return id.y * count.x + id.x; }';

/** The head of an entry point: its body has the index of the workgroup, their number, and the index of the invocation. */
export function entryPoint(lanes: number): string {
  return `
    @compute @workgroup_size(${lanes})
    fn main(
      @builtin(workgroup_id) id: vec3<u32>,
      @builtin(num_workgroups) count: vec3<u32>,
      @builtin(local_invocation_index) lane: u32,
    )
  `;
}

/**
 * Returns the contents of a program's uniform buffer.
 * @throws {Error} if a value is missing or not a number.
 */
export function numbersOf(program: Program, values: Readonly<Record<string, number>>): Uint32Array {
  const types = Object.entries(program.numbers ?? {});
  const words = new Uint32Array(4 * Math.ceil(types.length / 4));
  const floats = new Float32Array(words.buffer);
  types.forEach(([name, type], i) => {
    const value = values[name];
    if (typeof value !== 'number' || (type !== 'f32' && !Number.isInteger(value))) {
      throw new Error(`${program.name}: numbers.${name} is ${value}, expected a value of type ${type}`);
    }
    if (type === 'f32') floats[i] = value;
    else words[i] = value; // two's complement, if it is negative
  });
  return words;
}
