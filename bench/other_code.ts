/** Alternatives to ops that cannot be composed of built-in ops: code that users write if a kernel is missing. */
import { type Tensor, tensor } from '@tensorflow/tfjs-core';
import { scanDown, scanUp } from '../plugin/cpu/tree_passes.js';
import { boruvkaMSTSpec } from '../plugin/ops/boruvka_mst.spec.js';
import type { Tensors } from '../plugin/ops/declaration.js';
import type { OpSpec } from '../plugin/ops/spec/spec.js';
import { treeScanSpec } from '../plugin/ops/tree_scan.spec.js';
import type { NativeProblem } from './native.js';
import type { PerfCall } from './perf_calls.js';

interface OtherCode {
  /** dataSync, a JavaScript loop, a new tensor. Batch 1. */
  javascript?(inputs: Tensors): Tensor;
  /** The input for native.cc. Batch 1. */
  native(call: PerfCall): NativeProblem;
}

export const OTHER_CODE: ReadonlyMap<OpSpec, OtherCode> = new Map([
  [
    treeScanSpec,
    {
      javascript: ({ x, decay, order, parent }) => {
        const values = x.dataSync().slice() as Float32Array;
        const decays = decay.dataSync() as Float32Array;
        const rooted = { order: order.dataSync(), parent: parent.dataSync() };
        const width = { channels: x.shape[2] as number, groups: decay.shape[2] as number };
        scanUp(values, decays, rooted, width);
        scanDown(values, decays, rooted, width);
        return tensor(values, x.shape);
      },
      native: ({ samples: [{ inputs }] }) => ({
        algorithm: 'scan',
        sizes: inputs.x.shape.slice(1),
        tensors: [inputs.x, inputs.decay, inputs.order, inputs.parent],
      }),
    },
  ],
  [
    boruvkaMSTSpec,
    {
      native: ({ samples }) => ({
        algorithm: 'tree',
        sizes: [
          samples[0].attributes?.numVertices as number,
          samples[0].inputs.edges.shape[0],
          samples.length,
        ],
        tensors: [...samples.map(({ inputs }) => inputs.weights), samples[0].inputs.edges],
      }),
    },
  ],
] satisfies [OpSpec, OtherCode][]);
