/**
 * Parameters of a PyTorch network by name. Layers read their parameters relative to a prefix, and reading a parameter declares
 * its shape: the same traversal of the layers builds a graph, checks a checkpoint, and lists the parameters of a network of given
 * sizes.
 */

/** A parameter, whose values are read when they are written. */
export interface Parameter {
  readonly shape: readonly number[];
  /** Number of values. */
  readonly elements: number;
  /** Reads the row-major values. */
  readFloat32(): Promise<Float32Array>;
}

/** A parameter and its full name. */
export interface NamedParameter extends Parameter {
  readonly name: string;
  /** Whether the values differ from those stored in the file under this name, so that they cannot be written back. */
  readonly computed?: boolean;
}

/** A state dict that records the shapes which layers declare by reading it. Without entries it only records. */
export class Parameters {
  /** Declared shapes by full name, in the order of reading. Shared by all prefixes. */
  readonly declared: Map<string, readonly number[]>;

  constructor(
    private readonly state: ReadonlyMap<string, Parameter> = new Map(),
    /** Prefix of the names, without the trailing dot. */
    readonly prefix = '',
    declared: Map<string, readonly number[]> = new Map(),
  ) {
    this.declared = declared;
  }

  /** The parameters of a module, such as `levels.0`. */
  at(path: string): Parameters {
    return new Parameters(this.state, this.nameOf(path), this.declared);
  }

  nameOf(name: string): string {
    return this.prefix === '' ? name : `${this.prefix}.${name}`;
  }

  has(name: string): boolean {
    return this.state.has(this.nameOf(name));
  }

  /**
   * A size that the architecture leaves free, taken from the stored parameter.
   * @param usual for a network without stored parameters
   */
  size(name: string, axis: number, usual: number): number {
    return this.state.get(this.nameOf(name))?.shape[axis] ?? usual;
  }

  /**
   * Declares a parameter and returns it in the declared shape. The stored shape is not checked here, but by comparing `declared`
   * with the state dict; values of a parameter that is not stored cannot be read.
   */
  tensor(name: string, shape: readonly number[]): NamedParameter {
    const full = this.nameOf(name);
    this.declared.set(full, shape);
    const stored = this.state.get(full);
    return {
      name: full,
      shape,
      elements: stored?.elements ?? elementsOf(shape),
      async readFloat32() {
        if (!stored) throw new Error(`the state dict has no ${full}; its architecture was not checked`);
        return stored.readFloat32();
      },
    };
  }
}

/**
 * Names and shapes that a traversal of the layers declares.
 * @param state source of the sizes that the architecture leaves free; without it the usual ones are declared
 */
export function declaredShapes(
  walk: (parameters: Parameters) => unknown,
  state?: ReadonlyMap<string, Parameter>,
): Map<string, readonly number[]> {
  const parameters = new Parameters(state);
  walk(parameters);
  return parameters.declared;
}

/** Number of values in a shape. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
