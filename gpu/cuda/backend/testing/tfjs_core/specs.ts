/** Bundled to run tfjs-core's own specs, which are part of its package, on the backend `cuda`. */
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { setTestEnvs } from '@tensorflow/tfjs-core/dist/jasmine_util.js';
import { registerCuda } from '../../index.js';

registerCuda();
setTestEnvs([{ name: 'cuda', backendName: 'cuda', flags: {}, isDataSync: true }]);
require('@tensorflow/tfjs-core/dist/tests');
