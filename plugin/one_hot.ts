/** One-hot encoding. */
import { cast, equal, expandDims, range, type Tensor } from '@tensorflow/tfjs-core';

/**
 * Returns [..., classes] float32: 1 at the class, 0 elsewhere. tfjs's oneHot is not used, because it requires at least two
 * rows and returns integers instead of floats on its wasm backend.
 * @param ids [...] int32
 */
export function oneHotRows(ids: Tensor, classes: number): Tensor {
  return cast(equal(expandDims(ids, -1), range(0, classes, 1, 'int32')), 'float32');
}
