/**
 * SelectiveDiscretize: one workgroup per row. The x_proj output of the row is in workgroup memory: first partial sums,
 * computed by several threads, then the sums.
 */
import { rowsOf } from '../../plugin/kernels/sizes.js';
import { SelectiveDiscretize } from '../../plugin/ops/selective_discretize.js';
import { floats } from './elements.js';
import { SOFTPLUS } from './functions.js';
import { registerWebgpuKernel } from './kernels.js';
import { entryPoint, programs } from './program.js';

/** Number of channels from which on a row uses as many threads as a workgroup can have. */
const MANY_CHANNELS = 512;
const FEW_LANES = 64;

/** @param chosen R + 2N; `parts`: threads that share each of their sums */
const discretize = programs(
  'SelectiveDiscretize',
  ({ lanes, chosen, parts }: { lanes: number; chosen: number; parts: number }) => ({
    reads: floats('x', 'selection', 'stepProjection', 'stepBias', 'logA'),
    writes: floats('decay', 'input', 'outputGate'),
    numbers: { rows: 'u32', channels: 'u32', states: 'u32', rank: 'u32' },
    code: `
      ${SOFTPLUS}
      var<workgroup> partial: array<f32, ${chosen * parts}>;
      var<workgroup> selected: array<f32, ${chosen}>;

      ${entryPoint(lanes)} {
        let row = linearWorkgroup(id, count);
        if (row >= numbers.rows) { return; }
        let first = row * numbers.channels;
        for (var i = lane; i < ${chosen * parts}; i += ${lanes}) {
          var sum = 0.0;
          for (var d = i / ${chosen}; d < numbers.channels; d += ${parts}) {
            sum += x[first + d] * selection[d * ${chosen} + i % ${chosen}];
          }
          partial[i] = sum;
        }
        workgroupBarrier();
        for (var p = lane; p < ${chosen}; p += ${lanes}) {
          var sum = 0.0;
          for (var i = p; i < ${chosen * parts}; i += ${chosen}) { sum += partial[i]; }
          selected[p] = sum;
          if (p >= numbers.rank + numbers.states) {
            outputGate[row * numbers.states + p - numbers.rank - numbers.states] = sum;
          }
        }
        workgroupBarrier();
        for (var d = lane; d < numbers.channels; d += ${lanes}) {
          var raw = stepBias[d];
          for (var r = 0u; r < numbers.rank; r++) {
            raw += selected[r] * stepProjection[r * numbers.channels + d];
          }
          let step = softplus(raw);
          for (var n = 0u; n < numbers.states; n++) {
            let at = d * numbers.states + n;
            decay[first * numbers.states + at] = exp(-exp(logA[at]) * step);
            input[first * numbers.states + at] = step * selected[numbers.rank + n] * x[first + d];
          }
        }
      }
    `,
  }),
);

registerWebgpuKernel(SelectiveDiscretize, ({ inputs, outputs, shapes, dispatch, limits }) => {
  const [channels, states] = shapes.logA;
  const [rank, chosen] = [shapes.stepProjection[0], shapes.selection[1]];
  const lanes = channels >= MANY_CHANNELS ? limits.lanes : Math.min(limits.lanes, FEW_LANES);
  const parts = Math.max(1, Math.floor(lanes / chosen));
  const rows = rowsOf(shapes.x);
  dispatch(discretize({ lanes, chosen, parts }), {
    bind: { ...inputs, ...outputs },
    numbers: { rows, channels, states, rank },
    workgroups: rows,
  });
});
