/** The names by which backends are asked for. Imports nothing, so that a command line can offer them at no cost. */

export const STANDARD_BACKENDS = ['cpu', 'wasm', 'webgl', 'cuda'] as const;
export type StandardBackend = (typeof STANDARD_BACKENDS)[number];

/** Where a backend runs: `wasm` in Node, `wasm@chromium` in a page, `wasm-threads@chromium` in an isolated one. */
export interface Place {
  /** As given, and as it appears in reports. */
  readonly name: string;
  readonly backend: StandardBackend;
  readonly chromium: boolean;
  /** Cross-origin isolated: pages have threads only then. */
  readonly isolated: boolean;
}

/** Every name that {@link parsePlace} takes. */
export const PLACES = [
  ...STANDARD_BACKENDS,
  'cpu@chromium',
  'wasm@chromium',
  'wasm-threads@chromium',
  'webgl@chromium',
] as const;

/** Run by default: every backend. What is not there is skipped, and the report says why. */
export const DEFAULT_PLACES = STANDARD_BACKENDS;

/** @returns undefined for a name that is no place. */
export function parsePlace(name: string): Place | undefined {
  if (!(PLACES as readonly string[]).includes(name)) return undefined;
  const [left] = name.split('@');
  const backend = left.replace(/-threads$/, '');
  if (!isStandardBackend(backend)) return undefined;
  // WebGL is there in pages only.
  const chromium = name.includes('@') || backend === 'webgl';
  return { name, backend, chromium, isolated: left.endsWith('-threads') };
}

function isStandardBackend(name: string): name is StandardBackend {
  return (STANDARD_BACKENDS as readonly string[]).includes(name);
}
