// Locates the reference checkpoints; a test can skip those that are missing.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function repositoryRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) || folder.includes('node_modules')) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('no package.json above this file');
    folder = parent;
  }
  return folder;
}

/** The path of a fixture (`grootv/grootv_tiny_module.pth`), or undefined if it does not exist. */
export function fixturePath(name: string): string | undefined {
  const root = repositoryRoot();
  return [join(root, 'fixtures', name), join(root, '..', 'shared', 'fixtures', name)].find((path) =>
    existsSync(path),
  );
}

/** The bytes of a fixture, or undefined if it does not exist. */
export function fixtureBytes(name: string): Uint8Array | undefined {
  const path = fixturePath(name);
  return path === undefined ? undefined : new Uint8Array(readFileSync(path));
}
