import { fileURLToPath } from 'node:url';
import t from 'tap';
import { DEFAULT_SEED, terminalReport } from './index.js';
import { directorySource, parseTarget, runOnTargets, type Target } from './node.js';

t.test('the default cases in Node', async (t) => {
  const report = await runOnTargets({
    targets: ['cpu', 'wasm', 'cuda'].map((name) => parseTarget(name) as Target),
    source: directorySource(fileURLToPath(new URL('../fixtures', import.meta.url))),
    seed: DEFAULT_SEED,
  });
  t.equal(report.summary.fail, 0, 'nothing fails');
  for (const backend of ['cpu', 'wasm', 'cuda']) {
    const { pass, skip } = report.summary.backends[backend];
    t.ok(pass > 200, `${backend}: ${pass} pass, ${skip} skipped`);
  }
  // Nothing is skipped silently: the report says what was not here.
  t.comment(terminalReport(report, false));
});
