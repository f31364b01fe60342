/**
 * Parameters of a PyTorch network by name. A network's layers read what they need relative to a prefix, and reading a
 * parameter declares its shape: the same walk over the layers builds a graph, checks a checkpoint, and lists what a
 * network of some sizes has.
 */

/** Values of a parameter, read when they are written. */
export interface Parameter {
  readonly shape: readonly number[];
  /** Number of values. */
  readonly elements: number;
  /** Row-major values. */
  readFloat32(): Promise<Float32Array>;
}

/** A parameter and its full name. */
export interface NamedParameter extends Parameter {
  readonly name: string;
  /** Whether the values are not those of the file under this name alone, so that they cannot be written back. */
  readonly computed?: boolean;
}

/** A state dict that is read by a network's layers, and remembers what they declared. Without entries it declares only. */
export class Parameters {
  /** Shapes that were declared, by full names, in the order of reading. Shared by all prefixes. */
  readonly declared: Map<string, readonly number[]>;

  constructor(
    private readonly state: ReadonlyMap<string, Parameter> = new Map(),
    /** What stands before the names, without the dot at its end. */
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
   * A size that the architecture leaves free: that of the stored parameter.
   * @param usual of a network of which nothing is stored
   */
  size(name: string, axis: number, usual: number): number {
    return this.state.get(this.nameOf(name))?.shape[axis] ?? usual;
  }

  /**
   * Declares a parameter and gives it, in the declared shape. Whether the stored one has that shape is for whoever
   * compares `declared` with the state dict; values of one that is not stored cannot be read.
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
 * Names and shapes that a walk over the layers declares.
 * @param state where sizes are free those of its parameters, else the usual ones
 */
export function declaredShapes(
  walk: (parameters: Parameters) => unknown,
  state?: ReadonlyMap<string, Parameter>,
): Map<string, readonly number[]> {
  const parameters = new Parameters(state);
  walk(parameters);
  return parameters.declared;
}

/** Values that a shape holds. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
