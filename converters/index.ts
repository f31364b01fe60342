/** PyTorch checkpoint -> TensorFlow.js GraphModel, without Python. Runs in Node and in pages. */

export { type Setting, settingText } from './architectures/architecture.js';
export {
  type FolderConvertOptions,
  type FolderInspection,
  type FolderInspectOptions,
  readAdapter,
} from './architectures/grootl/folder.js';
export { type ByteSource, blobSource, bytesSource } from './byte_source.js';
export {
  type CheckpointInput,
  type ConvertOptions,
  convertCheckpoint,
  type Inspection,
  type InspectOptions,
  inspectCheckpoint,
  type Progress,
} from './convert.js';
export { ArchitectureError } from './errors.js';
export { MemorySink, type ModelSink } from './graph/model_sink.js';
export { QUANTIZATIONS, type Quantization } from './graph/quantize.js';
export { filesDirectory, type SourceDirectory } from './huggingface/source_directory.js';
export type { DenseOptions } from './openmmlab/dense_options.js';
export { CheckpointError, type CheckpointErrorCode } from './pytorch/errors.js';
