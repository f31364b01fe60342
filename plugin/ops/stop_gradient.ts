/** A tensor with the same data through which no gradient flows. */
import { engine, type Tensor } from '@tensorflow/tfjs-core';

/** The tape of tfjs links tensors by their ids; this one has an id that no recorded op gave. */
export function stopGradient(tensor: Tensor): Tensor {
  const { backend } = engine();
  backend.incRef(tensor.dataId);
  return engine().makeTensorFromTensorInfo(tensor, backend);
}
