/** A shared test: what predictions leave in memory on tfjs's wasm backend, in Node and in pages. */
import * as tf from '@tensorflow/tfjs-core';
import type { GrootV } from '../plugin/index.js';
import { tfjsModule, watchAllocations } from './wasm_backend.js';

/**
 * Number of predictions after which kernels have allocated what they keep: packed weights, column sums, memory for intermediate
 * values.
 */
const SETTLED = 3;
const SIDE = 16;

type Counts = Readonly<Record<string, number>>;

export class PredictionMemory {
  private readonly before = tf.memory().numTensors;
  private readonly blocks = watchAllocations();

  /**
   * The differences after `runs` predictions from the third one, by name; expected to be empty.
   * @param onPrediction called after each; used by a control that leaks
   */
  async ofPredictions(model: GrootV, runs: number, onPrediction = () => {}): Promise<Counts> {
    const image = {
      width: SIDE,
      height: SIDE,
      data: Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => (i * 7919) % 256),
    };
    const predict = async (times: number) => {
      for (let i = 0; i < times; i++) {
        await model.classify([image], { top: 1 });
        onPrediction();
      }
      return this.counts();
    };
    const settled = await predict(SETTLED);
    const last = Object.entries(await predict(runs - SETTLED));
    const changes = last.map(([name, value]) => [name, value - settled[name]] as const);
    return Object.fromEntries(changes.filter(([, change]) => change !== 0));
  }

  /** To be called after the model is disposed of. */
  tensorsLeft(): number {
    return tf.memory().numTensors - this.before;
  }

  private counts(): Counts {
    const { numTensors, numBytes, numDataBuffers } = tf.memory();
    return {
      ...{ numTensors, numBytes, numDataBuffers, dataIds: tf.backend().numDataIds() },
      heapBytes: tfjsModule().HEAPU8.length,
      blocks: this.blocks.size,
      blockBytes: [...this.blocks.values()].reduce((all, bytes) => all + bytes, 0),
    };
  }
}
