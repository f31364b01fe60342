/** The names by which backends are asked for. Imports no backend, so that a command line can offer them at no cost. */
import {
  BACKEND_NAMES,
  BACKENDS,
  type BackendName,
  backendEntry,
  isBackendName,
} from '../../plugin/backends.js';

/** Where a backend runs: `wasm` in Node, `wasm@chromium` in a page, `wasm-2threads@chromium` in an isolated one. */
export interface Target {
  /** As given, and as it appears in reports. */
  readonly name: string;
  readonly backend: BackendName;
  readonly chromium: boolean;
  /** Cross-origin isolated: pages have threads only then. */
  readonly isolated: boolean;
  /** Flags of tfjs that are set while it runs. */
  readonly flags?: Readonly<Record<string, number>>;
  /** Threads of the kernels of `wasm`. */
  readonly threads?: number | 'auto';
  /** A page of its own: what is chosen when a backend starts is chosen anew. */
  readonly ownPage?: true;
}

/** Work of small cases is split as well. */
const SMALL_PARTS = { GROOTVL_WASM_PART_NANOSECONDS: 1 };

const RELAXED_FLAG = 'GROOTVL_WASM_RELAXED_SIMD';

/** Backends as they are on a smaller device, and with threads, by the names of targets. */
const VARIANTS: Readonly<Record<string, Pick<Target, 'backend' | 'flags' | 'threads' | 'ownPage'>>> = {
  'webgpu-32lanes': { backend: 'webgpu', flags: { GROOTVL_WEBGPU_LANES: 32 } },
  'webgpu-64lanes': { backend: 'webgpu', flags: { GROOTVL_WEBGPU_LANES: 64 } },
  'webgpu-16kb': { backend: 'webgpu', flags: { GROOTVL_WEBGPU_WORKGROUP_BYTES: 16384 } },
  'wasm-baseline': { backend: 'wasm', flags: { [RELAXED_FLAG]: 0 }, ownPage: true },
  'wasm-threads': { backend: 'wasm', threads: 'auto' },
  'wasm-1thread': { backend: 'wasm', threads: 1, flags: SMALL_PARTS },
  'wasm-2threads': { backend: 'wasm', threads: 2, flags: SMALL_PARTS },
};

/** Every name that {@link parseTarget} takes. */
export const TARGETS: readonly string[] = [
  ...BACKEND_NAMES,
  ...BACKENDS.flatMap(({ name, platforms }) =>
    (platforms as readonly string[]).includes('page') ? [`${name}@chromium`] : [],
  ),
  ...Object.entries(VARIANTS).flatMap(([name, { threads, ownPage }]) => [
    ...(threads || ownPage ? [] : [name]), // of pages alone
    `${name}@chromium`,
  ]),
];

/** Run by default: every backend. What is not there is skipped, and the report says why. */
export const DEFAULT_TARGETS: readonly string[] = BACKEND_NAMES;

/**
 * Whether two targets must give the same bits: threads do not change those of `wasm` in one engine, and relaxed SIMD changes those
 * of products of float32 alone.
 */
export function haveSameBits(one: Target, other: Target, hasProducts: boolean): boolean {
  if (one.backend !== 'wasm' || other.backend !== 'wasm' || one.chromium !== other.chromium) return false;
  const mayRelax = ({ flags }: Target) => flags?.[RELAXED_FLAG] !== 0;
  return !hasProducts || mayRelax(one) === mayRelax(other);
}

/** @returns undefined for a name that is no target. */
export function parseTarget(name: string): Target | undefined {
  if (!TARGETS.includes(name)) return undefined;
  const [left] = name.split('@');
  const { backend, flags, threads, ownPage } = VARIANTS[left] ?? { backend: left };
  if (!isBackendName(backend)) return undefined;
  // What runs in pages only needs no `@chromium`.
  const chromium = name.includes('@') || !backendEntry(backend).platforms.includes('node');
  return { name, backend, chromium, isolated: threads !== undefined, flags, threads, ownPage };
}
