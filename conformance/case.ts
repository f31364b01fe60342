/**
 * The case format: what to run, with which inputs, and the expected outputs. Cases are plain data (or, for whole networks, a
 * short tfjs program), so the same ones run in Node and in a page.
 */
import type { ToleranceClass } from '../plugin/backends.js';
import type { Attributes } from '../plugin/ops/declaration.js';
import type { Bound } from '../plugin/ops/spec/bound.js';
import type { CaseTensor } from '../plugin/ops/spec/tensor.js';
import type { Judgement } from './judgement.js';

export { type CaseTensor, float32, float64, int32 } from '../plugin/ops/spec/tensor.js';

/** The expected value of an output. An output may have several: that of a file, and that of an oracle. */
export interface Reference {
  /** Name of the op's output, or, in a gradient case, of the input that the gradient belongs to. */
  readonly of: string;
  /** Source of the value: a tensor of a file, or `float64 oracle`. */
  readonly from: string;
  readonly tensor: CaseTensor;
  /** Replaces the op's own bound. */
  readonly bound?: Bound;
  /** Only compared on backends of this tolerance class. */
  readonly only?: ToleranceClass;
}

/** One call of one op. */
export interface OpCase {
  readonly kind: 'op';
  /** Unique together with `op`; names of file cases start with the file's name. */
  readonly name: string;
  /** Name of a declared op. */
  readonly op: string;
  /** By input name in the op's declaration. */
  readonly inputs: Readonly<Record<string, CaseTensor>>;
  readonly attributes?: Attributes;
  /** If given, by output name: compare the gradients with respect to the inputs instead of the outputs. */
  readonly outputGradients?: Readonly<Record<string, CaseTensor>>;
  readonly references: readonly Reference[];
  /** Set if the case contradicts itself (a file against the float64 oracle): it then fails on every backend. */
  readonly contradiction?: string;
}

/** Context of a program case. The tfjs backend under test is the current one. */
export interface ProgramContext {
  readonly tolerance: ToleranceClass;
  readonly backend: string;
}

/** A sequence of ops, up to a whole model: needs a backend that tfjs can run on. */
export interface ProgramCase {
  readonly kind: 'program';
  readonly name: string;
  /** Name of the row in the report, such as `GrootV, trees pinned`. */
  readonly op: string;
  /** Leaves no tensors behind. @throws if it cannot be run: the case then fails with the message */
  readonly run: (context: ProgramContext) => Promise<Judgement>;
}

/** A case that cannot be run on any backend, with the reason. */
export interface SkippedCase {
  readonly kind: 'skipped';
  readonly name: string;
  readonly op: string;
  readonly reason: string;
}

export type ConformanceCase = OpCase | ProgramCase | SkippedCase;

export function programCase(name: string, op: string, run: ProgramCase['run']): ProgramCase {
  return { kind: 'program', name, op, run };
}

export function skippedCase(name: string, op: string, reason: string): SkippedCase {
  return { kind: 'skipped', name, op, reason };
}

/** Name of the report row that a case belongs to. */
export function rowOf(testCase: ConformanceCase): string {
  if (testCase.kind === 'op' && testCase.outputGradients) return `${testCase.op} gradient`;
  return testCase.op;
}

/** Pairs of an expression and a number: in each report row, that many of the cases whose `row: name` matches are run. */
export type Sampling = readonly (readonly [expression: string, count: number])[];

/** Selects only the cases whose `row: name` matches. */
export function onlyMatching(expression: string): Sampling {
  return [[`^(?!.*(?:${expression}))`, 0]];
}

/** The cases selected by the first expression that matches them, evenly spaced in each row; cases that match none are kept. */
export function sampled(cases: readonly ConformanceCase[], sampling: Sampling): ConformanceCase[] {
  const rules = sampling.map(([expression, count]) => ({ expression: new RegExp(expression), count }));
  const groups = new Map<string, { readonly count: number; readonly cases: ConformanceCase[] }>();
  for (const each of cases) {
    const row = rowOf(each);
    const i = rules.findIndex(({ expression }) => expression.test(`${row}: ${each.name}`));
    const key = i < 0 ? '' : `${i} ${row}`;
    if (!groups.has(key)) groups.set(key, { count: rules[i]?.count ?? Number.POSITIVE_INFINITY, cases: [] });
    groups.get(key)?.cases.push(each);
  }
  const kept = new Set(
    [...groups.values()].flatMap(({ count, cases }) => {
      const step = Math.max(1, cases.length / count);
      return cases.filter((_, i) => Math.floor((i + 1) / step) > Math.floor(i / step));
    }),
  );
  return cases.filter((each) => kept.has(each));
}
