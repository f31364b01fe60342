/** Runs cases on backends and collects the report. No Node API: the same code runs in a page. */
import type { ToleranceClass } from '../plugin/backends.js';
import { nextTask } from '../plugin/next_task.js';
import { specOf } from '../plugin/ops/spec/spec.js';
import { type Backend, BackendMissing, NotSupported } from './backend.js';
import { type CaseTensor, type ConformanceCase, type OpCase, rowOf } from './case.js';
import { digestOf } from './digest.js';
import type { Judgement } from './judgement.js';
import { sameBits } from './measure.js';
import { type CaseResult, type Environment, type Report, reportOf } from './report/report.js';
import { generatedCases } from './spec_cases.js';
import { declarationOf } from './tfjs_backend.js';
import { combine, fail, judgeOpCase, show } from './verdict.js';

export interface RunOptions {
  readonly backends: readonly Backend[];
  /** For example from {@link loadCases}; the generated ones by default. */
  readonly cases?: readonly ConformanceCase[];
  /** Of the generated cases; recorded in the report. */
  readonly seed?: number;
  /** Turns skips into failures: `true`, or the names of the required backends. */
  readonly require?: boolean | readonly string[];
  /** Called after each case. */
  readonly onProgress?: (progress: Progress) => void;
  /**
   * Ends the run between two cases, with the signal's reason. The results up to then have been passed to `onProgress`; {@link
   * reportOf} makes a report of them.
   */
  readonly signal?: AbortSignal;
  /** Environment in the report; detected by default. */
  readonly environment?: Partial<Environment>;
}

export interface Progress {
  readonly backend: string;
  readonly done: number;
  readonly total: number;
  readonly result: CaseResult;
}

/**
 * Milliseconds after which the run yields, so that a page can draw, timers fire and a signal is received: host kernels never
 * yield.
 */
const YIELD_AFTER = 16;

/**
 * Runs every case on every backend, one after the other. Never throws for a missing backend or a failed case: these are reported.
 * @throws {unknown} the signal's reason if it is aborted; the running backend is stopped
 */
export async function runConformance(options: RunOptions): Promise<Report> {
  const { backends, seed, onProgress, signal, cases = generatedCases(seed) } = options;
  const results: CaseResult[] = [];
  let yielded = performance.now();
  for (const backend of backends) {
    signal?.throwIfAborted();
    let device: string;
    try {
      device = await backend.start();
    } catch (error) {
      const reason = (error as Error).message;
      const verdict = error instanceof BackendMissing ? 'skip' : 'fail';
      const result = {
        ...blank(backend.name, ''),
        case: '(all)',
        op: '(all)',
        verdict,
        reason: verdict === 'skip' ? reason : `did not start: ${reason}`,
      } as const;
      results.push(result);
      onProgress?.({ backend: backend.name, done: cases.length, total: cases.length, result });
      continue;
    }
    try {
      for (const [i, testCase] of cases.entries()) {
        signal?.throwIfAborted();
        const result = await runCase(testCase, backend, device);
        results.push(result);
        onProgress?.({ backend: backend.name, done: i + 1, total: cases.length, result });
        if (performance.now() - yielded > YIELD_AFTER) {
          await nextTask();
          yielded = performance.now();
        }
      }
    } finally {
      await backend.stop?.();
    }
  }
  return reportOf(applyRequire(results, options.require), options);
}

function blank(backend: string, device: string) {
  return { backend, device, maxAbs: null, maxRel: null, maxUlp: null, ms: 0 };
}

/** Skips of required backends become failures. */
export function applyRequire(results: readonly CaseResult[], require: RunOptions['require']): CaseResult[] {
  if (!require) return [...results];
  return results.map((result) => {
    const expected = require === true || require.includes(result.backend);
    if (!expected || result.verdict !== 'skip') return result;
    return { ...result, verdict: 'fail', reason: `required, but skipped: ${result.reason}` };
  });
}

async function runCase(testCase: ConformanceCase, backend: Backend, device: string): Promise<CaseResult> {
  const head = { ...blank(backend.name, device), case: testCase.name, op: rowOf(testCase) };
  if (testCase.kind === 'skipped') return { ...head, verdict: 'skip', reason: testCase.reason };
  if (testCase.kind === 'program' && !backend.runsModels) {
    return { ...head, verdict: 'skip', reason: `${backend.name} runs single ops only` };
  }
  const started = performance.now();
  let judgement: Judgement;
  let extra: Partial<CaseResult> = {};
  const before = backend.memory?.();
  try {
    if (testCase.kind === 'program') {
      judgement = await testCase.run({ tolerance: backend.tolerance, backend: backend.name });
    } else {
      ({ judgement, extra } = await runOpCase(testCase, backend, backend.tolerance));
    }
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0];
    judgement = error instanceof NotSupported ? { verdict: 'skip', reason } : fail(`threw: ${reason}`);
  }
  const after = backend.memory?.();
  const ms = extra.ms ?? performance.now() - started;
  if (before && after) {
    const tensors = after.numTensors - before.numTensors;
    const bytes = after.numBytes - before.numBytes;
    extra = { ...extra, leftBehind: { tensors, bytes } };
    if (tensors > 0 && judgement.verdict !== 'skip') {
      judgement = combine([judgement, fail(`${tensors} tensors (${bytes} bytes) left behind`)]);
    }
  }
  return { ...head, ...figuresOf(judgement), ...extra, ms: Number(ms.toFixed(3)) };
}

function figuresOf({
  verdict,
  reason,
  figures,
  bound,
  tensor,
  margin,
  trees,
  bits,
}: Judgement): Pick<CaseResult, 'verdict' | 'reason' | 'maxAbs' | 'maxRel' | 'maxUlp'> & Partial<CaseResult> {
  return {
    verdict,
    reason,
    maxAbs: figures?.maxAbs ?? null,
    maxRel: figures?.maxRel ?? null,
    maxUlp: figures?.maxUlp ?? null,
    ...(figures && {
      p99Ulp: figures.p99Ulp,
      meanUlp: figures.meanUlp,
      normwise: figures.normwise,
      worst: { tensor: tensor ?? '', ...figures.worst },
      histogram: figures.histogram,
    }),
    ...(bound && { bound }),
    ...(margin !== undefined && { margin }),
    ...(trees && { trees }),
    ...(bits && { bits }),
  };
}

/** Cases with more elements are run only once. */
const REPEATED_ELEMENTS = 300_000;

async function runOpCase(
  testCase: OpCase,
  backend: Backend,
  tolerance: ToleranceClass,
): Promise<{ judgement: Judgement; extra: Partial<CaseResult> }> {
  const call = (inputs: OpCase['inputs'], outputGradients: OpCase['outputGradients']) =>
    outputGradients
      ? backend.gradients(testCase.op, inputs, testCase.attributes ?? {}, outputGradients)
      : backend.run(testCase.op, inputs, testCase.attributes ?? {});
  const started = performance.now();
  const first = await call(testCase.inputs, testCase.outputGradients);
  const ms = performance.now() - started;
  const judgements = [judgeOpCase(testCase, first, tolerance)];
  let extra: Partial<CaseResult> = { ms, bits: digestOf(first.values()) };
  if (judgements[0].verdict === 'fail') {
    return { judgement: judgements[0], extra: { ...extra, ...inputsAt(testCase, judgements[0]) } };
  }
  const elements = Object.values(testCase.inputs).reduce((total, { values }) => total + values.length, 0);
  const batch = batchOf(testCase);
  if (elements > REPEATED_ELEMENTS) return { judgement: judgements[0], extra };

  // The last item on its own: detects a wrong batch offset, or a buffer left over from another call.
  const alone =
    batch > 1
      ? await call(
          itemOf(testCase, testCase.inputs, batch - 1),
          testCase.outputGradients && itemOf(testCase, testCase.outputGradients, batch - 1),
        )
      : undefined;
  const second = await call(testCase.inputs, testCase.outputGradients);
  const sameOnRepeat = [...first].every(([name, { values }]) => sameBits(values, second.get(name)!.values));
  extra = { ...extra, sameOnRepeat };
  if (!sameOnRepeat) judgements.push(fail('a second run gives other bits'));
  if (alone) {
    const sameInBatch = [...first].every(([name, { values }]) => {
      const item = alone.get(name)!.values;
      return sameBits(values.subarray(values.length - item.length), item);
    });
    extra = { ...extra, sameInBatch };
    if (!sameInBatch && specOf(testCase.op)?.batchInvariant) {
      judgements.push(fail('the last item of the batch comes out otherwise alone'));
    }
  }
  return { judgement: combine(judgements), extra };
}

/** Whether the first axis of an input is the batch, according to the op's declaration; it always is for outputs. */
function isBatched(testCase: OpCase, name: string): boolean {
  const input = declarationOf(testCase.op).inputs[name];
  return input === undefined || input.shape[0] === 'B';
}

function batchOf(testCase: OpCase): number {
  const batched = Object.keys(testCase.inputs).filter((name) => isBatched(testCase, name));
  return batched.length === 0 ? 1 : testCase.inputs[batched[0]].shape[0];
}

function itemOf(testCase: OpCase, tensors: OpCase['inputs'], item: number): OpCase['inputs'] {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => {
      if (!isBatched(testCase, name)) return [name, tensor];
      const [batch, ...rest] = tensor.shape;
      const size = tensor.values.length / batch;
      const values = tensor.values.slice(item * size, (item + 1) * size);
      return [name, { dtype: tensor.dtype, shape: [1, ...rest], values } as CaseTensor];
    }),
  );
}

/** The inputs at the position of the worst error, if they have the shape of the output. */
function inputsAt(
  testCase: OpCase,
  { figures, tensor }: Judgement,
): { worstInputs?: Record<string, string> } {
  const reference = testCase.references.find(({ of, from }) => `${of} (${from})` === tensor);
  const alike = Object.entries(testCase.inputs).filter(
    ([, { shape }]) => shape.join() === reference?.tensor.shape.join(),
  );
  if (!figures || alike.length === 0) return {};
  const at = figures.worst.index;
  return { worstInputs: Object.fromEntries(alike.map(([name, { values }]) => [name, show(values[at])])) };
}
