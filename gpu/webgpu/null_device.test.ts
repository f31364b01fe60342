/**
 * Runs every kernel on Dawn's null device, which validates shaders, layouts and calls like any other but computes nothing:
 * it works on machines without a driver, and has features that a software adapter lacks.
 */
import '@tensorflow/tfjs'; // the gradients of the built-in ops
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import type { OpCase } from '../../conformance/case.js';
import { defineBackend } from '../../conformance/index.js';
import { specCases } from '../../conformance/spec_cases.js';
import { hasOwnKernel } from '../../plugin/ops/kernels.js';
import { SPECS } from '../../plugin/ops/specs.js';
import './index.js';
import { FLOAT16_WEIGHTS_FLAG, LANES_FLAG, WORKGROUP_BYTES_FLAG } from './runner.js';
import { startInNode } from './testing/node_device.js';

const webgpu = defineBackend({ name: 'webgpu', tfjs: 'webgpu' });
/** @param most cases per op, limited to ops that have this input, if one is named */
const casesOf = (most?: number, input?: string) =>
  SPECS.filter(({ op }) => hasOwnKernel(op, 'webgpu') && (input === undefined || input in op.inputs)).flatMap(
    (spec) => specCases(spec).slice(0, most),
  );

const run = ({ op, inputs, attributes = {}, outputGradients }: OpCase) =>
  outputGradients
    ? webgpu.gradients(op, inputs, attributes, outputGradients)
    : webgpu.run(op, inputs, attributes);

for (const { what, features, lanes, workgroupBytes, most, float16Weights } of [
  {
    what: 'a device with all features',
    features: ['shader-f16', 'subgroups'],
    lanes: 256,
    workgroupBytes: 32768,
  },
  { what: 'a device with none', features: [], lanes: 64, workgroupBytes: 16384, most: 4 },
  {
    what: 'weights stored as float16',
    features: [],
    lanes: 256,
    workgroupBytes: 32768,
    float16Weights: true,
  },
]) {
  await t.test(what, async (t) => {
    const backend = await startInNode('null', { features });
    t.ok(features.every((feature) => backend?.device.features.has(feature as GPUFeatureName)));
    tf.env().set(LANES_FLAG, lanes);
    tf.env().set(WORKGROUP_BYTES_FLAG, workgroupBytes);
    tf.env().set(FLOAT16_WEIGHTS_FLAG, float16Weights ?? false);
    const cases = casesOf(most, float16Weights ? 'weights' : undefined);
    const refused: string[] = [];
    for (const each of cases) {
      await run(each).catch((error) => refused.push(`${each.op}, ${each.name}: ${error.message}`));
    }
    t.same(refused, [], `${cases.length} cases`);
  });
}
