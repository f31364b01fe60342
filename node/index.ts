/** tfjs-grootvl/node: models and checkpoints on disk. */
export { type AtomicDirectory, openAtomicDirectory } from './atomic_directory.js';
export { type FileSource, fileSource } from './file_source.js';
export { fileSystem } from './file_system.js';
