/**
 * Reference numbers for tests: `fixtures/` of this repository, and beside it, where it is present, the full set in
 * `../shared/fixtures/`. The reader is a plain one for files we trust, independent of the one under test.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folders = [join(root, 'fixtures'), join(root, '..', 'shared', 'fixtures')].filter((dir) =>
  existsSync(dir),
);

export type Values = Float32Array | Float64Array | Int32Array | Uint8Array;

export interface FixtureTensor {
  readonly shape: number[];
  readonly values: Values;
}

export interface Fixture {
  readonly name: string;
  readonly metadata: Record<string, string>;
  /** @throws when there is no tensor of this name */
  tensor(name: string): FixtureTensor;
  has(name: string): boolean;
  names(): string[];
}

/** The path of a fixture file, or undefined where it is not present. */
export function fixturePath(file: string): string | undefined {
  return folders.map((dir) => join(dir, file)).find((path) => existsSync(path));
}

/** The names of the fixture files in a folder such as `grootv` that match a pattern, from all places, sorted. */
export function fixtureFiles(folder: string, pattern: RegExp): string[] {
  const names = new Set<string>();
  for (const dir of folders) {
    const path = join(dir, folder);
    if (existsSync(path)) for (const name of readdirSync(path)) if (pattern.test(name)) names.add(name);
  }
  return [...names].sort().map((name) => `${folder}/${name}`);
}

/** Reads a safetensors fixture. @throws when the file is not there */
export function readFixture(file: string): Fixture {
  const path = fixturePath(file);
  if (!path) throw new Error(`no fixture ${file} in ${folders.join(' or ')}`);
  const bytes = readFileSync(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerLength).toString('utf8'));
  const metadata = header.__metadata__ ?? {};
  delete header.__metadata__;
  const arrays = { F32: Float32Array, F64: Float64Array, I32: Int32Array, U8: Uint8Array };
  return {
    name: file,
    metadata,
    has: (name) => name in header,
    names: () => Object.keys(header),
    tensor: (name) => {
      if (!(name in header)) throw new Error(`${file} has no tensor ${name}`);
      const { dtype, shape, data_offsets } = header[name];
      const [from, to] = data_offsets.map((offset: number) => offset + 8 + headerLength);
      const buffer = Uint8Array.from(bytes.subarray(from, to)).buffer;
      return { shape, values: new arrays[dtype as keyof typeof arrays](buffer) };
    },
  };
}

/** [B, D, V] -> [B, V, D], the layout of the op fixtures and that of the ops. */
export function channelsLast({ shape, values }: FixtureTensor): FixtureTensor {
  const [batch, channels, vertices] = shape;
  const moved = new Float32Array(values.length);
  for (let b = 0; b < batch; b++) {
    for (let d = 0; d < channels; d++) {
      for (let v = 0; v < vertices; v++) {
        moved[(b * vertices + v) * channels + d] = values[(b * channels + d) * vertices + v];
      }
    }
  }
  return { shape: [batch, vertices, channels], values: moved };
}
