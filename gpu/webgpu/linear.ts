/** Linear layers, with bias, activation, residual or gate in the last step of the product. */
import { engine, env, type TensorInfo } from '@tensorflow/tfjs-core';
import { rowsOf, sizeOf } from '../../plugin/kernels/sizes.js';
import { GatedLinear, ResidualLinear } from '../../plugin/ops/fused_linear.js';
import { Linear, usedColumns } from '../../plugin/ops/linear.js';
import { elements, type Running } from './elements.js';
import { ACTIVATIONS } from './functions.js';
import { keptBuffers } from './kept_buffers.js';
import { registerWebgpuKernel } from './kernels.js';
import { columnsOf, PRODUCT_NUMBERS, type Tile, termsOf, tiledProduct, tilesFor } from './matrix_product.js';
import { programs } from './program.js';
import { type Binding, FLOAT16_WEIGHTS_FLAG, type Runner } from './runner.js';

interface LinearTensors {
  /** [rows, I] */
  readonly x: Binding;
  /** [I, O] */
  readonly weights: TensorInfo;
  /** [O] */
  readonly bias?: TensorInfo;
  /** [rows, O], added to the sums. */
  readonly residual?: Binding;
  /** [rows, used columns], or the first half of them if there is a gate. */
  readonly y: Binding;
  /** [rows, the second half], after the activation. */
  readonly gate?: Binding;
}

interface Options extends Tile {
  readonly activation: keyof typeof ACTIVATIONS;
  readonly hasBias: boolean;
  readonly hasResidual: boolean;
  readonly hasGate: boolean;
  /** Whether four columns are read and written at once. */
  readonly inFours: boolean;
  /** Whether the weights are pairs of float16, which are read four at a time. */
  readonly inHalves: boolean;
}

const product = programs('Linear', (options: Options) => {
  const { hasBias, hasResidual, hasGate, inHalves } = options;
  const type = options.inFours ? 'vec4<f32>' : 'f32';
  const weights = inHalves ? 'vec2<u32>' : type;
  return {
    reads: {
      x: 'f32',
      weights,
      ...(hasBias && { bias: type }),
      ...(hasResidual && { residual: type }),
    },
    writes: { y: type, ...(hasGate && { gate: type }) },
    numbers: { ...PRODUCT_NUMBERS, columns: 'u32', first: 'u32' },
    code: tiledProduct(
      options,
      ACTIVATIONS[options.activation] + termsOf('x', 'row * numbers.terms + term') + access(options),
    ),
  };
});

function access(options: Options): string {
  const { hasBias, inFours, inHalves } = options;
  if (inFours) {
    return `
      fn b_at(term: u32, column: u32) -> vec4<f32> {
        if (term >= numbers.terms || column >= numbers.outputs) { return vec4(0.0); }
        let four = weights[(term * numbers.columns + numbers.first + column) / 4];
        return ${inHalves ? 'vec4(unpack2x16float(four.x), unpack2x16float(four.y))' : 'four'};
      }
      fn activated(v: vec4<f32>) -> vec4<f32> {
        return vec4(activation(v.x), activation(v.y), activation(v.z), activation(v.w));
      }
      fn finish(row: u32, column: u32, sums: vec4<f32>) {
        let v = sums${hasBias ? ' + bias[(numbers.first + column) / 4]' : ''};
        ${written(options, 'activated', (index) => `(${index}) / 4`)}
      }
    `;
  }
  return `
    ${columnsOf('weights', 'term * numbers.columns + numbers.first + column + j')}
    fn finish(row: u32, firstColumn: u32, sums: vec4<f32>) {
      for (var j = 0u; j < min(4, numbers.outputs - firstColumn); j++) {
        let column = firstColumn + j;
        let v = sums[j]${hasBias ? ' + bias[numbers.first + column]' : ''};
        ${written(options, 'activation', (index) => index)}
      }
    }
  `;
}

/** WGSL that writes v, of `column`. */
function written(
  { hasResidual, hasGate }: Options,
  activated: string,
  at: (index: string) => string,
): string {
  if (hasGate) {
    return `
      let half = numbers.outputs / 2;
      if (column < half) {
        y[${at('row * half + column')}] = v;
      } else {
        gate[${at('row * half + column - half')}] = ${activated}(v);
      }
    `;
  }
  const index = at('row * numbers.outputs + column');
  return `y[${index}] = ${activated}(v)${hasResidual ? ` + residual[${index}]` : ''};`;
}

/** Converts four float32 to two pairs of float16. Numbers beyond the range of float16 become its largest. */
const halve = elements('float16 weights', () => ({
  reads: { weights: 'vec4<f32>' },
  writes: { halves: 'vec2<u32>' },
  body: `
    let four = clamp(weights[i], vec4(-65504.0), vec4(65504.0));
    halves[i] = vec2(pack2x16float(four.xy), pack2x16float(four.zw));
  `,
}));

/** Returns weights as pairs of float16: made once, and cached with the weights. */
function halvesOf(running: Running & { readonly runner: Runner }, weights: TensorInfo): GPUBuffer {
  const { runner } = running;
  const size = sizeOf(weights.shape);
  return keptBuffers(runner).get(
    [weights],
    'float16 weights',
    () => runner.buffer(2 * size),
    (halves) => halve(running, { size: size / 4, bind: { weights, halves } }),
  );
}

/**
 * Runs a linear layer, in one dispatch.
 * @param part range of the columns of weights, the end exclusive
 */
export function runLinear(
  running: Running & { readonly runner: Runner },
  rows: number,
  tensors: LinearTensors,
  activation: Options['activation'] = 'none',
  part?: readonly [first: number, end: number],
): void {
  const { dispatch, limits } = running;
  const { weights, bias, residual, gate } = tensors;
  const [terms, columns] = weights.shape;
  const [first, end] = part ?? [0, columns];
  const outputs = end - first;
  const { tile, acrossAll, workgroups } = tilesFor(rows, outputs, limits);
  const runs = [columns, first, gate ? outputs / 2 : outputs];
  const inFours = runs.every((count) => count % 4 === 0);
  // While gradients are recorded, weights change from call to call.
  const inHalves = inFours && env().getBool(FLOAT16_WEIGHTS_FLAG) && engine().state.gradientDepth === 0;
  const options = {
    activation,
    hasBias: bias !== undefined,
    hasResidual: residual !== undefined,
    hasGate: gate !== undefined,
    inFours,
    inHalves,
  };
  dispatch(product({ ...tile, ...options }), {
    bind: { ...tensors, weights: inHalves ? halvesOf(running, weights) : weights },
    numbers: { rows, terms, columns, first, outputs, acrossAll },
    workgroups,
  });
}

registerWebgpuKernel(Linear, ({ inputs, outputs, attributes, ...running }) => {
  const part = usedColumns(inputs.weights.shape[1], attributes);
  runLinear(running, rowsOf(inputs.x.shape), { ...inputs, ...outputs }, attributes.activation, part);
});

registerWebgpuKernel(ResidualLinear, ({ inputs, outputs, ...running }) => {
  runLinear(running, rowsOf(inputs.x.shape), { ...inputs, ...outputs });
});

registerWebgpuKernel(GatedLinear, ({ inputs, outputs, ...running }) => {
  runLinear(running, rowsOf(inputs.x.shape), { ...inputs, ...outputs }, 'silu');
});
