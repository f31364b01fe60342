/** The report: what `--report x.json` holds. */
import type { Bound } from '../../plugin/ops/spec/bound.js';
import type { TreePair, Verdict } from '../judgement.js';

export interface Environment {
  /** ISO 8601. */
  readonly date: string;
  /** Node's version, or the page's user agent. */
  readonly runtime: string;
  /** Replays the generated cases: `--seed`. */
  readonly seed?: number;
  /** The run was ended before its last case. */
  readonly incomplete?: true;
  /** Pages in which backends ran, by name of the environment. */
  readonly browsers?: Readonly<Record<string, BrowserDescription>>;
  readonly [more: string]: unknown;
}

export interface BrowserDescription {
  readonly userAgent: string;
  readonly crossOriginIsolated: boolean;
  /** WebGL renderer string, where there is WebGL. */
  readonly renderer?: string;
}

/** One case on one backend. Numbers are null where nothing was compared. */
export interface CaseResult {
  readonly case: string;
  readonly op: string;
  readonly backend: string;
  /** What the backend ran on, and whose kernels it used. */
  readonly device: string;
  readonly verdict: Verdict;
  readonly reason: string;
  readonly maxAbs: number | null;
  /** maxAbs over the largest |expected|. */
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
  /** Of a tie-flip: by how much weight the tree misses the minimum. */
  readonly margin?: number;
  readonly trees?: readonly TreePair[];
  /** Stands for the bits of the results: targets of `wasm` must give the same (`haveSameBits`). */
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
 * The report of results, such as `onProgress` has given before a run was ended.
 * @param about.seed of the generated cases, to be noted
 * @param about.environment what it says of where it was made, `incomplete` among it; found out when left out
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

/** One report of several, such as of Node and of a page. */
export function mergeReports(reports: readonly Report[]): Report {
  const cases = reports.flatMap((report) => report.cases);
  const browsers = Object.assign({}, ...reports.map(({ environment }) => environment.browsers));
  // The first report was made where the run was started.
  const environment = Object.assign({}, ...reports.map((report) => report.environment).reverse(), {
    browsers,
  });
  return { environment, cases, summary: summarize(cases) };
}

/** JSON, with infinities and NaN as text, since JSON has none. */
export function toJson(report: Report): string {
  return JSON.stringify(
    report,
    (_, value) => (typeof value === 'number' && !Number.isFinite(value) ? String(value) : value),
    2,
  );
}
