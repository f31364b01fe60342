import { fileURLToPath } from 'node:url';
import t from 'tap';
import { OPS } from '../plugin/ops/index.js';
import { hasOwnKernel } from '../plugin/ops/kernels.js';
import type { Sampling } from './case.js';
import { DEFAULT_SEED, mergeReports, terminalReport } from './index.js';
import { directorySource, parseTarget, runOnTargets, type Target } from './node.js';

/**
 * 64 images twice, training, further passes of a detector and a segmenter, larger models and images of a kind of which a smaller one
 * stays, the gradient of a digit model, and most texts: plain JavaScript and emulated threads take minutes for models whose kernels
 * are covered by the other cases. wasm runs them here, and `grootvl conformance` runs them on all backends.
 */
const LARGE = [
  '^Mask R-CNN, (trees pinned: .*(heads|x126)$|own trees: |int8: )',
  '^UperNet, (own trees: |int8: |.*slide$)',
  '^GG-SSM eye tracker, .*: gg_ssm_eye_lpw',
  '^UIS-Mamba, .*_hsw_.*128x128',
  ', int8: (gg_ssm|grootv_tiny_(bf16|fp16|module))',
  'training, |: grootv_nano_mnist_(expected|gradients)',
  'perplexity: windows| scores: 11 ',
  'greedy text: [0-356] |^GrootL decoding: .*P = (?!1$|22$)',
].join('|');

// Blocks and threads in a different order each time, as on a GPU: results that depend on it have other bits in a second run.
process.env.GROOTVL_EMULATION_ORDER ??= 'shuffled';

t.test('the default cases in Node', async (t) => {
  const source = directorySource(fileURLToPath(new URL('../fixtures', import.meta.url)));
  const run = (names: readonly string[], generated: boolean, sampling: Sampling) =>
    runOnTargets({
      targets: names.map((name) => parseTarget(name) as Target),
      source,
      generated,
      sampling,
      seed: DEFAULT_SEED,
    });
  const all = Number.POSITIVE_INFINITY;
  const report = mergeReports([
    // Together, so that expected values are computed once.
    await run(['cpu', 'cuda', 'wasm'], true, [[LARGE, 0]]),
    await run(['wasm'], false, [
      [LARGE, all],
      ['', 0],
    ]),
  ]);
  t.equal(report.summary.fail, 0, 'nothing fails');
  for (const backend of ['cpu', 'wasm', 'cuda']) {
    const { pass, skip } = report.summary.backends[backend];
    t.ok(pass > 200, `${backend}: ${pass} pass, ${skip} skipped`);
  }
  t.equal(report.summary.backends.wasm.skip, 0, 'each file holds cases');
  t.comment(terminalReport(report, false));
});

/**
 * Whole models take minutes on a software adapter; `grootvl conformance --backends webgpu` runs all of them, as does
 * GROOTVL_LONG=1 here.
 */
const QUICK_ON_WEBGPU =
  /grootv\/(edge_|mst_|treescan_|treessm_)|grootl\/op\/.*case(00|12)|family\/(tree_filter_v[12]_g4|tree_energy_loss_high|box_levelset_i2|grootv_)/;

/** Composed gradients of ops, made of kernels that other cases run: each has its own pipelines. */
async function fewComposed(): Promise<Sampling> {
  await import('../gpu/webgpu/index.js');
  const kernels = OPS.filter((op) => op.name.endsWith('Gradient') && hasOwnKernel(op, 'webgpu'));
  const own = OPS.filter(({ name }) => kernels.some((kernel) => kernel.name.startsWith(name)));
  return [[`^(?!(${own.map(({ name }) => name).join('|')}) ).* gradient: generated`, 2]];
}

t.test('the default cases on webgpu in Node, where there is an adapter', async (t) => {
  const all = directorySource(fileURLToPath(new URL('../fixtures', import.meta.url)));
  const quick = {
    ...all,
    list: async () => (await all.list()).filter((path) => QUICK_ON_WEBGPU.test(path)),
  };
  const report = await runOnTargets({
    targets: [parseTarget('webgpu') as Target],
    source: process.env.GROOTVL_LONG ? all : quick,
    sampling: process.env.GROOTVL_LONG ? [] : await fewComposed(),
    seed: DEFAULT_SEED,
  });
  t.equal(report.summary.fail, 0, 'nothing fails');
  const { pass, skip } = report.summary.backends.webgpu;
  t.ok(pass > 500 || report.cases.length === 1, `${pass} pass, ${skip} skipped`);
  t.comment(terminalReport(report, false));
});
