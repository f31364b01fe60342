/** tfjs-grootvl/node: model folders on disk. */
export { fileSystem } from './file_system.js';
