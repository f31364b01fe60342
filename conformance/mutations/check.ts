/** Puts the faults into kernels one by one and says which case catches each. */
import { inferOutputs } from '../../plugin/ops/input_checks.js';
import type { Backend } from '../backend.js';
import { type ConformanceCase, float32 } from '../case.js';
import { defineBackend } from '../define_backend.js';
import type { CaseResult } from '../report/report.js';
import { runConformance } from '../run.js';
import { declarationOf } from '../tfjs_backend.js';
import { CORRECT_KERNELS } from './correct_kernels.js';
import type { Fault } from './fault.js';
import { FAULTS } from './faults.js';

export interface Caught {
  readonly fault: Fault;
  /** Cases that fail because of it; none: the suite is blind to it. */
  readonly by: readonly CaseResult[];
}

/** @returns a result for every fault; and first of all that the kernels without a fault pass. */
export async function checkMutations(
  cases: readonly ConformanceCase[],
): Promise<{ readonly correct: readonly CaseResult[]; readonly caught: readonly Caught[] }> {
  const ops = cases.filter((testCase) => testCase.kind === 'op');
  const run = async (name: string, op: string | undefined, kernels: typeof CORRECT_KERNELS) => {
    const affected = ops.filter((testCase) => {
      if (op === undefined) return true;
      const ofGradient = testCase.outputGradients !== undefined;
      if (op === 'TreeScanGradient') return testCase.op === 'TreeScan' && ofGradient;
      return testCase.op === op && !ofGradient;
    });
    const backend = hasNoKernel(op)
      ? functionBackend(name, kernels)
      : defineBackend({ name, kernels, device: name });
    const { cases: results } = await runConformance({ backends: [backend], cases: affected });
    return results.filter(({ verdict }) => verdict === 'fail');
  };
  const correct = await run('correct', undefined, CORRECT_KERNELS);
  correct.push(...(await run('correct', 'TokenEmbedding', CORRECT_KERNELS)));
  const caught: Caught[] = [];
  for (const [i, fault] of FAULTS.entries()) {
    const kernels = { ...CORRECT_KERNELS, [fault.op]: fault.kernel() };
    caught.push({ fault, by: await run(`fault-${i + 1}`, fault.op, kernels) });
  }
  return { correct, caught };
}

/** Ops that are made of stock ops on every backend: tfjs would never ask for a kernel. */
function hasNoKernel(op: string | undefined): boolean {
  return op === 'TokenEmbedding';
}

/** A backend that runs kernels by itself, without tfjs. */
function functionBackend(name: string, kernels: typeof CORRECT_KERNELS): Backend {
  return defineBackend({
    name,
    run: async (op, inputs, attributes) => {
      const declaration = declarationOf(op);
      const given = Object.entries(inputs);
      const shapes = Object.fromEntries(given.map(([input, { shape }]) => [input, shape]));
      const values = given.map(
        ([input, tensor]) => [input, tensor.values as Float32Array | Int32Array] as const,
      );
      const outputs = inferOutputs(declaration, shapes, attributes).map(({ shape }) =>
        float32(shape, filled(shape)),
      );
      kernels[op]({
        inputs: Object.fromEntries(values),
        outputs: Object.fromEntries(
          outputs.map(({ values }, i) => [declaration.outputNames[i], values as Float32Array]),
        ),
        shapes,
        attributes,
      });
      return new Map(outputs.map((output, i) => [declaration.outputNames[i], output]));
    },
  });
}

const filled = (shape: readonly number[]) =>
  new Float32Array(shape.reduce((size, extent) => size * extent, 1));

/** The table for the README. */
export function mutationTable(caught: readonly Caught[]): string {
  const clean = (text: string) => text.replaceAll('|', '/');
  const rows = caught.map(({ fault, by }) => {
    const first = by[0];
    const what = first ? `${clean(first.case)}: ${clean(first.reason).slice(0, 110)}` : '**not caught**';
    return `| ${fault.op} | ${fault.name} | ${by.length} | ${what} |`;
  });
  return [
    '| kernel | fault | cases that fail | the first of them |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
