/** Injects the faults of the specs into correct kernels one by one, and reports which case detects each. */
import { inferOutputs } from '../plugin/ops/input_checks.js';
import {
  type Fault,
  formulaArguments,
  type HostKernelFunction,
  type KernelArguments,
  kernelOf,
  type OpSpec,
} from '../plugin/ops/spec/spec.js';
import { type CaseTensor, type CaseTensors, sizeOf } from '../plugin/ops/spec/tensor.js';
import { SPECS } from '../plugin/ops/specs.js';
import { type Backend, NotSupported } from './backend.js';
import type { ConformanceCase } from './case.js';
import { defineBackend } from './define_backend.js';
import type { CaseResult } from './report/report.js';
import { runConformance } from './run.js';

/** A fault, and the cases that fail because of it; none if the suite does not detect it. */
export interface Caught {
  readonly op: string;
  readonly fault: string;
  readonly by: readonly CaseResult[];
}

/** Find all cases that detect a fault, or only the first, without running the rest. */
type Find = 'all' | 'first';

/** @returns a result for every fault, preceded by that of the kernels without a fault */
export async function checkMutations(
  cases: readonly ConformanceCase[],
  specs: readonly OpSpec[] = SPECS,
  find: Find = 'all',
): Promise<{ readonly correct: readonly CaseResult[]; readonly caught: readonly Caught[] }> {
  const correct: CaseResult[] = [];
  const caught: Caught[] = [];
  for (const spec of specs) {
    const own = cases.filter((each) => each.kind === 'op' && each.op === spec.op.name);
    const outputs = own.filter((each) => each.kind === 'op' && !each.outputGradients);
    const gradients = own.filter((each) => each.kind === 'op' && each.outputGradients);
    const { op, gradientKernel, faults } = spec;
    correct.push(...(await failures('all', spec, gradientKernel ? own : outputs)));
    for (const [fault, put] of Object.entries(faults)) {
      caught.push({ op: op.name, fault, by: await failures(find, spec, outputs, put) });
    }
    for (const [fault, put] of Object.entries(gradientKernel?.faults ?? {})) {
      const name = gradientKernel?.op.name as string;
      caught.push({ op: name, fault, by: await failures(find, spec, gradients, (kernel) => kernel, put) });
    }
  }
  return { correct, caught };
}

/** The cases that fail with kernels made from the spec's formulas and the injected faults. */
async function failures(
  find: Find,
  spec: OpSpec,
  cases: readonly ConformanceCase[],
  ofOutputs: Fault = (kernel) => kernel,
  ofGradients: Fault = (kernel) => kernel,
): Promise<readonly CaseResult[]> {
  const backends = [formulaBackend(spec, ofOutputs, ofGradients)];
  const failed: CaseResult[] = [];
  for (const each of cases) {
    const report = await runConformance({ backends, cases: [each] });
    failed.push(...report.cases.filter(({ verdict }) => verdict === 'fail'));
    if (find === 'first' && failed.length > 0) break;
  }
  return failed;
}

/** A backend of one op, without tfjs. */
function formulaBackend(spec: OpSpec, ofOutputs: Fault, ofGradients: Fault): Backend {
  const kernel = ofOutputs(kernelOf(spec.formula));
  const exact = spec.exact && ofOutputs(kernelOf(spec.exact));
  const { gradientKernel } = spec;
  const gradient = gradientKernel && ofGradients(kernelOf(gradientKernel.formula));
  return defineBackend({
    name: 'formulas',
    run: async (_op, inputs, attributes) => run(spec.op, exact ?? kernel, inputs, attributes),
    gradients: async (op, inputs, attributes, dy) => {
      if (!gradient) throw new NotSupported(`${op} has no kernel of its gradients`);
      const y = run(spec.op, kernel, inputs, attributes);
      const [upstream] = Object.values(dy);
      const given = { ...inputs, ...Object.fromEntries(y), dy: upstream };
      const found = run(gradientKernel.op, gradient, given, attributes);
      // By the name of the input: `dx` is the gradient with respect to x.
      return new Map([...found].map(([name, tensor]) => [name.replace(/^d/, ''), tensor]));
    },
  });
}

function run(
  op: OpSpec['op'],
  kernel: HostKernelFunction,
  inputs: CaseTensors,
  given: KernelArguments['attributes'],
): Map<string, CaseTensor> {
  const { shapes, attributes, inputs: values } = formulaArguments(op, inputs, given);
  const outputs = inferOutputs(op, shapes, attributes).map(({ shape, dtype }): CaseTensor => {
    const size = sizeOf(shape);
    return dtype === 'int32'
      ? { dtype, shape, values: new Int32Array(size) }
      : { dtype, shape, values: new Float32Array(size) };
  });
  const named = outputs.map((output, i) => [op.outputNames[i], output] as const);
  const [mostRows] = outputs[0].shape;
  let written = mostRows;
  kernel({
    inputs: values as KernelArguments['inputs'],
    outputs: Object.fromEntries(
      named.map(([name, { values }]) => [name, values as Float32Array | Int32Array]),
    ),
    shapes,
    attributes,
    mostRows,
    written: (rows) => {
      written = rows;
    },
  });
  return new Map(op.counted ? named.map(([name, output]) => [name, firstRows(output, written)]) : named);
}

function firstRows({ dtype, shape, values }: CaseTensor, rows: number): CaseTensor {
  const rest = shape.slice(1);
  return { dtype, shape: [rows, ...rest], values: values.slice(0, rows * sizeOf(rest)) } as CaseTensor;
}

/** The faults as a Markdown table. */
export function mutationTable(caught: readonly Caught[]): string {
  const clean = (text: string) => text.replaceAll('|', '/');
  const rows = caught.map(({ op, fault, by }) => {
    const first = by[0];
    const what = first ? `${clean(first.case)}: ${clean(first.reason).slice(0, 110)}` : '**not caught**';
    return `| ${op} | ${fault} | ${by.length} | ${what} |`;
  });
  return [
    '| kernel | fault | cases that fail | the first of them |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
