/** Linear on WebAssembly. */

import {
  getKernel,
  type KernelBackend,
  type NamedAttrMap,
  type NamedTensorInfoMap,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { rowsOf } from '../plugin/kernels/sizes.js';
import { Gelu, Silu } from '../plugin/ops/activations.js';
import { type BackendKernel, registerBackendKernel } from '../plugin/ops/kernels.js';
import { Linear, usedColumns } from '../plugin/ops/linear.js';
import { threadsOf } from './host.js';
import { backendKernel } from './kernels.js';
import { multiply, type ProductFunctions } from './matrix_product.js';
import { BACKEND } from './tfjs_start.js';

const ownProduct = backendKernel<typeof Linear, ProductFunctions>(
  Linear,
  ({ inputs: { x, weights, bias }, outputs: { y }, shapes, attributes, tensors, ...memory }) => {
    const rows = rowsOf(shapes.x);
    const used = usedColumns(shapes.weights[1], attributes);
    const { activation } = attributes;
    multiply(memory, { x, weights, tensor: tensors.weights, used, bias, y, rows, activation });
  },
);

interface Inputs {
  readonly x: TensorInfo;
  readonly weights: TensorInfo;
  readonly bias?: TensorInfo;
}

/** tfjs's own matrix product, which uses all its threads; ours, 1.4 times as fast on one, has only that one. */
const threadedProduct: BackendKernel<typeof Linear> = ({
  inputs,
  attributes,
  outputs: [{ shape, dtype }],
  backend,
}) => {
  const { x, weights: allWeights, bias: wholeBias } = inputs as unknown as Inputs;
  const [inputChannels, columns] = allWeights.shape;
  const [first, end] = usedColumns(columns, attributes);
  const run = (kernelName: string, inputs: NamedTensorInfoMap, attrs: NamedAttrMap = {}) =>
    runKernel(kernelName, inputs, attrs, backend);
  const made: TensorInfo[] = [];
  const part = (tensor: TensorInfo, begin: number[], size: number[]) => {
    if (end - first === columns) return tensor;
    const sliced = run('Slice', { x: tensor }, { begin, size });
    made.push(sliced);
    return sliced;
  };
  const weights = part(allWeights, [0, first], [inputChannels, end - first]);
  const bias = wholeBias && part(wholeBias, [first], [end - first]);
  const rows = rowsOf(shape);
  const sums = run(
    '_FusedMatMul',
    {
      a: { ...x, shape: [1, rows, inputChannels] },
      b: { ...weights, shape: [1, inputChannels, end - first] },
      ...(bias && { bias }),
    },
    { transposeA: false, transposeB: false, activation: 'linear' },
  );
  let y = sums;
  if (attributes.activation !== 'none') {
    y = run(attributes.activation === 'gelu' ? Gelu.name : Silu.name, { x: sums });
    made.push(sums);
  }
  for (const { dataId } of made) backend.disposeData(dataId);
  return [{ dataId: y.dataId, shape, dtype }];
};

function runKernel(
  kernelName: string,
  inputs: NamedTensorInfoMap,
  attrs: NamedAttrMap,
  backend: KernelBackend,
): TensorInfo {
  const kernel = getKernel(kernelName, BACKEND);
  if (!kernel) throw new Error(`tfjs-grootvl/wasm: tfjs has no kernel ${kernelName} for ${BACKEND}`);
  return kernel.kernelFunc({ inputs, attrs, backend }) as TensorInfo;
}

registerBackendKernel(Linear, BACKEND, (args) =>
  threadsOf(args.backend) > 1 ? threadedProduct(args) : ownProduct(args),
);
