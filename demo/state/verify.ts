/** A run of the conformance suite: its table of ops and backends, which fills while it runs, and its report. */
import { signal } from '@preact/signals';
import { proxy } from 'comlink';
import type { BackendName } from '../engine/backends.js';
import type { Outcome } from '../engine/suite.js';
import { error, newWorker } from './engine.js';

export type Verdict = Outcome['verdict'];

/** The cases of an op on a backend. */
export interface Cell {
  readonly counts: Readonly<Record<Verdict, number>>;
  /** The largest error, relative to the largest value of its tensor. */
  readonly maxRel: number;
}

export interface Run {
  readonly backends: readonly BackendName[];
  /** By op, then by backend. */
  readonly matrix: ReadonlyMap<string, ReadonlyMap<string, Cell>>;
  /** The device of each backend. */
  readonly devices: ReadonlyMap<string, string>;
  readonly failures: readonly Outcome[];
  readonly done: number;
  readonly total: number;
  readonly seconds: number;
  /** URLs of the report, once complete. */
  readonly report?: { readonly json: string; readonly html: string };
}

const NO_CELL: Cell = { counts: { pass: 0, 'tie-flip': 0, fail: 0, skip: 0 }, maxRel: 0 };
/** Time limit for a run to end when asked to: a case may take long. */
const STOP_LIMIT_MS = 5_000;

/** The last run. */
export const run = signal<Run | undefined>();
export const running = signal<AbortController | undefined>();

/** Ends the run after its current case. */
export function stop(): void {
  running.value?.abort();
}

/** @param ops run only ops whose names contain this; empty: all */
export async function verify(backends: readonly BackendName[], ops: string): Promise<void> {
  const controller = new AbortController();
  const { worker, remote } = newWorker();
  const started = performance.now();
  const collected = new Collected(backends);
  const show = (total: number, report?: Run['report']) => {
    const seconds = (performance.now() - started) / 1000;
    run.value = { ...collected.result(), total, seconds, report };
  };
  if (run.value?.report) Object.values(run.value.report).forEach(URL.revokeObjectURL);
  running.value = controller;
  error.value = undefined;
  show(0);
  try {
    const failed = new Promise<never>((_, reject) => {
      worker.onerror = ({ message }) => reject(new Error(`the worker of the suite has failed: ${message}`));
      controller.signal.addEventListener('abort', () => {
        setTimeout(() => reject(new Error('the suite was stopped; there is no report of it')), STOP_LIMIT_MS);
      });
    });
    let cases = 0;
    const onOutcomes = proxy((outcomes: readonly Outcome[], total: number) => {
      cases = total;
      collected.add(outcomes);
      show(total);
    });
    const { json, html } = await Promise.race([
      remote.runSuite(backends, ops, onOutcomes, controller.signal),
      failed,
    ]);
    show(cases, { json: URL.createObjectURL(json), html: URL.createObjectURL(html) });
  } catch (reason) {
    error.value = (reason as Error).message;
  } finally {
    worker.terminate();
    running.value = undefined;
  }
}

class Collected {
  private readonly matrix = new Map<string, Map<string, Cell>>();
  private readonly devices = new Map<string, string>();
  private readonly failures: Outcome[] = [];
  private done = 0;

  constructor(private readonly backends: readonly BackendName[]) {}

  add(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      const { op, backend, device, verdict, maxRel } = outcome;
      const row = this.matrix.get(op) ?? new Map<string, Cell>();
      const cell = row.get(backend) ?? NO_CELL;
      row.set(backend, {
        counts: { ...cell.counts, [verdict]: cell.counts[verdict] + 1 },
        maxRel: Math.max(cell.maxRel, maxRel ?? 0),
      });
      this.matrix.set(op, row);
      if (device) this.devices.set(backend, device.split(';')[0]);
      if (verdict === 'fail') this.failures.push(outcome);
    }
    this.done += outcomes.length;
  }

  result(): Pick<Run, 'backends' | 'matrix' | 'devices' | 'failures' | 'done'> {
    const { backends, matrix, devices, failures, done } = this;
    return { backends, matrix, devices, failures: [...failures], done };
  }
}
