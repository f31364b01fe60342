/** Lints the container files. No image is built here. */
import { readFile } from 'node:fs/promises';
import { DCLinter } from 'dclint';
import { validate } from 'dockerfile-utils';
import t from 'tap';

const DOCKERFILE = 'container/Dockerfile';

interface Finding {
  readonly line: number;
  readonly rule: string;
  readonly message: string;
}

t.test('the Dockerfile has no fault', async (t) => {
  t.same(validate(await readFile(DOCKERFILE, 'utf8')), []);
  t.not(validate('FRM node').length, 0);
});

t.test('the compose file has no fault', async (t) => {
  const linter = new DCLinter({ rules: {}, quiet: true, debug: false, exclude: [] });
  const [{ messages }]: readonly { messages: readonly Finding[] }[] = linter.lintFiles(
    ['container/compose.yaml'],
    false,
  );
  t.same(
    messages.map(({ line, rule, message }) => `${line} ${rule}: ${message}`),
    [],
  );
});

t.test('the image has the versions that are tested', async (t) => {
  const { devDependencies } = JSON.parse(await readFile('package.json', 'utf8'));
  const named = [...(await readFile(DOCKERFILE, 'utf8')).matchAll(/^ +(@?[\w/-]+)@([\d.]+) /gm)];
  t.equal(named.length, 6);
  for (const [, name, pinned] of named) t.equal(pinned, devDependencies[name], name);
});
