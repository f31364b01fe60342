/** tfjs-grootvl/node: models and checkpoints on disk. */
export { type AtomicDirectory, openAtomicDirectory } from './atomic_directory.js';
export { type FileSource, fileSource } from './file_source.js';
export { type FileSystemOptions, fileSystem } from './file_system.js';
export { type OpenDirectory, sourceDirectory } from './source_directory.js';
