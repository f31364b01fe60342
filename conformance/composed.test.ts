import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import { copyRegisteredKernels, getKernel, registerBackend, unregisterKernel } from '@tensorflow/tfjs-core';
import t from 'tap';
import '../testing/backends.js'; // the gradients of tfjs's own ops
import { OPS } from '../plugin/ops/index.js';
import { SPECS } from '../plugin/ops/specs.js';
import { defineBackend, generatedCases, runConformance } from './index.js';

t.test('ops composed of tfjs’s own compute what the formulas say', async (t) => {
  const composed = OPS.filter(({ compose }) => compose).map(({ name }) => name);
  const backend = defineBackend({
    name: 'composed',
    tfjs: 'composed',
    start: async () => {
      registerBackend('composed', () => new MathBackendCPU());
      copyRegisteredKernels('cpu', 'composed');
      for (const { name } of OPS) if (getKernel(name, 'composed')) unregisterKernel(name, 'composed');
      return undefined;
    },
  });
  const cases = generatedCases().filter(({ op }) => composed.includes(op));
  const report = await runConformance({ backends: [backend], cases });
  t.same(
    report.cases
      .filter(({ verdict }) => verdict !== 'pass')
      .map(({ op, case: name, reason }) => `${op} ${name}: ${reason}`),
    [],
  );
  const specified = SPECS.map(({ op }) => op.name).filter((name) => composed.includes(name));
  const ran = new Set(report.cases.map(({ op }) => op));
  t.same(
    specified.filter((name) => !ran.has(name)),
    [],
    `${specified.length} ops`,
  );
});
