/** The names of backends on the command line. Imports no backend, so that a command can list them at no cost. */
import {
  BACKEND_NAMES,
  BACKENDS,
  type BackendName,
  backendEntry,
  isBackendName,
} from '../../plugin/backends.js';

/** Where a backend runs: `wasm` in Node, `wasm@chromium` in a page, `wasm-2threads@chromium` in an isolated one. */
export interface Target {
  /** Name as given, and in reports. */
  readonly name: string;
  readonly backend: BackendName;
  readonly chromium: boolean;
  /** Cross-origin isolated, without which pages have no threads. */
  readonly isolated: boolean;
  /** tfjs flags that are set while it runs. */
  readonly flags?: Readonly<Record<string, number>>;
  /** Number of threads of the `wasm` kernels. */
  readonly threads?: number | 'auto';
  /** Uses a separate page, so that choices made when a backend starts are made again. */
  readonly ownPage?: true;
}

/** So that even small cases are split between threads. */
const SMALL_PARTS = { GROOTVL_WASM_PART_NANOSECONDS: 1 };

const RELAXED_FLAG = 'GROOTVL_WASM_RELAXED_SIMD';

/** Backends as on a smaller device, and with threads, by target name. */
const VARIANTS: Readonly<Record<string, Pick<Target, 'backend' | 'flags' | 'threads' | 'ownPage'>>> = {
  'webgpu-32lanes': { backend: 'webgpu', flags: { GROOTVL_WEBGPU_LANES: 32 } },
  'webgpu-64lanes': { backend: 'webgpu', flags: { GROOTVL_WEBGPU_LANES: 64 } },
  'webgpu-16kb': { backend: 'webgpu', flags: { GROOTVL_WEBGPU_WORKGROUP_BYTES: 16384 } },
  'wasm-baseline': { backend: 'wasm', flags: { [RELAXED_FLAG]: 0 }, ownPage: true },
  'wasm-threads': { backend: 'wasm', threads: 'auto' },
  'wasm-1thread': { backend: 'wasm', threads: 1, flags: SMALL_PARTS },
  'wasm-2threads': { backend: 'wasm', threads: 2, flags: SMALL_PARTS },
};

/** All names that {@link parseTarget} accepts. */
export const TARGETS: readonly string[] = [
  ...BACKEND_NAMES,
  ...BACKENDS.flatMap(({ name, platforms }) =>
    (platforms as readonly string[]).includes('page') ? [`${name}@chromium`] : [],
  ),
  ...Object.entries(VARIANTS).flatMap(([name, { threads, ownPage }]) => [
    ...(threads || ownPage ? [] : [name]), // only in pages
    `${name}@chromium`,
  ]),
];

/** The default: every backend. Unavailable ones are skipped, and the report says why. */
export const DEFAULT_TARGETS: readonly string[] = BACKEND_NAMES;

/**
 * Whether two targets must give the same bits: threads do not change those of `wasm` in one engine, and relaxed SIMD only changes
 * those of float32 products.
 */
export function haveSameBits(one: Target, other: Target, hasProducts: boolean): boolean {
  if (one.backend !== 'wasm' || other.backend !== 'wasm' || one.chromium !== other.chromium) return false;
  const mayRelax = ({ flags }: Target) => flags?.[RELAXED_FLAG] !== 0;
  return !hasProducts || mayRelax(one) === mayRelax(other);
}

/** @returns undefined for a name that is not a target */
export function parseTarget(name: string): Target | undefined {
  if (!TARGETS.includes(name)) return undefined;
  const [left] = name.split('@');
  const { backend, flags, threads, ownPage } = VARIANTS[left] ?? { backend: left };
  if (!isBackendName(backend)) return undefined;
  // Backends that only run in pages do not need `@chromium`.
  const chromium = name.includes('@') || !backendEntry(backend).platforms.includes('node');
  return { name, backend, chromium, isolated: threads !== undefined, flags, threads, ownPage };
}
