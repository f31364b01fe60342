/** What a user does: installs the tarball into an empty folder, and copies the README's snippets. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** Where npm puts the programs of packages. */
export const BIN = join('node_modules', '.bin');

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

/** The tarball that `npm publish` would send, of what is built. @returns its path and the files in it */
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
 * A folder with nothing but a package.json, into which npm has installed the tarball and what it asks for. Undefined,
 * with the reason as a comment, where npm reaches no registry and has not cached the packages.
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

export function write(folder: string, name: string, text: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

export function copy(from: string, folder: string, name: string): void {
  cpSync(from, join(folder, name), { recursive: true });
}

/** The README's first block of this language in the section with this heading. */
export function snippet(heading: string, language = 'js', index = 0): string {
  const section = README.split(/^## /m).find((section) => section.startsWith(`${heading}\n`));
  const blocks = [...(section ?? '').matchAll(/```(\w*)\n([\s\S]*?)```/g)].filter(
    ([, name]) => name === language,
  );
  if (!blocks[index]) throw new Error(`README: no ${language} block ${index} below "## ${heading}"`);
  return blocks[index][2];
}

/** A snippet whose statements run in a function: bundles that are no modules have no `await` at their top. */
export function asFunction(
  snippet: string,
  before: string,
  after: string,
  use: (call: string) => string,
): string {
  const imports = [...snippet.matchAll(/^import [^;]*;/gm)].map(([text]) => text).join('\n');
  const rest = snippet.replace(/^import [^;]*;.*$/gm, '');
  return `${imports}\n${use(`(async () => {\n${before}\n${rest}\n${after}\n})()`)}`;
}
