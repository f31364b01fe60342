/**
 * SelectiveTreeScan: subtree sums, which a thread computes in the order of the tree for four states of a channel, and the
 * recurrence of the scan without a tree. Together they bind ten buffers, which not every device allows; otherwise each is a
 * separate dispatch.
 */
import { SelectiveTreeScan } from '../../plugin/ops/selective_tree_scan.js';
import { floats } from './elements.js';
import { registerWebgpuKernel } from './kernels.js';
import { entryPoint, programs } from './program.js';
import {
  passes,
  recurrence,
  SCAN_FUNCTIONS,
  STATES_A_PASS,
  scanLayout,
  scanNumbers,
} from './selective_scan.js';

/** Maximum bytes of subtree sums: longer texts are split into several dispatches, each for a part of the workgroups. */
const MOST_BYTES = 2 ** 27;
/** Bytes of a thread's sums for a token. */
const SUM_BYTES = 16;

const subtrees = (threads: number) => `
  /* [workgroups, L, threads]: every thread reads and writes its own alone. */
  fn slot_of(token: u32, lane: u32) -> u32 {
    return (own_group * numbers.length + token) * ${threads} + lane;
  }

  /* Vertices are tokens in reversed time. */
  fn sum_subtrees(at: Thread, lane: u32) {
    if (!at.inside) { return; }
    let rate = rates_at(at.channel, at.state);
    let firstToken = at.image * numbers.length;
    for (var t = 0u; t < numbers.length; t++) {
      let token = firstToken + t;
      sums[slot_of(t, lane)] = deltaU[token * numbers.channels + at.channel] * inputs_at(token, at.state);
    }
    let last = numbers.length - 1;
    for (var i = last; i > 0; i--) {
      let child = last - u32(order[firstToken + i]);
      let above = last - u32(order[firstToken + u32(parent[firstToken + i])]);
      let decay = exp(rate * step[(firstToken + child + 1) * numbers.channels + at.channel]);
      sums[slot_of(above, lane)] += decay * sums[slot_of(child, lane)];
    }
  }
`;

const sumOf = (threads: number) => `
  fn subtree_sum(at: Thread, token: u32, lane: u32) -> vec4<f32> {
    return sums[(own_group * numbers.length + token) * ${threads} + lane];
  }
`;

interface Stages {
  readonly threads: number;
  /** Whether to compute subtree sums, the recurrence, or both. */
  readonly sums: boolean;
  readonly recurs: boolean;
}

const stage = programs(
  'SelectiveTreeScan',
  ({ threads, sums, recurs }: Stages & Record<string, number | boolean>) => ({
    reads: {
      ...floats('step', 'deltaU', 'logA', 'inputGate', ...(recurs ? ['outputGate'] : [])),
      ...(sums && { order: 'i32', parent: 'i32' }),
      ...(!sums && { sums: 'vec4<f32>' }),
    },
    writes: { ...(sums && { sums: 'vec4<f32>' }), ...floats(...(recurs ? ['y', 'nextState'] : [])) },
    numbers: { ...scanNumbers, first: 'u32', beyond: 'u32', inputScale: 'f32', treeWeight: 'f32' },
    code: `
    var<private> own_group: u32;
    ${SCAN_FUNCTIONS}
    ${sums ? subtrees(threads) : ''}
    ${recurs ? sumOf(threads) + recurrence({ threads, subtrees: 'subtree_sum' }) : ''}
    ${entryPoint(threads)} {
      own_group = linearWorkgroup(id, count);
      let work = numbers.first + linearWorkgroup(id, count);
      if (work >= numbers.batch * numbers.tiles) { return; }
      var at = thread_of(work, lane, ${threads});
      ${sums && recurs ? passes('sum_subtrees(at, lane); recur(at, lane, beyond);') : ''}
      ${sums && !recurs ? 'at.state += numbers.beyond; sum_subtrees(at, lane);' : ''}
      ${!sums ? 'at.state += numbers.beyond; recur(at, lane, numbers.beyond);' : ''}
    }
  `,
  }),
);

registerWebgpuKernel(
  SelectiveTreeScan,
  ({ inputs, outputs, shapes, attributes, dispatch, limits, scratch }) => {
    const { threads, workgroups, ...layout } = scanLayout(shapes.step, limits.lanes);
    const bytes = SUM_BYTES * threads * layout.length;
    const atATime = Math.min(workgroups, Math.max(1, Math.floor(MOST_BYTES / bytes)));
    const bind = { ...inputs, ...outputs, sums: scratch(bytes * atATime) };
    const states = shapes.logA[1];
    const numbers = { ...layout, ...attributes, states, inputScale: 1 };
    for (let first = 0; first < workgroups; first += atATime) {
      const groups = Math.min(atATime, workgroups - first);
      const run = (sums: boolean, recurs: boolean, beyond: number) =>
        dispatch(stage({ threads, sums, recurs }), {
          bind,
          numbers: { ...numbers, first, beyond },
          workgroups: groups,
        });
      if (limits.storageBuffers >= Object.keys(bind).length) run(true, true, 0);
      else {
        for (let beyond = 0; beyond === 0 || beyond < states; beyond += STATES_A_PASS) {
          run(true, false, beyond);
          run(false, true, beyond);
        }
      }
    }
  },
);
