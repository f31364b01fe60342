/**
 * Reference values for tests: `fixtures/` of this repository and, if present, the full set in `../shared/fixtures/`. A plain
 * reader for trusted files, independent of the one under test.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Fixture, parseFixture } from './fixture_format.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const folders = [join(root, 'fixtures'), join(root, '..', 'shared', 'fixtures')].filter((dir) =>
  existsSync(dir),
);

export { channelsLast, type Fixture, type FixtureTensor, type Values } from './fixture_format.js';

/** The path of a fixture file, or undefined if it is missing. */
export function fixturePath(file: string): string | undefined {
  return folders.map((dir) => join(dir, file)).find((path) => existsSync(path));
}

/** The names of the fixture files in a folder such as `grootv` that match a pattern, from all locations, sorted. */
export function fixtureFiles(folder: string, pattern: RegExp): string[] {
  const names = new Set<string>();
  for (const dir of folders) {
    const path = join(dir, folder);
    if (existsSync(path)) for (const name of readdirSync(path)) if (pattern.test(name)) names.add(name);
  }
  return [...names].sort().map((name) => `${folder}/${name}`);
}

/** The expected values of a model of `dense`: all, or the part that is in this repository. */
export function readDenseModel(name: string): Fixture {
  const [whole, part] = ['', '_short'].map((suffix) => `dense/${name}_expected${suffix}.safetensors`);
  return readFixture(fixturePath(whole) ? whole : part);
}

/** Reads a safetensors fixture. @throws if the file is missing */
export function readFixture(file: string): Fixture {
  const path = fixturePath(file);
  if (!path) throw new Error(`no fixture ${file} in ${folders.join(' or ')}`);
  return parseFixture(file, readFileSync(path));
}
