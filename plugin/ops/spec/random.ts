/** Random tensors that a seed replays. */
import { RandomNumbers, streamSeed } from '../../random.js';
import { type CaseTensor, float32, int32, sizeOf } from './tensor.js';

export class Random extends RandomNumbers {
  /** @param stream a name: streams of one seed are independent, so that one more changes no other. */
  constructor(seed: number, stream = '') {
    super(streamSeed(seed, stream));
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)];
  }

  /** A float32 tensor of numbers that are drawn, standard normal ones by default. */
  tensor(shape: readonly number[], draw: () => number = () => this.normal()): CaseTensor {
    return float32(shape, this.floats(sizeOf(shape), draw));
  }

  /** An int32 tensor, by the position of each value. */
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
