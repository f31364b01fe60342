/** Runs the conformance suite on backends of the page, in a separate instance of the worker. */
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { backendEntry } from 'tfjs-grootvl';
import {
  type CaseResult,
  DEFAULT_SEED,
  defineBackend,
  generatedCases,
  htmlReport,
  type Report,
  reportOf,
  runConformance,
  toJson,
} from 'tfjs-grootvl/conformance';
import { type BackendName, useBackend } from './backends.js';

/** The part of a case's result that the page shows. */
export type Outcome = Pick<
  CaseResult,
  'case' | 'op' | 'backend' | 'device' | 'verdict' | 'reason' | 'maxRel'
>;

export interface SuiteReport {
  readonly json: Blob;
  readonly html: Blob;
}

/** Results are sent in batches: a message for each would take longer than most cases. */
const SEND_AFTER_MS = 100;

/**
 * Runs the generated cases.
 * @param ops run only ops whose names contain this
 * @param onOutcomes called with the results since its last call, and the total number of cases
 * @returns the report, also of a run that was ended by the signal
 * @throws {Error} if no op has such a name
 */
export async function runSuite(
  backends: readonly BackendName[],
  ops: string,
  onOutcomes: (outcomes: readonly Outcome[], total: number) => void | Promise<void>,
  signal: AbortSignal,
): Promise<SuiteReport> {
  const seed = DEFAULT_SEED;
  const all = generatedCases(seed);
  const cases = all.filter(({ op }) => op.toLowerCase().includes(ops.trim().toLowerCase()));
  if (cases.length === 0) {
    const names = [...new Set(all.map(({ op }) => op))].join(', ');
    throw new Error(`no op has "${ops}" in its name; there are ${names}`);
  }
  const results: CaseResult[] = [];
  let sent = 0;
  let sentAt = performance.now();
  const send = async () => {
    const outcomes = results.slice(sent).map(outcomeOf);
    sent = results.length;
    sentAt = performance.now();
    await onOutcomes(outcomes, cases.length * backends.length);
  };
  let report: Report;
  try {
    report = await runConformance({
      backends: backends.map(suiteBackend),
      cases,
      seed,
      signal,
      onProgress({ result }) {
        results.push(result);
        if (performance.now() - sentAt > SEND_AFTER_MS) void send();
      },
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    report = reportOf(results, { seed, environment: { incomplete: true } });
  }
  await send();
  return {
    json: new Blob([toJson(report)], { type: 'application/json' }),
    html: new Blob([htmlReport(report)], { type: 'text/html' }),
  };
}

function suiteBackend(name: BackendName) {
  return defineBackend({
    name,
    tfjs: name,
    tolerance: backendEntry(name).tolerance,
    start: async () => (await useBackend(name)).device,
  });
}

function outcomeOf({ case: name, op, backend, device, verdict, reason, maxRel }: CaseResult): Outcome {
  return { case: name, op, backend, device, verdict, reason, maxRel };
}
