/** Constants shared by C++, CUDA and TypeScript code. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SCRIPT = new URL('../scripts/constants.mjs', import.meta.url).href;
const { FOLDERS, constantsOf } = (await import(SCRIPT)) as {
  FOLDERS: string[];
  constantsOf: (header: string) => string;
};

for (const folder of FOLDERS) {
  t.test(`${folder}/constants.ts is what constants.h says`, async (t) => {
    const read = (name: string) => readFileSync(join(ROOT, folder, name), 'utf8');
    t.equal(read('constants.ts'), constantsOf(read('constants.h')), 'run node scripts/constants.mjs');
  });
}

t.test('what a header may hold', async (t) => {
  const text = constantsOf(
    '/** About. */\n#pragma once\n\n/** Rows. */\nconstexpr int ROWS = 4;\nenum Kind { A, B };\n',
  );
  t.match(
    text,
    '/** Rows. */\nexport const ROWS = 4;\nexport const Kind = {\n  A: 0,\n  B: 1,\n} as const;\n',
  );
  for (const other of [
    'constexpr float HALF = 0.5f;',
    'constexpr int N = 2 * 3;',
    'enum Kind { A = 1 };',
    'int n;',
  ]) {
    t.throws(() => constantsOf(`#pragma once\n${other}\n`), { message: `expected a constant, got ${other}` });
  }
});
