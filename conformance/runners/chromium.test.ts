import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Sampling } from '../case.js';
import { DEFAULT_SEED, memorySource, terminalReport } from '../index.js';
import { directorySource, parseTarget, runOnTargets, type Target } from '../node.js';

const targets = (...names: string[]) => names.map((name) => parseTarget(name) as Target);

const isLong = process.env.GROOTVL_LONG === '1';

/**
 * Models similar to others that are run: a software renderer takes minutes for them. `grootvl conformance --backends webgl` runs
 * all, as it does the cases that SAMPLING leaves out. It also runs box_levelset_i3, which is wrong with shapes as uniforms
 * (`fewerShaders`): tfjs then reuses its shader that packs one-channel maps for textures of another size.
 */
const LEFT_OUT = /grootv_nano_mnist|training\/|grootv_tiny_(bf16|fp16|module)|upernet_tiny|box_levelset_i3/;

/**
 * Cases that take long on a software renderer and are covered by others. Gradients other than those of scans are composed of
 * tfjs's ops, the same on every backend, and so are values at parents; each compiles tens of shaders. A model continues, scores
 * and decodes only one or two texts: the host code is the same as on other backends, and so is that of perplexities, which are
 * sums of such scores. A detector and UIS-Mamba run on their smaller images: kernels of other shapes are covered by ops. The
 * detector and an eye tracker find their own trees by the ops of GrootV, whose own trees are run. Of models with 8-bit weights,
 * whose products are composed of tfjs's ops as well, the GG-SSM ones have the layers of GrootV.
 */
const SAMPLING: Sampling = [
  ['^(?!TreeScan ).* gradient: generated', 2],
  ['^(ParentVertices|AtParent): generated', 2],
  ['mixer gradient', 1],
  ['^treeEnergyLoss.*_(low_only|nothing_unlabeled)$', 0],
  ['^(treeFilter|learnableTreeFilter|levelSetLoss|localAffinityFilter)( gradient)?:', 1],
  ['^(GrootL|Mamba) greedy text: [0-35-9]', 0],
  ['^(GrootL|Mamba) decoding: .*P = (?!1$|22$)', 0],
  ['^GrootL scores: 11 ', 0],
  [' perplexity: ', 0],
  ['^Mamba scores', 0],
  ['^UIS-Mamba.*_hsw_.*128x128', 0],
  ['^Mask R-CNN, (?!trees pinned: .*x126\\.small$)', 0],
  ['^GG-SSM eye tracker, own trees: gg_ssm_eye_lpw', 0],
  [', int8: gg_ssm', 0],
];

t.test('the default cases in Chromium, where there is one', async (t) => {
  const all = directorySource(fileURLToPath(new URL('../../fixtures', import.meta.url)));
  const source = { ...all, list: async () => (await all.list()).filter((path) => !LEFT_OUT.test(path)) };
  const report = await runOnTargets({
    targets: targets('webgl'),
    source,
    seed: DEFAULT_SEED,
    sampling: isLong ? [] : SAMPLING,
    fewerShaders: true,
  });
  t.equal(report.summary.fail, 0, 'nothing fails');
  // No silent skips: the report says what was not available.
  t.comment(terminalReport(report, false));
});

/**
 * A few cases of each op, and one model: kernels are the same as in Node, where all cases run. GROOTVL_LONG=1 runs them here too.
 */
const FEW_ON_WEBGPU = /mst_(ties|grid5x9)|treescan_(L2|star|mst)|edge_weights_photo|grootv_tiny_layerscale/;

t.test('webgpu in a page', async (t) => {
  const all = directorySource(fileURLToPath(new URL('../../fixtures', import.meta.url)));
  const few = { ...all, list: async () => (await all.list()).filter((path) => FEW_ON_WEBGPU.test(path)) };
  const report = await runOnTargets({
    targets: targets('webgpu@chromium'),
    source: isLong ? all : few,
    seed: DEFAULT_SEED,
    generated: isLong,
  });
  t.equal(report.summary.fail, 0, 'nothing fails');
  t.ok(report.cases.length === 1 || report.summary.pass > 30, `${report.summary.pass} pass`);
  t.comment(terminalReport(report, false));
});

t.test('a page with threads, and a plain one', async (t) => {
  const all = directorySource(fileURLToPath(new URL('../../fixtures', import.meta.url)));
  const some = /grootv\/grootv_tiny_layerscale(_expected)?\.|upernet_tiny/;
  const models = { ...all, list: async () => (await all.list()).filter((path) => some.test(path)) };
  const report = await runOnTargets({
    targets: targets(
      'wasm@chromium',
      'wasm-baseline@chromium',
      'wasm-1thread@chromium',
      'wasm-2threads@chromium',
    ),
    source: models,
    seed: DEFAULT_SEED,
    // Models with 8-bit weights, whose bits are the same on all targets, and a few of the other cases: Node runs all of them with
    // the same modules, except for the shared memory of threaded ones.
    sampling: [
      [', int8: ', Number.POSITIVE_INFINITY],
      [': (grootv|upernet)_', 0],
      ['', isLong ? Number.POSITIVE_INFINITY : 2],
    ],
  });
  t.equal(report.summary.fail, 0, 'nothing fails');
  const int8 = report.cases.filter(({ op }) => op.endsWith(', int8'));
  t.ok(
    int8.every(({ bits }) => bits),
    'bits of models are compared',
  );
  t.comment(terminalReport(report, false));
  const { browsers = {} } = report.environment;
  if (Object.keys(browsers).length === 0) return; // skipped, with the reason above
  t.match(browsers, {
    chromium: { crossOriginIsolated: false },
    'chromium, isolated': { crossOriginIsolated: true },
  });
  const device = (name: string) => report.cases.find(({ backend }) => backend === name)?.device;
  t.match(device('wasm@chromium'), /, relaxed SIMD for float32, relaxed SIMD for int8, one thread /);
  t.match(device('wasm-baseline@chromium'), /, SIMD, one thread /);
  t.match(device('wasm-1thread@chromium'), /, one thread /);
  t.match(device('wasm-2threads@chromium'), /, 2 threads /);
});

t.test('a Chromium that is not there is a skip with its reason', async (t) => {
  const { CHROMIUM_PATH } = process.env;
  process.env.CHROMIUM_PATH = '/nowhere/chromium';
  t.teardown(() => {
    if (CHROMIUM_PATH === undefined) delete process.env.CHROMIUM_PATH;
    else process.env.CHROMIUM_PATH = CHROMIUM_PATH;
  });
  const report = await runOnTargets({ targets: targets('webgl'), source: memorySource(new Map()), seed: 1 });
  t.match(report.cases, [
    { backend: 'webgl', verdict: 'skip', reason: /CHROMIUM_PATH is \/nowhere\/chromium/ },
  ]);
});
