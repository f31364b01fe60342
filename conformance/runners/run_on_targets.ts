/** A run over backends of Node and of Chromium, merged into one report. */
import { OPS } from '../../plugin/ops/index.js';
import { SPECS } from '../../plugin/ops/specs.js';
import { type ConformanceCase, type Sampling, sampled } from '../case.js';
import { loadCases } from '../cases/load.js';
import { type CaseResult, mergeReports, type Report, summarize } from '../report/report.js';
import { applyRequire, type Progress, runConformance } from '../run.js';
import type { CaseSource } from '../source.js';
import { generatedCases } from '../spec_cases.js';
import { runInChromium } from './chromium.js';
import { nodeLoaders } from './node_backends.js';

import { standardBackend } from './standard.js';
import { haveSameBits, type Target } from './targets.js';

export interface TargetsOptions {
  readonly targets: readonly Target[];
  /** Case files. */
  readonly source: CaseSource;
  /** Of the generated cases. */
  readonly seed: number;
  /** Whether to run generated cases as well; true by default. */
  readonly generated?: boolean;
  /** Selects fewer cases, for tests; all by default. */
  readonly sampling?: Sampling;
  readonly require?: boolean | readonly string[];
  /** For webgl with a software renderer: see ChromiumOptions. */
  readonly fewerShaders?: boolean;
  readonly onProgress?: (progress: Progress) => void;
}

export async function runOnTargets(options: TargetsOptions): Promise<Report> {
  const {
    targets,
    source,
    seed,
    generated = true,
    sampling = [],
    fewerShaders,
    onProgress,
    require,
  } = options;
  await source.list(); // a missing folder is an error of the caller, not of a backend
  const reports: Report[] = [];
  const made = generated ? generatedCases(seed) : [];
  let cases: ConformanceCase[] | undefined;
  // One at a time, in the requested order: backends must not compete for the CPU.
  for (const group of groups(targets)) {
    if (group[0].chromium) {
      reports.push(
        await runInChromium({ targets: group, source, seed, generated, sampling, fewerShaders, onProgress }),
      );
      continue;
    }
    cases ??= sampled([...made, ...(await loadCases(source))], sampling);
    const backends = group.map((target) => standardBackend(target.backend, nodeLoaders, target));
    reports.push(await runConformance({ backends, cases, seed, onProgress }));
  }
  const merged = mergeReports(reports);
  const results = applyRequire(withSameBits(merged.cases, targets), require);
  return {
    ...merged,
    environment: {
      ...merged.environment,
      seed,
      ...(generated && { opsWithoutCases: opsWithoutCases(made) }),
    },
    cases: results,
    summary: summarize(results),
  };
}

const products = new Set(SPECS.filter(({ sumsProducts }) => sumsProducts).map(({ op }) => op.name));
/** Ops that sum no float32 products. Everything that is not an op, such as a model, sums some. */
const withoutProducts = new Set(OPS.map(({ name }) => name).filter((name) => !products.has(name)));

/** Fails results whose bits differ from those of the first of the targets that must agree. */
export function withSameBits(results: readonly CaseResult[], targets: readonly Target[]): CaseResult[] {
  const byName = new Map(targets.map((target) => [target.name, target]));
  const first = new Map<string, CaseResult>();
  return results.map((result) => {
    const target = byName.get(result.backend);
    const hasProducts = !withoutProducts.has(result.op);
    const like = target && targets.find((other) => haveSameBits(other, target, hasProducts));
    if (!like || !result.bits) return result;
    const key = `${like.name} ${result.op}: ${result.case}`;
    const reference = first.get(key) ?? result;
    first.set(key, reference);
    if (reference.bits === result.bits || result.verdict === 'fail') return result;
    return { ...result, verdict: 'fail', reason: `other bits than on ${reference.backend}` };
  });
}

/** Declared ops without a generated case: a report must not suggest that they have been tested. */
function opsWithoutCases(generated: readonly ConformanceCase[]): string[] {
  const tested = new Set(generated.map(({ op }) => op));
  // Kernels of gradients are tested through their op.
  for (const { gradientKernel } of SPECS) if (gradientKernel) tested.add(gradientKernel.op.name);
  return OPS.map(({ name }) => name).filter((name) => !tested.has(name));
}

/** Groups targets that can share a process or a page. */
function groups(targets: readonly Target[]): Target[][] {
  const found = new Map<string, Target[]>();
  for (const target of targets) {
    const page = target.ownPage ? target.name : target.isolated;
    const key = target.chromium ? `chromium ${page}` : 'node';
    found.set(key, [...(found.get(key) ?? []), target]);
  }
  return [...found.values()];
}
