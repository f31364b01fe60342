/** Seeded random tensors. */
import { RandomNumbers, streamSeed } from '../../random.js';
import { type CaseTensor, float32, int32, sizeOf } from './tensor.js';

export class Random extends RandomNumbers {
  /** @param stream a name: streams of one seed are independent, so that adding one does not change the others. */
  constructor(seed: number, stream = '') {
    super(streamSeed(seed, stream));
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)];
  }

  /** Returns a float32 tensor of random numbers, standard normal by default. */
  tensor(shape: readonly number[], draw: () => number = () => this.normal()): CaseTensor {
    return float32(shape, this.floats(sizeOf(shape), draw));
  }

  /** Returns an int32 tensor of values computed from their index. */
  ints(shape: readonly number[], draw: (index: number) => number): CaseTensor {
    return int32(
      shape,
      Array.from({ length: sizeOf(shape) }, (_, i) => draw(i)),
    );
  }

  floats(count: number, draw: () => number): Float32Array {
    return Float32Array.from({ length: count }, draw);
  }
}
