/** The packed tarball in an empty project: its contents, the README in Node, and the README's page in Chromium. */
import { readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import t from 'tap';
import { chromiumMissing, launchChromium } from '../../conformance/runners/launch_chromium.js';
import { fixturePath } from '../fixtures.js';
import { maxDifference } from '../measure.js';
import { type Answer, servePages, visit } from './pages.js';
import { BIN, copy, install, pack, README, ROOT, run, snippet, write } from './project.js';

const DIGITS = join(ROOT, 'examples', 'digits');
const LARGEST_TARBALL = 5e6;

t.test('the tarball and what runs from it', async (t) => {
  const { tarball, size, files } = await pack(t);
  t.test('contents', async (t) => checkContents(t, files, size));

  const project = await install(t, tarball);
  if (!project) {
    t.pass('npm reaches no registry', { skip: 'npm reaches no registry and has not cached the packages' });
    return;
  }
  copy(fixturePath('grootv/grootv_nano_mnist.pth') as string, project, 'grootv_t.pth');
  copy(fixturePath('dense/upernet_tiny.pth') as string, project, 'upernet.pth');
  copy(fixturePath('dense/mask_rcnn_tiny.pth') as string, project, 'mask_rcnn.pth');
  const digits = readdirSync(DIGITS).filter((name) => name.endsWith('.png'));
  for (const name of digits) copy(join(DIGITS, name), project, `public/digits/${name}`);
  copy(join(DIGITS, digits[0]), project, 'public/digit.png');
  copy(join(DIGITS, digits[0]), project, 'cat.jpg'); // the README's name; what is in it counts
  copy(join(project, 'node_modules/@tensorflow/tfjs-backend-wasm/dist'), project, 'public/tfjs');

  await t.test('the README on the command line', async (t) => {
    const commands = snippet('From a checkpoint', '')
      .split('\n')
      .map((line) => line.replace(/ *#.*/, ''));
    for (const [i, command] of commands
      .filter((line) => /^npx tfjs-grootvl (inspect|convert|classify)/.test(line))
      .entries()) {
      const [, name, ...args] = command.split(' ');
      // npx takes as long as what it starts: once.
      const program = i === 0 ? ['npx', '--no', name] : [join(project, BIN, name)];
      const { status, stdout, stderr } = await run(project, program[0], ...program.slice(1), ...args);
      t.equal(status, 0, `${command}: ${stderr}`);
      t.ok(stdout.length > 0, `${command}: says something`);
    }
    copy(join(project, 'model'), project, 'public/model');
  });

  const paths = digits.map((name) => `public/digits/${name}`);
  const options = ['--json', '--top', '3'];
  const classify = await run(
    project,
    join(project, BIN, 'grootvl'),
    'classify',
    'model',
    ...paths,
    ...options,
  );
  const answers = (JSON.parse(classify.stdout) as { predictions: Answer[] }[]).map((row) => row.predictions);
  t.equal(answers.filter(([best], i) => best.label === /label-(\d)/.exec(digits[i])?.[1]).length, 14);
  const label = answers[0][0].label;

  await t.test('the README in Node', async (t) => {
    const node = (name: string, text: string) => {
      write(project, name, text);
      return run(project, process.execPath, name);
    };
    const model = await node(
      'model.mjs',
      `${snippet('In Node')}\nconst digits = await model.classify(${JSON.stringify(paths)}, { top: 3 });
      console.log(JSON.stringify({ predictions, digits }));`,
    );
    const found = JSON.parse(model.stdout || '{}');
    t.equal(found.predictions?.[0].label, label, `a model, as the command line sees it; ${model.stderr}`);
    sameAnswers(t, found.digits, answers, 'Node');
    t.notMatch(model.stderr, /tfjs-grootvl:|has no kernel/, 'no warning');
    const ops = await node(
      'ops.mjs',
      `import * as tf from '@tensorflow/tfjs-core'; import '@tensorflow/tfjs-backend-cpu';
      const [height, width] = [4, 5], features = tf.randomNormal([1, 20, 8]);
      const x = tf.randomNormal([1, 20, 3]), decay = tf.randomUniform([1, 20, 3]);
      ${snippet('In a page', 'js', 2)}\nconsole.log(JSON.stringify(y.shape));`,
    );
    t.equal(ops.stdout.trim(), '[1,20,3]', `ops; ${ops.stderr}`);
    const { status } = await run(
      project,
      join(project, BIN, 'grootvl'),
      'convert',
      'mask_rcnn.pth',
      'mask_rcnn',
    );
    t.equal(status, 0, 'a detector');
    const dense = await node(
      'dense.mjs',
      `import '@tensorflow/tfjs-backend-wasm'; import { setBackend } from '@tensorflow/tfjs-core';
      import { fileSystem } from 'tfjs-grootvl/node'; import { ready } from 'tfjs-grootvl/wasm';
      await setBackend('wasm'); await ready();
      const image = 'cat.jpg';
      ${snippet('In a page', 'js', 1).replace(/'\/(\w+)\/model\.json'/g, "fileSystem('$1')")}
      console.log(classMap.length, classes.length > 0, overlay.width > 0, Array.isArray(detections));`,
    );
    t.match(dense.stdout, /^\d+ true true true$/m, `a segmenter and a detector; ${dense.stderr}`);
    const converted = await node(
      'convert.mjs',
      `import '@tensorflow/tfjs-backend-cpu'; import 'tfjs-grootvl'; import { openAsBlob } from 'node:fs';
      const file = new File([await openAsBlob('grootv_t.pth')], 'grootv_t.pth');
      ${snippet('From a checkpoint')}\nconsole.log(model.inputs[0].name);`,
    );
    t.equal(converted.stdout.trim(), 'image', `a conversion; ${converted.stderr}`);
    await checkRequire(t, project);
  });

  await t.test('pages', { skip: chromiumMissing() ?? false }, async (t) => {
    const pages = await servePages(t, project, digits);
    const browser = await launchChromium();
    t.teardown(() => browser.close());
    for (const [name, url] of pages) {
      const { predictions, digits, error, warnings } = await visit(browser, url);
      t.equal(predictions?.[0].label, label, `${name}: ${error ?? ''} ${warnings.join('; ')}`);
      sameAnswers(t, digits, answers, name);
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
    t.ok(isOneLine(stderr), stderr);
    t.match(stderr, /npm install .*@tensorflow\/tfjs-/);
  });
});

function isOneLine(text: string): boolean {
  return /^[^\n]+\n$/.test(text);
}

/** The same classes in the same order, with the same probabilities. */
function sameAnswers(
  t: Pick<Test, 'same' | 'ok'>,
  actual: readonly (readonly Answer[])[] | undefined,
  expected: readonly (readonly Answer[])[],
  name: string,
): void {
  const labels = (rows = actual) => rows?.map((row) => row.map((answer) => answer.label));
  t.same(labels(), labels(expected), `${name}: the digits as on the command line`);
  const of = (rows = actual) => (rows ?? []).flatMap((row) => row.map(({ probability }) => probability));
  t.ok(maxDifference(of(), of(expected)) <= 1e-5, `${name}: probabilities`);
}

type Test = typeof t;

/** What is in the tarball, and what must not be. */
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
  t.ok(README.includes('npm install tfjs-grootvl'));
}

/** `require()` works where Node can require ES modules, or says in one line what to do; bundles as CommonJS run. */
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
    outfile: join(project, 'node_modules/@tensorflow/tfjs-backend-wasm/dist/bundle.cjs'), // beside tfjs's own .wasm files
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
