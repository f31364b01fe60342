/** Rows of ones and zeros. */
import { cast, equal, expandDims, range, type Tensor } from '@tensorflow/tfjs-core';

/**
 * [..., classes] float32: 1 at the class, 0 elsewhere. Not by tfjs's oneHot, which wants two rows at least and gives
 * integers for floats on its wasm backend.
 * @param ids [...] int32
 */
export function oneHotRows(ids: Tensor, classes: number): Tensor {
  return cast(equal(expandDims(ids, -1), range(0, classes, 1, 'int32')), 'float32');
}
