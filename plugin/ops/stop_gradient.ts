/** Returns a tensor over the same data through which no gradient flows. */
import { engine, type Tensor } from '@tensorflow/tfjs-core';

/** tfjs's tape links tensors by id, and no recorded op produced the id of this one. */
export function stopGradient(tensor: Tensor): Tensor {
  const { backend } = engine();
  backend.incRef(tensor.dataId);
  return engine().makeTensorFromTensorInfo(tensor, backend);
}
