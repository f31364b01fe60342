/**
 * tfjs-grootvl/node: models, checkpoints and images on disk, for inference and training. Importing it lets models read image
 * files.
 */
import { setImageDecoder } from '../plugin/image/read.js';
import { readImage } from './images/read_image.js';

setImageDecoder(readImage);

export { type AtomicDirectory, openAtomicDirectory } from './atomic_directory.js';
export { type ImageSets, openImageSets } from './data/image_sets.js';
export { type FileSource, fileSource } from './file_source.js';
export { type FileSystemOptions, fileSystem } from './file_system.js';
export { type OpenDirectory, sourceDirectory } from './source_directory.js';
export { readImage };
