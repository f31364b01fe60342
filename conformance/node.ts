/** tfjs-grootvl/conformance/node: folders of cases, the backends of Node, and Chromium. */
export { directorySource } from './runners/directory.js';
export { type EverywhereOptions, runEverywhere } from './runners/everywhere.js';
export { nodeLoaders } from './runners/node_backends.js';
export { DEFAULT_PLACES, PLACES, type Place, parsePlace } from './runners/places.js';
