/** The projects of examples/: their manifests, and the listings of them in README.md and docs/. consumer/ runs them. */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { EXAMPLES } from './consumer/project.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, unknown>>;
}

const OWN: Manifest = JSON.parse(read('package.json'));

/** Documents whose listings are taken from examples. */
const DOCUMENTS = ['README.md', 'docs/family.md'];

/** Paragraphs, without indentation. */
function paragraphs(text: string): string[] {
  return text
    .split(/\n\s*\n/)
    .map((part) => part.trim().replace(/\n[ \t]+/g, '\n'))
    .filter((part) => part !== '');
}

/** Whether a listing consists of parts of a file, in order; an empty line marks an omission. */
function isOf(listing: string, source: string): boolean {
  let from = 0;
  for (const part of paragraphs(listing)) {
    const at = source.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return true;
}

/** The programs of all examples, by file. */
const SOURCES = new Map(
  readdirSync(join(ROOT, 'examples'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /(?<!\.test)\.[jt]s$/.test(file) && !file.includes('node_modules'))
    .map((file) => [file, paragraphs(read(join('examples', file))).join('\n\n')]),
);

for (const document of DOCUMENTS) {
  t.test(`${document}: its listings are parts of examples`, async (t) => {
    const listings = [...read(document).matchAll(/```[jt]s\n([\s\S]*?)```/g)].map(([, code]) => code);
    t.ok(listings.length >= 6);
    for (const listing of listings) {
      const file = [...SOURCES.keys()].find((file) => isOf(listing, SOURCES.get(file) as string));
      t.ok(file, `${listing.trim().split('\n').at(-1)}: of ${file ?? 'no example'}`);
    }
  });
}

t.test('a listing that has drifted is found', async (t) => {
  const source = 'one\ntwo\n\nthree\nfour';
  t.ok(isOf('  one\n    two\n\n  four\n', source));
  t.notOk(isOf('one\nfour', source), 'what is left out has no empty line');
  t.notOk(isOf('three\n\none', source), 'another order');
  t.notOk(isOf('one\n\nfive', source), 'another line');
});

for (const name of EXAMPLES) {
  t.test(`examples/${name} declares what it imports`, async (t) => {
    const { dependencies, devDependencies = {} }: Manifest = JSON.parse(
      read(join('examples', name, 'package.json')),
    );
    const { 'tfjs-grootvl': version, ...others } = dependencies;
    t.equal(version, `^${OWN.version}`);
    for (const [other, range] of Object.entries(others)) t.equal(range, OWN.peerDependencies[other], other);
    for (const [tool, range] of Object.entries(devDependencies)) {
      const major = OWN.devDependencies?.[tool]?.split('.')[0];
      t.equal(range, `^${major}.0.0`, tool);
    }
    const required = Object.keys(OWN.peerDependencies).filter((peer) => !(peer in OWN.peerDependenciesMeta));
    const files = readdirSync(join(ROOT, 'examples', name)).filter((file) => /\.[jt]s$/.test(extname(file)));
    const imported = files.flatMap((file) =>
      [...read(join('examples', name, file)).matchAll(/^import .*?'([^.'][^']*)';/gms)]
        .map(([, module]) => /^(@[^/]+\/)?[^/?]+/.exec(module)?.[0] as string)
        .filter((module) => !module.startsWith('node:')),
    );
    t.ok(imported.includes('tfjs-grootvl'));
    const missing = [...required, ...imported].filter((module) => !(module in dependencies));
    t.same(missing, [], 'dependencies');
  });
}

t.test('examples/README.md names every folder', async (t) => {
  const folders = readdirSync(join(ROOT, 'examples'), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  const text = read('examples/README.md');
  t.same(
    folders.map(({ name }) => name).filter((name) => !text.includes(`\`${name}/\``)),
    [],
  );
});
