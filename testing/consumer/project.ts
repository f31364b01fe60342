/** The steps of a user: installs the tarball in an empty folder, and copies the projects of examples/ to it. */
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Where npm installs the programs of packages. */
export const BIN = join('node_modules', '.bin');

/** Folders of examples/ that are separate projects. */
export const EXAMPLES = readdirSync(join(ROOT, 'examples')).filter((name) =>
  existsSync(join(ROOT, 'examples', name, 'package.json')),
);

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function run(folder: string, command: string, ...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const env = { ...process.env, NODE_OPTIONS: '', npm_config_update_notifier: 'false' };
    execFile(command, args, { cwd: folder, env, maxBuffer: 1e8 }, (error, stdout, stderr) => {
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

/** Packs the build as `npm publish` would. @returns the path of the tarball and its files */
export async function pack(t: Test): Promise<{ tarball: string; size: number; files: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'grootvl-pack-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { stdout } = await run(
    ROOT,
    'npm',
    ...['pack', '--json', '--ignore-scripts', '--pack-destination', folder],
  );
  const [{ filename, size, files }] = Object.values(JSON.parse(stdout)) as [
    { filename: string; size: number; files: { path: string }[] },
  ];
  return { tarball: join(folder, filename), size, files: files.map(({ path }) => path) };
}

/**
 * A folder with only a package.json, in which npm has installed the tarball and its dependencies. Undefined, with the reason as a
 * comment, if npm reaches no registry and has not cached the packages.
 */
export async function install(t: Test, tarball: string): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'grootvl-consumer-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  write(folder, 'package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', '--fetch-retries=0'];
  const { status, stderr } = await run(folder, 'npm', 'install', ...flags, tarball);
  if (status === 0) return folder;
  if (!/ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|ENOTCACHED|network/i.test(stderr)) throw new Error(stderr);
  t.comment(stderr);
  return undefined;
}

/** Tools that the examples use: linked, as they find their dependencies in this checkout. */
const LINKED = ['tsx', 'typescript', '@types/node', 'string_decoder'];
/** `@tensorflow/tfjs` and those of its dependencies that are not installed yet: copied, so that all use the same tfjs-core. */
const COPIED = ['tfjs', 'tfjs-layers', 'tfjs-data', 'tfjs-backend-webgl'].map(
  (name) => `@tensorflow/${name}`,
);

/**
 * Copies the examples to the project. They share its node_modules, to which packages of this checkout are added: npm would take
 * as long to install them as for everything else.
 */
export function addExamples(project: string): void {
  const modules = join(project, 'node_modules');
  for (const name of LINKED) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  const isUsed = (file: string) => !/\.[a-z]+$/.test(file) || /\.(node\.js|d\.ts|json)$/.test(file);
  for (const name of COPIED) {
    cpSync(join(ROOT, 'node_modules', name), join(modules, name), { recursive: true, filter: isUsed });
  }
  for (const name of EXAMPLES) {
    const isSource = (file: string) => basename(file) !== 'node_modules';
    cpSync(join(ROOT, 'examples', name), join(project, name), { recursive: true, filter: isSource });
    symlinkSync('../node_modules', join(project, name, 'node_modules'));
  }
}

export function write(folder: string, name: string, text: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

export function copy(from: string, folder: string, name: string): void {
  cpSync(from, join(folder, name), { recursive: true });
}

/** The commands for `npx tfjs-grootvl` in a Markdown file, without comments. */
export function commandsOf(file: string): string[] {
  return [...readFileSync(join(ROOT, file), 'utf8').matchAll(/^npx tfjs-grootvl [^#\n]*/gm)].map(([line]) =>
    line.trim(),
  );
}
