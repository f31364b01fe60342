/** Training of converted models: `tfjs-grootvl/training`. */
import '../index.js';

export { encodeSafetensors, type SafetensorsTensor } from '../models/safetensors_writer.js';
export { RandomNumbers } from '../random.js';
export { answerLoss, textInputs } from './answer_loss.js';
export { AUGMENTATION, type Augmentation } from './data/augment.js';
export {
  type Batch,
  Batches,
  type BatchOptions,
  type DataPosition,
  inOrder,
  type Preparation,
} from './data/batches.js';
export {
  classesOf,
  type Examples,
  firstExamples,
  type IdxFiles,
  idxExamples,
  imageExamples,
  type LabelledImage,
  type Resizing,
} from './data/examples.js';
export { examplesFor, setImageSize } from './data/for_model.js';
export { type IdxArray, readIdx } from './data/idx.js';
export {
  type AssignmentRule,
  assignBoxes,
  BACKGROUND,
  IGNORED,
  type SampledBoxes,
  type SamplingRule,
  sampleBoxes,
} from './detection/assignment.js';
export {
  type DetectionLosses,
  type DetectionLossOptions,
  type DetectionRecipe,
  detectionGradients,
  detectionLosses,
  MASK_RCNN_RECIPE,
} from './detection/detection_losses.js';
export type { TrueObject } from './detection/true_objects.js';
export { type Evaluation, evaluateClassifier } from './evaluate.js';
export { type ExportOptions, exportCheckpoint } from './export.js';
export {
  type FineTuneOptions,
  type FineTuneRecipe,
  type FineTuneStep,
  fineTune,
  type LanguageLearner,
} from './fine_tune.js';
export {
  type BatchSource,
  type EvaluationReport,
  type FitOptions,
  type FitResult,
  fit,
  type Recipe,
  type StepReport,
} from './fit.js';
export { clipByGlobalNorm, GradientAccumulator } from './gradients.js';
export {
  type BadRow,
  encodeInstruction,
  IGNORED_LABEL,
  type Instruction,
  instructionPrompt,
  parseInstructions,
  type TextExample,
} from './instructions.js';
export { addLora, LoraAdapter, type LoraOptions } from './lora.js';
export { type CrossEntropyOptions, crossEntropy } from './losses.js';
export { cutmix, type MixedBatch, type MixingOptions, mixup } from './mixing.js';
export { MovingAverage } from './moving_average.js';
export type { NewHead } from './new_head.js';
export { NotFiniteError } from './not_finite.js';
export {
  AdamW,
  type AdamWOptions,
  type DecayOptions,
  Momentum,
  type MomentumOptions,
  type ParameterGroup,
} from './optimizers.js';
export { type CosineOptions, cosineSchedule, decayedParameters } from './schedules.js';
export type { Selection } from './selection.js';
export type { StoredTensor, TrainingProgress, TrainingState } from './state.js';
export {
  type Gradients,
  type RandomState,
  Trainable,
  type TrainableModel,
  type TrainableOptions,
  type TrainedParameter,
  trainable,
} from './trainable.js';
