import { fileURLToPath } from 'node:url';
import t from 'tap';
import { DEFAULT_SEED, memorySource, terminalReport } from '../index.js';
import { directorySource, parseTarget, runOnTargets, type Target } from '../node.js';

const targets = (...names: string[]) => names.map((name) => parseTarget(name) as Target);

/**
 * Models whose like is among the others: a software renderer takes minutes for them. `grootvl conformance --backends
 * webgl` runs all.
 */
const LEFT_OUT = /grootv_nano_mnist|training\/|grootv_tiny_(bf16|fp16|module)|upernet_tiny/;

t.test('the default cases in Chromium, where there is one', async (t) => {
  const all = directorySource(fileURLToPath(new URL('../../fixtures', import.meta.url)));
  const source = { ...all, list: async () => (await all.list()).filter((path) => !LEFT_OUT.test(path)) };
  const report = await runOnTargets({
    targets: targets('webgl'),
    source,
    seed: DEFAULT_SEED,
    fewerShaders: true,
  });
  t.equal(report.summary.fail, 0, 'nothing fails');
  // Nothing is skipped silently: the report says what was not here.
  t.comment(terminalReport(report, false));
});

t.test('a page with threads, and a plain one', async (t) => {
  const report = await runOnTargets({
    targets: targets('wasm@chromium', 'wasm-threads@chromium'),
    source: memorySource(new Map()),
    seed: DEFAULT_SEED,
  });
  t.equal(report.summary.fail, 0, 'nothing fails');
  t.comment(terminalReport(report, false));
  const { browsers = {} } = report.environment;
  if (Object.keys(browsers).length === 0) return; // skipped, with the reason above
  t.match(browsers, {
    chromium: { crossOriginIsolated: false },
    'chromium, isolated': { crossOriginIsolated: true },
  });
  const device = (name: string) => report.cases.find(({ backend }) => backend === name)?.device;
  t.notMatch(device('wasm@chromium'), /threads/);
  t.match(device('wasm-threads@chromium'), /, threads/);
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
