/**
 * The tfjs backends for which this package has kernels, as data that the command line, conformance suite, benchmark and
 * tests read. No backend is imported here: code that starts one imports its package and its module. A new backend is a
 * folder of kernels and an entry below.
 */

/** Where JavaScript runs. */
export type Platform = 'node' | 'page';

/**
 * The arithmetic that a backend guarantees, which determines the tolerances of its results. `float32`: IEEE float32,
 * correctly rounded, in the order of summation that an op declares. `shader`: float32 of a shading language, whose division,
 * square root and exp may be off by several units in the last place, which may flush denormals to zero, and which guarantees
 * nothing for NaN and infinities.
 */
export type ToleranceClass = 'float32' | 'shader';

export interface BackendEntry {
  /**
   * Name under which it is registered with tfjs, and imported: `tfjs-grootvl/<name>`; cpu is part of `tfjs-grootvl` itself.
   */
  readonly name: string;
  /**
   * The npm package to import before it starts: it registers the backend or, if the backend is our own, the one that ops
   * without a kernel fall back to.
   */
  readonly tfjsPackage: string;
  /** Our entry module, relative to the root of the sources or of a build, without extension. */
  readonly module: string;
  readonly platforms: readonly Platform[];
  readonly tolerance: ToleranceClass;
  /** Whether tensors can be read synchronously with `dataSync`; otherwise only with `await tensor.data()`. */
  readonly readsSynchronously: boolean;
  /**
   * Whether it needs a device that may be missing. `ready()` of our module then says what is missing before tfjs starts it.
   */
  readonly needsDevice?: true;
}

/** From the reference to the fastest: `auto` takes the last one that is available. */
export const BACKENDS = [
  {
    name: 'cpu',
    tfjsPackage: '@tensorflow/tfjs-backend-cpu',
    module: 'plugin/index',
    platforms: ['node', 'page'],
    tolerance: 'float32',
    readsSynchronously: true,
  },
  {
    name: 'wasm',
    tfjsPackage: '@tensorflow/tfjs-backend-wasm',
    module: 'wasm/index',
    platforms: ['node', 'page'],
    tolerance: 'float32',
    readsSynchronously: true,
  },
  {
    name: 'webgl',
    tfjsPackage: '@tensorflow/tfjs-backend-webgl',
    module: 'gpu/webgl/index',
    platforms: ['page'],
    tolerance: 'shader',
    readsSynchronously: true,
  },
  {
    name: 'webgpu',
    tfjsPackage: '@tensorflow/tfjs-backend-webgpu',
    module: 'gpu/webgpu/index',
    platforms: ['node', 'page'],
    tolerance: 'shader',
    readsSynchronously: false,
    needsDevice: true,
  },
  {
    name: 'cuda',
    tfjsPackage: '@tensorflow/tfjs-backend-cpu',
    module: 'gpu/cuda/index',
    platforms: ['node'],
    tolerance: 'float32',
    readsSynchronously: true,
    needsDevice: true,
  },
] as const satisfies readonly BackendEntry[];

export type BackendName = (typeof BACKENDS)[number]['name'];
type OnPlatform<Entry, P extends Platform> = Entry extends {
  readonly name: infer Name;
  readonly platforms: readonly (infer Own)[];
}
  ? P extends Own
    ? Name
    : never
  : never;
/** Names of the backends that run on a platform. */
export type BackendOn<P extends Platform> = OnPlatform<(typeof BACKENDS)[number], P>;

export const BACKEND_NAMES: readonly BackendName[] = BACKENDS.map(({ name }) => name);

/** Whether this package has kernels for a backend of this name. */
export function isBackendName(name: string): name is BackendName {
  return (BACKEND_NAMES as readonly string[]).includes(name);
}

/** @throws {Error} if this package has no kernels for a backend of this name. */
export function backendEntry(name: BackendName): BackendEntry {
  const entry = BACKENDS.find((entry) => entry.name === name);
  if (entry) return entry;
  throw new Error(`backendEntry: got ${String(name)}, expected one of ${BACKEND_NAMES.join(', ')}`);
}

/** Returns the names of a platform's backends, from the reference to the fastest, whether or not they can start here. */
export function backendsOn<P extends Platform>(platform: P): BackendOn<P>[] {
  return BACKENDS.filter(({ platforms }) => (platforms as readonly Platform[]).includes(platform)).map(
    ({ name }) => name as BackendOn<P>,
  );
}
