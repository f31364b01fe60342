/** tfjs-grootvl/conformance/node: folders of cases, the backends of Node, and Chromium. */
export { directorySource } from './runners/directory.js';
export { nodeLoaders } from './runners/node_backends.js';
export { runOnTargets, type TargetsOptions } from './runners/run_on_targets.js';
export { DEFAULT_TARGETS, parseTarget, TARGETS, type Target } from './runners/targets.js';
