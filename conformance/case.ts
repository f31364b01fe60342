/**
 * The case format: what is run, with which inputs, and what must come out. Cases are plain data (or, for whole
 * networks, a short program over tfjs), so the same ones run in Node and in a page.
 */
import type { ToleranceClass } from '../plugin/backends.js';
import type { Attributes } from '../plugin/ops/declaration.js';
import type { Bound } from '../plugin/ops/spec/bound.js';
import type { CaseTensor } from '../plugin/ops/spec/tensor.js';
import type { Judgement } from './judgement.js';

export { type CaseTensor, float32, float64, int32 } from '../plugin/ops/spec/tensor.js';

/** A value that an output must have. An output may have several: what a file says, and what an oracle says. */
export interface Reference {
  /** Name of the op's output; in a gradient case, of the input whose gradient it is. */
  readonly of: string;
  /** Where the value comes from: a tensor of a file, or `float64 oracle`. */
  readonly from: string;
  readonly tensor: CaseTensor;
  /** In place of the op's own bound. */
  readonly bound?: Bound;
  /** Only held against backends of this tolerance class. */
  readonly only?: ToleranceClass;
}

/** One call of one op. */
export interface OpCase {
  readonly kind: 'op';
  /** Unique together with `op`; file cases start with the file's name. */
  readonly name: string;
  /** Name of a declared op. */
  readonly op: string;
  /** By the input names of the op's declaration. */
  readonly inputs: Readonly<Record<string, CaseTensor>>;
  readonly attributes?: Attributes;
  /** When given, by output name, the gradients in the inputs are compared instead of the outputs. */
  readonly outputGradients?: Readonly<Record<string, CaseTensor>>;
  readonly references: readonly Reference[];
  /** Set when the case contradicts itself (a file against the float64 oracle): it then fails on every backend. */
  readonly contradiction?: string;
}

/** What a program case is told about where it runs. The tfjs backend under test is the current one. */
export interface ProgramContext {
  readonly tolerance: ToleranceClass;
  readonly backend: string;
}

/** Several ops in a row, up to a whole model: needs a backend that tfjs can run on. */
export interface ProgramCase {
  readonly kind: 'program';
  readonly name: string;
  /** What the row of the report is called, such as `GrootV, trees pinned`. */
  readonly op: string;
  /** Leaves no tensor behind. @throws when it cannot be run: the case then fails with the message */
  readonly run: (context: ProgramContext) => Promise<Judgement>;
}

/** A case that cannot be run anywhere, with the reason. */
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

/** Name of the row of the report in which a case appears. */
export function rowOf(testCase: ConformanceCase): string {
  if (testCase.kind === 'op' && testCase.outputGradients) return `${testCase.op} gradient`;
  return testCase.op;
}

/** Of the cases of a row of the report whose `row: name` matches the expression, so many are run. */
export type Sampling = readonly (readonly [expression: string, count: number])[];

/** No case but those whose `row: name` matches. */
export function onlyMatching(expression: string): Sampling {
  return [[`^(?!.*(?:${expression}))`, 0]];
}

/** Those of the first expression that matches, evenly spaced; all cases that none matches. */
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
