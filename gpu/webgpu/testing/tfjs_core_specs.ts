/** Bundled to run tfjs-core's own specs on `webgpu` in Node: see gpu/cuda/backend/testing/tfjs_core/run.mjs. */
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { setTestEnvs } from '@tensorflow/tfjs-core/dist/jasmine_util.js';
import { DAWN_OPTIONS, softwareVulkan } from '../../../conformance/runners/software_vulkan.js';
import { startWebgpu } from '../start.js';

const { name } = await softwareVulkan(() => startWebgpu({ dawn: DAWN_OPTIONS }));
(globalThis as { adapterOfSpecs?: string }).adapterOfSpecs = name;
setTestEnvs([{ name: 'webgpu', backendName: 'webgpu', flags: {}, isDataSync: false }]);
require('@tensorflow/tfjs-core/dist/tests');
