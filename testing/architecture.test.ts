/** Dependencies between folders: the rules of .dependency-cruiser.mjs, and that they detect violations. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise, type ICruiseOptions, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';
import t from 'tap';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CONFIGURATION = new URL('../.dependency-cruiser.mjs', import.meta.url).href;
const { forbidden, options } = (await import(CONFIGURATION)).default as {
  forbidden: IForbiddenRuleType[];
  options: ICruiseOptions;
};
const FOLDERS = ['plugin', 'wasm', 'gpu', 'converters', 'conformance', 'bench', 'node', 'examples'];

async function violations(folders: string[], root = ROOT): Promise<string[]> {
  const { output } = await cruise(
    folders,
    { ...options, ruleSet: { forbidden }, validate: true, baseDir: root },
    options.enhancedResolveOptions,
  );
  const { summary } = output as ICruiseResult;
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} imports ${to}`);
}

t.test('no circles, and arrows point one way', async (t) => t.same(await violations(FOLDERS), []));

t.test('what breaks a rule is found', async (t) => {
  const folder = t.testdir();
  const files = {
    'plugin/ops/a.ts':
      "import { b } from './b.ts'; import { k } from '../../wasm/k.ts'; export const a = [b, k];",
    'plugin/ops/b.ts': "import { a } from './a.ts'; export const b = a;",
    'wasm/k.ts':
      "import { readFileSync } from 'node:fs'; import 'typescript'; import { t } from './k.test.ts'; export const k = [readFileSync, t];",
    'wasm/k.test.ts': 'export const t = 1;',
    'gpu/cuda/backend/b.ts': "import { s } from '../scan.ts'; export const b = s;",
    'gpu/cuda/scan.ts': 'export const s = 1;',
    'examples/e.ts': "import { k } from '../wasm/k.ts'; export const e = k;",
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const found = (await violations(['plugin', 'wasm', 'gpu', 'examples'], folder)).map(
    (text) => text.split(':')[0],
  );
  for (const name of [
    'no-circles',
    'no-tests',
    'ops-know-no-backend',
    'nothing-of-node-in-pages',
    'cuda-backend-is-general',
    'only-what-is-declared',
    'examples-use-entries',
  ]) {
    t.ok(found.includes(name), name);
  }
  rmSync(folder, { recursive: true });
});
