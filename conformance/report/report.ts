/** The report: the content of `--report x.json`. */
import type { Bound } from '../../plugin/ops/spec/bound.js';
import type { TreePair, Verdict } from '../judgement.js';

export interface Environment {
  /** ISO 8601. */
  readonly date: string;
  /** Node version, or the page's user agent. */
  readonly runtime: string;
  /** Seed to repeat the generated cases: `--seed`. */
  readonly seed?: number;
  /** Set if the run was ended before its last case. */
  readonly incomplete?: true;
  /** Pages in which backends ran, by name of the environment. */
  readonly browsers?: Readonly<Record<string, BrowserDescription>>;
  readonly [more: string]: unknown;
}

export interface BrowserDescription {
  readonly userAgent: string;
  readonly crossOriginIsolated: boolean;
  /** WebGL renderer string, if WebGL is available. */
  readonly renderer?: string;
}

/** One case on one backend. Numbers are null if nothing was compared. */
export interface CaseResult {
  readonly case: string;
  readonly op: string;
  readonly backend: string;
  /** The device of the backend, and whose kernels it used. */
  readonly device: string;
  readonly verdict: Verdict;
  readonly reason: string;
  readonly maxAbs: number | null;
  /** maxAbs / largest |expected|. */
  readonly maxRel: number | null;
  readonly maxUlp: number | null;
  readonly ms: number;
  readonly p99Ulp?: number;
  readonly meanUlp?: number;
  readonly normwise?: number;
  readonly worst?: {
    readonly tensor: string;
    readonly index: number;
    readonly given: number;
    readonly expected: number;
  };
  readonly worstInputs?: Readonly<Record<string, string>>;
  readonly histogram?: readonly number[];
  readonly bound?: Bound;
  /** For a tie-flip: the excess weight of the tree over the minimum. */
  readonly margin?: number;
  readonly trees?: readonly TreePair[];
  /** Digest of the results: targets of `wasm` must give the same one (`haveSameBits`). */
  readonly bits?: string;
  readonly sameOnRepeat?: boolean;
  readonly sameInBatch?: boolean;
  readonly leftBehind?: { readonly tensors: number; readonly bytes: number };
}

export type Counts = Record<Verdict, number>;

export interface Summary extends Counts {
  readonly total: number;
  readonly backends: Readonly<Record<string, Counts>>;
}

export interface Report {
  readonly environment: Environment;
  readonly cases: readonly CaseResult[];
  readonly summary: Summary;
}

export function summarize(cases: readonly CaseResult[]): Summary {
  const none = (): Counts => ({ pass: 0, 'tie-flip': 0, fail: 0, skip: 0 });
  const all = none();
  const backends: Record<string, Counts> = {};
  for (const { backend, verdict } of cases) {
    backends[backend] ??= none();
    backends[backend][verdict]++;
    all[verdict]++;
  }
  return { ...all, total: cases.length, backends };
}

/**
 * The report of results, such as those passed to `onProgress` before a run was ended.
 * @param about.seed of the generated cases, recorded in the report
 * @param about.environment including `incomplete`; detected by default
 */
export function reportOf(
  cases: readonly CaseResult[],
  about: { readonly seed?: number; readonly environment?: Partial<Environment> } = {},
): Report {
  const { seed, environment } = about;
  return {
    environment: { ...describeEnvironment(), ...(seed !== undefined && { seed }), ...environment },
    cases,
    summary: summarize(cases),
  };
}

function describeEnvironment(): Environment {
  const agent = typeof navigator === 'undefined' ? undefined : navigator.userAgent;
  const versions = typeof process === 'undefined' ? undefined : process.versions?.node;
  return {
    date: new Date().toISOString(),
    runtime: versions && typeof window === 'undefined' ? `Node ${versions}` : (agent ?? 'unknown'),
  };
}

/** Merges several reports, such as those of Node and of a page. */
export function mergeReports(reports: readonly Report[]): Report {
  const cases = reports.flatMap((report) => report.cases);
  const browsers = Object.assign({}, ...reports.map(({ environment }) => environment.browsers));
  // The first report is from the environment in which the run was started.
  const environment = Object.assign({}, ...reports.map((report) => report.environment).reverse(), {
    browsers,
  });
  return { environment, cases, summary: summarize(cases) };
}

/** JSON, with infinities and NaN as strings, since JSON has none. */
export function toJson(report: Report): string {
  return JSON.stringify(
    report,
    (_, value) => (typeof value === 'number' && !Number.isFinite(value) ? String(value) : value),
    2,
  );
}
