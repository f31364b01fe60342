/**
 * Runs some samples of all ops with kernels here, with as few threads and as little memory as a device may have. The
 * conformance suite runs all samples and gradients.
 */
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { defineBackend, runConformance } from '../../conformance/index.js';
import { specCases } from '../../conformance/spec_cases.js';
import { hasOwnKernel } from '../../plugin/ops/kernels.js';
import { SPECS } from '../../plugin/ops/specs.js';
import './index.js';
import { LANES_FLAG, WORKGROUP_BYTES_FLAG } from './runner.js';
import { NO_ADAPTER, startInNode } from './testing/node_device.js';

/** Per op. */
const SAMPLES = 2;

const backend = await startInNode();
if (!backend) t.test('specs', { skip: NO_ADAPTER }, async () => {});
else {
  tf.env().set(LANES_FLAG, 32);
  tf.env().set(WORKGROUP_BYTES_FLAG, 16384);
  const webgpu = defineBackend({ name: 'webgpu', tfjs: 'webgpu', tolerance: 'shader' });
  for (const spec of SPECS.filter(({ op }) => hasOwnKernel(op, 'webgpu'))) {
    t.test(spec.op.name, async (t) => {
      const samples = specCases(spec).filter(({ outputGradients }) => !outputGradients);
      const { cases } = await runConformance({ backends: [webgpu], cases: samples.slice(0, SAMPLES) });
      for (const { case: name, verdict, reason } of cases)
        t.equal(verdict, 'pass', `${name} ${reason ?? ''}`);
    });
  }
}
