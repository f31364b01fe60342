/** Prints the size of the code that a visitor loads after each build, which fails if it is too large. Models are not counted. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

const LIMIT = 1e6;

/** What is loaded on demand, by the modules that are imported then. */
const LATER: Readonly<Record<string, RegExp>> = {
  'backend cpu': /tfjs-backend-cpu/,
  'backend webgl': /tfjs-backend-webgl|gpu\/webgl/,
  'backend webgpu': /tfjs-backend-webgpu|gpu\/webgpu/,
  'conformance suite': /engine\/suite/,
  'language models': /tokenizers/,
};

/** Loaded by an isolated page instead of the build without threads. */
const THREADED = /threaded-simd.*\.wasm$/;

interface Chunk {
  readonly imports: readonly string[];
  /** Imported on demand. */
  readonly later: readonly string[];
  /** The module that it was built from. */
  readonly source: string;
  readonly isEntry: boolean;
}

const chunks = new Map<string, Chunk>();

/** Records the chunks of the page and of its worker, which are separate builds. */
export const noteChunks: Plugin = {
  name: 'note-chunks',
  apply: 'build',
  generateBundle(_, bundle) {
    for (const [name, output] of Object.entries(bundle)) {
      if (output.type === 'chunk') {
        const { imports, dynamicImports: later, isEntry, facadeModuleId } = output;
        chunks.set(name, { imports, later, isEntry, source: facadeModuleId ?? '' });
      } else if (/\.(css|wasm)$/.test(name)) {
        chunks.set(name, { imports: [], later: [], isEntry: true, source: name });
      }
    }
  },
};

/** Prints the sizes. @throws {Error} if the total size of the code exceeds the limit */
export const reportSizes: Plugin = {
  name: 'report-sizes',
  apply: 'build',
  enforce: 'post',
  writeBundle({ dir = '' }) {
    const sizes = new Map(
      [...chunks.keys()]
        .filter((name) => existsSync(join(dir, name)))
        .map((name) => [name, gzipSync(readFileSync(join(dir, name)), { level: 9 }).length]),
    );
    const sizeOf = (names: readonly string[]) => names.reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
    const [threaded, others] = [true, false].map((is) =>
      [...sizes.keys()].filter((name) => THREADED.test(name) === is),
    );
    const total = sizeOf(others);
    const rows = [
      ...groups(others),
      ['all of this', others],
      ['threads, in place of one build of wasm', threaded],
    ] as const;
    const lines = rows.map(
      ([title, names]) => `  ${title.padEnd(40)} ${(sizeOf(names) / 1000).toFixed(0).padStart(5)} kB`,
    );
    console.log(`\ngzipped JavaScript, CSS and WebAssembly, without models\n${lines.join('\n')}\n`);
    if (total > LIMIT)
      throw new Error(`the code of the page is ${total} bytes gzipped, expected at most ${LIMIT}`);
  },
};

/** Each file once: with the initial load, or with the first feature that needs it. */
function groups(names: readonly string[]): [title: string, names: readonly string[]][] {
  const counted = new Set<string>();
  const take = (starts: readonly string[]) => {
    const taken: string[] = [];
    const follow = (name: string) => {
      if (counted.has(name)) return;
      counted.add(name);
      taken.push(name);
      chunks.get(name)?.imports.forEach(follow);
    };
    starts.forEach(follow);
    return taken;
  };
  const isLater = (name: string) =>
    Object.values(LATER).some((pattern) => pattern.test(chunks.get(name)?.source ?? ''));
  const first: string[] = [];
  const reach = (name: string) => {
    if (first.includes(name) || isLater(name)) return;
    first.push(name);
    const { imports = [], later = [] } = chunks.get(name) ?? {};
    [...imports, ...later].forEach(reach);
  };
  names.filter((name) => chunks.get(name)?.isEntry).forEach(reach);
  return [
    ['first load: the page, its worker, wasm', take(first)],
    ...Object.entries(LATER).map(([title, pattern]): [string, string[]] => [
      title,
      take(names.filter((name) => pattern.test(chunks.get(name)?.source ?? ''))),
    ]),
    ['other', take(names)],
  ];
}
