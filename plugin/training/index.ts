/** Training of converted models: `tfjs-grootvl/training`. */
import '../index.js';

export type { NewHead } from './new_head.js';
export {
  AdamW,
  type AdamWOptions,
  type DecayOptions,
  Momentum,
  type MomentumOptions,
  type ParameterGroup,
} from './optimizers.js';
export type { Selection } from './selection.js';
export {
  type Gradients,
  type RandomState,
  Trainable,
  type TrainableModel,
  type TrainableOptions,
  type TrainedParameter,
  trainable,
} from './trainable.js';
