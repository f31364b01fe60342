import t from 'tap';
import { linearSpec } from '../../plugin/ops/linear.spec.js';
import { treeScanSpec } from '../../plugin/ops/tree_scan.spec.js';
import { parseTarget, type Target } from '../node.js';
import type { CaseResult } from '../report/report.js';
import { withSameBits } from './run_on_targets.js';

const result = (backend: string, bits: string, more: Partial<CaseResult> = {}): CaseResult => ({
  ...{ case: 'a', op: 'an op', backend, device: '', verdict: 'pass', reason: '', bits },
  ...{ maxAbs: 0, maxRel: 0, maxUlp: 0, ms: 1 },
  ...more,
});

t.test(
  'targets of wasm in pages give the same bits, or fail: products by relaxed SIMD and without it need not',
  async (t) => {
    const names = ['wasm', 'wasm@chromium', 'wasm-baseline@chromium', 'wasm-2threads@chromium', 'webgl'];
    const targets = names.map((name) => parseTarget(name) as Target);
    const judged = withSameBits(
      [
        result('wasm', '3'), // another engine
        result('wasm@chromium', '1'),
        result('wasm@chromium', '1', { case: 'b' }),
        result('wasm-baseline@chromium', '3'), // not an op, for example a model
        result('wasm-2threads@chromium', '2'),
        result('wasm-2threads@chromium', '2', { case: 'c' }),
        result('webgl', '4'),
        ...[linearSpec, treeScanSpec].flatMap(({ op: { name: op } }) => [
          result('wasm@chromium', '1', { op }),
          result('wasm-baseline@chromium', '2', { op }),
        ]),
      ],
      targets,
    );
    t.same(
      judged
        .filter(({ verdict }) => verdict === 'fail')
        .map(({ backend, case: name, reason }) => [backend, name, reason]),
      [
        ['wasm-2threads@chromium', 'a', 'other bits than on wasm@chromium'],
        ['wasm-baseline@chromium', 'a', 'other bits than on wasm@chromium'],
      ],
    );
  },
);
