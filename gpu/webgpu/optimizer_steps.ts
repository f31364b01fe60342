/** Optimiser steps on every parameter: one thread per element, and sums of squares in two dispatches. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { AdamWStep, MomentumStep, ScaleBy, SquareSum } from '../../plugin/ops/optimizer_steps.js';
import { elements, floats } from './elements.js';
import { registerWebgpuKernel } from './kernels.js';
import { entryPoint, programs } from './program.js';

const adamW = elements('AdamWStep', () => ({
  reads: floats('value', 'gradient', 'm', 'v'),
  writes: floats('updated', 'mean', 'variance'),
  numbers: {
    ...{ beta1: 'f32', rest1: 'f32', beta2: 'f32', rest2: 'f32' },
    ...{ epsilon: 'f32', keep: 'f32', rate: 'f32', correction: 'f32' },
  },
  body: `
    let g = gradient[i];
    let newMean = numbers.beta1 * m[i] + numbers.rest1 * g;
    let newVariance = numbers.beta2 * v[i] + numbers.rest2 * g * g;
    mean[i] = newMean;
    variance[i] = newVariance;
    let deviation = numbers.correction * sqrt(newVariance) + numbers.epsilon;
    updated[i] = numbers.keep * value[i] - numbers.rate * (newMean / deviation);
  `,
}));

registerWebgpuKernel(AdamWStep, ({ inputs, outputs, shapes, attributes, ...running }) => {
  const { beta1, beta2 } = attributes;
  const numbers = { ...attributes, rest1: 1 - beta1, rest2: 1 - beta2 };
  adamW(running, { size: sizeOf(shapes.value), bind: { ...inputs, ...outputs }, numbers });
});

const momentum = elements(
  'MomentumStep',
  ({ hasVelocity, nesterov }: { hasVelocity: boolean; nesterov: boolean }) => ({
    reads: floats('value', 'gradient', ...(hasVelocity ? ['velocity'] : [])),
    writes: floats('updated', 'next'),
    numbers: { momentum: 'f32', decay: 'f32', rate: 'f32' },
    body: `
      let g = gradient[i] + numbers.decay * value[i];
      let sum = g${hasVelocity ? ' + numbers.momentum * velocity[i]' : ''};
      next[i] = sum;
      updated[i] = value[i] - numbers.rate * ${nesterov ? '(g + numbers.momentum * sum)' : 'sum'};
    `,
  }),
);

registerWebgpuKernel(MomentumStep, ({ inputs, outputs, shapes, attributes, ...running }) => {
  const { nesterov, ...numbers } = attributes;
  momentum(running, {
    size: sizeOf(shapes.value),
    variant: { hasVelocity: inputs.velocity !== undefined, nesterov },
    bind: { ...inputs, ...outputs },
    numbers,
  });
});

const scale = elements('ScaleBy', () => ({
  reads: floats('x', 'factor'),
  writes: floats('y'),
  body: 'y[i] = factor[0] * x[i];',
}));

registerWebgpuKernel(ScaleBy, ({ inputs, outputs, shapes, ...running }) => {
  scale(running, { size: sizeOf(shapes.x), bind: { ...inputs, ...outputs } });
});

/** Maximum number of workgroups with partial sums. */
const MOST_PARTS = 256;

/** One partial sum per workgroup: of x or, in the second dispatch, of the partial sums. */
const sum = programs('SquareSum', ({ lanes, squares }: { lanes: number; squares: boolean }) => ({
  reads: floats('x'),
  writes: floats('y'),
  numbers: { size: 'u32' },
  code: `
    var<workgroup> partial: array<f32, ${lanes}>;
    ${entryPoint(lanes)} {
      var part = 0.0;
      for (var i = id.x * ${lanes} + lane; i < numbers.size; i += count.x * ${lanes}) {
        part += ${squares ? 'x[i] * x[i]' : 'x[i]'};
      }
      partial[lane] = part;
      for (var distance = ${lanes / 2}u; distance > 0; distance /= 2) {
        workgroupBarrier();
        if (lane < distance) { partial[lane] += partial[lane + distance]; }
      }
      if (lane == 0) { y[id.x] = partial[0]; }
    }
  `,
}));

registerWebgpuKernel(SquareSum, ({ inputs: { x }, outputs: { y }, shapes, dispatch, limits, scratch }) => {
  const { lanes } = limits;
  const size = sizeOf(shapes.x);
  const parts = Math.min(MOST_PARTS, Math.max(1, Math.ceil(size / lanes)));
  const sums = parts > 1 ? scratch(4 * parts) : y;
  dispatch(sum({ lanes, squares: true }), { bind: { x, y: sums }, numbers: { size }, workgroups: parts });
  if (parts === 1) return;
  const bind = { x: sums, y };
  dispatch(sum({ lanes, squares: false }), { bind, numbers: { size: parts }, workgroups: 1 });
});
