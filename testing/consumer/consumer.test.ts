/** The packed tarball in an empty project: its contents, README's commands, and the projects of examples/. */
import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import t from 'tap';
import { chromiumMissing, launchChromium } from '../../conformance/runners/launch_chromium.js';
import { fixturePath } from '../fixtures.js';
import { maxDifference } from '../measure.js';
import { servePages, visit } from './pages.js';
import { addExamples, BIN, commandsOf, copy, install, pack, ROOT, run, write } from './project.js';

const DIGITS = join(ROOT, 'examples', 'digits');
const LARGEST_TARBALL = 5e6;

/** An entry of `grootvl classify --json`. */
interface Row {
  readonly file: string;
  readonly predictions: readonly { readonly label: string; readonly probability: number }[];
}

/** The digits of examples/scenes/scene.png. */
const SCENE = [0, 1, 2, 3];

/** The output of examples/node/regions.js. */
const REGIONS = [
  [16, 16, 4, 4, 16, 16],
  [16, 16, 4, 4, 16, 16],
  [16, 16, 16, 16, 16, 16],
  [16, 3, 3, 3, 16, 1],
].flat();

/** For percentages: half of the last printed decimal, and the difference between environments. */
const TOLERANCE = 0.005 + 0.001;

t.test('the tarball and what runs from it', async (t) => {
  const { tarball, size, files } = await pack(t);
  t.test('contents', async (t) => checkContents(t, files, size));

  const project = await install(t, tarball);
  if (!project) {
    t.pass('npm reaches no registry', { skip: 'npm reaches no registry and has not cached the packages' });
    return;
  }
  addExamples(project);
  // The name in README; only the content of the file matters.
  copy(fixturePath('grootv/grootv_nano_mnist.pth') as string, project, 'grootv_t.pth');
  copy(join(ROOT, 'examples/models/upernet_nano.safetensors'), project, 'upernet.pth');
  copy(join(ROOT, 'examples/models/mask_rcnn_nano.safetensors'), project, 'mask_rcnn.pth');
  const digits = readdirSync(DIGITS)
    .filter((name) => name.endsWith('.png'))
    .map((name) => join(DIGITS, name));
  copy(digits[0], project, 'cat.jpg');
  for (const digit of digits) copy(digit, join(project, 'images'), basename(digit));
  copy(join(ROOT, 'examples/scenes/scene.png'), project, 'street.jpg');

  let rows: Row[] = [];
  await t.test('README on the command line', async (t) => {
    const commands = commandsOf('README.md').filter((line) =>
      /^npx tfjs-grootvl (inspect|convert|classify) (?!mamba)/.test(line),
    );
    t.equal(commands.length, 6);
    for (const [i, command] of commands.entries()) {
      const [, name, ...args] = command.split(' ');
      const isForCat = args.includes('cat.jpg');
      if (isForCat) args.push(...digits, '--top', '3', '--backend', 'wasm', '--json');
      // npx takes as long as what it starts: used once.
      const program = i === 0 ? ['npx', '--no', name] : [join(project, BIN, name)];
      const { status, stdout, stderr } = await run(project, program[0], ...program.slice(1), ...args);
      t.equal(status, 0, `${command}: ${stderr}`);
      t.ok(stdout.length > 0, `${command}: says something`);
      if (isForCat) rows = JSON.parse(stdout).slice(1); // after the cat
    }
    const table = readFileSync(join(project, 'classes.csv'), 'utf8').trim().split('\n');
    t.equal(table.length, 1 + digits.length, 'a row for each image');
    t.equal(rows.filter(({ file, predictions: [best] }) => file.includes(`label-${best.label}`)).length, 14);
  });

  await t.test('examples/node', async (t) => {
    const folder = join(project, 'node');
    for (const name of ['model', 'upernet', 'mask_rcnn']) copy(join(project, name), folder, name);
    const node = (...args: string[]) => run(folder, process.execPath, ...args);

    const { stdout, stderr } = await node('classify.js', ...digits);
    sameAnswers(t, stdout, rows, 'classify.js');
    t.notMatch(stderr, /tfjs-grootvl:|has no kernel/, 'no warning');

    const cuda = await node('cuda.js', digits[0]);
    if (cuda.status === 0) sameAnswers(t, cuda.stdout, rows.slice(0, 1), 'cuda.js');
    else t.match(cuda.stderr, /CudaUnavailableError: cuda: .+; .+/, 'cuda.js says what is missing');

    // The weights on disk are float16, so the probabilities differ.
    const converted = await node('convert.js', '../grootv_t.pth', digits[0]);
    const best = `${digits[0]}: ${rows[0].predictions[0].label} `;
    t.ok(converted.stdout.startsWith(best), `convert.js: ${converted.stdout}${converted.stderr}`);

    const dense = await node('segment_and_detect.js', '../street.jpg');
    t.match(dense.stdout, /^16384 pixels\nbackground: 9\d\.\d\d %\n/, `a segmenter; ${dense.stderr}`);
    const found = [...dense.stdout.matchAll(/^(\d) [\d.]+ % at .+, an outline of \d+ numbers$/gm)];
    const missed = SCENE.filter((digit) => !found.some(([, label]) => Number(label) === digit));
    t.same(missed, [], `a detector: ${dense.stdout}`);

    const regions = await node('regions.js');
    t.same(regions.stdout.match(/\d+/g)?.map(Number), REGIONS, `regions.js; ${regions.stderr}`);
  });

  await t.test('examples/finetune-node', async (t) => checkFineTuning(t, project, digits));
  await t.test('require()', async (t) => checkRequire(t, project));

  await t.test('pages', { skip: chromiumMissing() ?? false }, async (t) => {
    const pages = await servePages(t, project, join(project, 'model'));
    const browser = await launchChromium();
    t.teardown(() => browser.close());
    for (const [name, url] of pages) {
      const { text, refusal, warnings } = await visit(browser, url, digits);
      sameAnswers(t, text, rows, name);
      t.match(refusal, /cannot read image "notes\.txt"/, `${name}: no image`);
      t.notOk(
        warnings.find((text) => text.includes('tfjs-grootvl')),
        `${name}: no warning`,
      );
    }
  });

  await t.test('without the peers', async (t) => {
    renameSync(join(project, 'node_modules/@tensorflow'), join(project, 'peers'));
    const main = 'node_modules/tfjs-grootvl/dist/node/cli/main.js';
    const help = await run(project, process.execPath, main, '--help');
    t.match(help.stdout, /Usage/, `--help imports no tfjs; ${help.stderr}`);
    const { status, stderr } = await run(project, process.execPath, main, 'classify', 'model', 'cat.jpg');
    t.equal(status, 1);
    t.match(stderr, /^[^\n]+\n$/, 'one line');
    t.match(stderr, /npm install .*@tensorflow\/tfjs-/);
  });
});

/**
 * Checks for the same images, classes and probabilities, in the same order.
 * @param printed a line per image: `<file>: <label> <percent> %, <label> <percent> %...`
 */
function sameAnswers(
  t: Pick<Test, 'same' | 'ok'>,
  printed: string,
  expected: readonly Row[],
  name: string,
): void {
  const isSame = t.same(
    printed
      .trim()
      .replace(/ [\d.]+ %/g, '')
      .split('\n')
      .map((line) => basename(line)),
    expected.map(
      ({ file, predictions }) => `${basename(file)}: ${predictions.map(({ label }) => label).join(', ')}`,
    ),
    `${name}: the classes as on the command line`,
  );
  if (!isSame) return;
  const percents = [...printed.matchAll(/ ([\d.]+) %/g)].map(([, text]) => Number(text));
  const exact = expected.flatMap(({ predictions }) =>
    predictions.map(({ probability }) => 100 * probability),
  );
  t.ok(maxDifference(percents, exact) <= TOLERANCE, `${name}: the probabilities`);
}

/** Trains a model to distinguish even and odd digits; its types are those that a user's TypeScript sees. */
async function checkFineTuning(
  t: Pick<Test, 'ok' | 'equal' | 'same'>,
  project: string,
  digits: readonly string[],
): Promise<void> {
  const folder = join(project, 'finetune-node');
  copy(join(project, 'model'), folder, 'model');
  for (const file of digits) {
    const name = Number(/label-(\d)/.exec(file)?.[1]) % 2 === 0 ? 'even' : 'odd';
    for (const part of ['train', 'val']) copy(file, folder, `images/${part}/${name}/${basename(file)}`);
  }
  const steps = 12;
  const [types, trained] = await Promise.all([
    run(folder, process.execPath, join('node_modules', 'typescript', 'bin', 'tsc')),
    run(folder, process.execPath, '--import=tsx', 'finetune.ts', 'images', 'run', String(steps)),
  ]);
  t.equal(types.status, 0, `types: ${types.stdout}${types.stderr}`);
  const losses = [...trained.stdout.matchAll(/^step \d+: loss ([\d.]+)$/gm)].map(([, loss]) => Number(loss));
  t.equal(losses.length, steps, `a loss a step; ${trained.stderr}`);
  const mean = (part: readonly number[]) => part.reduce((sum, loss) => sum + loss, 0) / part.length;
  t.ok(mean(losses.slice(-5)) < 0.8 * mean(losses.slice(0, 5)), `the loss falls: ${losses}`);
  const options = ['classify', 'run/model', ...digits, '--json', '--top', '1'];
  const classified = await run(folder, join(folder, BIN, 'grootvl'), ...options);
  const rows = JSON.parse(classified.stdout) as Row[];
  const right = rows.filter(({ file, predictions: [{ label }] }) =>
    existsSync(join(folder, 'images', 'val', label, basename(file))),
  ).length;
  t.ok(right >= 12, `${right} of 16 are right`);
  t.ok(trained.stdout.includes(`held out: ${((100 * right) / 16).toFixed(1)} % right`), trained.stdout);
  t.ok(existsSync(join(folder, 'run', 'model.safetensors')));
}

type Test = typeof t;

/** Checks what is in the tarball, and what must not be. */
function checkContents(t: Pick<Test, 'ok' | 'same' | 'notOk'>, files: readonly string[], size: number): void {
  t.ok(size < LARGEST_TARBALL, `${size} bytes`);
  const strays = files.filter((file) =>
    /^fixtures|\/testing\/|\.test\.|mutations|\.map$|emulated|races/.test(file),
  );
  t.same(strays, [], 'no tests, no fixtures');
  const scripts = files.filter((file) => /\.(c?js|d\.c?ts)$/.test(file));
  t.same(
    scripts.filter((file) => readFileSync(join(ROOT, file), 'utf8').includes('sourceMappingURL=')),
    [],
    'no links to source maps',
  );
  const missing = files
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) => {
      const links = [...readFileSync(join(ROOT, file), 'utf8').matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(
        ([, to]) => to,
      );
      return links
        .filter((to) => !/^https?:/.test(to) && !files.includes(join(file, '..', to)))
        .map((to) => `${file}: ${to}`);
    });
  t.same(missing, [], 'what Markdown files link to is there');
}

/**
 * `require()` works in Node versions that can require ES modules, and otherwise says in one line what to do; bundles as CommonJS
 * run.
 */
async function checkRequire(t: Pick<Test, 'ok' | 'equal' | 'match'>, project: string): Promise<void> {
  write(project, 'require.cjs', "console.log(typeof require('tfjs-grootvl').treeScan);");
  const { stdout, stderr } = await run(project, process.execPath, 'require.cjs');
  if (stdout) t.equal(stdout.trim(), 'function', 'require()');
  else t.match(stderr, /tfjs-grootvl is an ES module: require\(\) of it needs Node/, 'require()');
  const thrower = join(project, 'node_modules/tfjs-grootvl/dist/plugin/require.cjs');
  const refused = await run(project, process.execPath, thrower);
  t.match(refused.stderr, /needs Node 20\.19, 22\.12 or later .*await import\('tfjs-grootvl'\)/);

  write(
    project,
    'bundle.mjs',
    `import * as tf from '@tensorflow/tfjs-core'; import '@tensorflow/tfjs-backend-wasm';
    import { gelu } from 'tfjs-grootvl'; import { ready } from 'tfjs-grootvl/wasm';
    (async () => { await tf.setBackend('wasm'); await ready(); console.log(gelu(tf.tensor1d([1])).dataSync()[0].toFixed(3)); })();`,
  );
  await build({
    entryPoints: [join(project, 'bundle.mjs')],
    outfile: join(project, 'node_modules/@tensorflow/tfjs-backend-wasm/dist/bundle.cjs'), // in the folder of tfjs's .wasm files
    bundle: true,
    format: 'cjs',
    platform: 'node',
    logLevel: 'silent',
  });
  const bundled = await run(
    project,
    process.execPath,
    'node_modules/@tensorflow/tfjs-backend-wasm/dist/bundle.cjs',
  );
  t.equal(bundled.stdout.trim(), '0.841', `a CommonJS bundle; ${bundled.stderr}`);
}
