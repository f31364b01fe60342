/** One run over backends of Node and of Chromium, merged into one report. */
import { OPS } from '../../plugin/ops/index.js';
import type { ConformanceCase } from '../case.js';
import { loadCases } from '../cases/load.js';
import { generatedCases } from '../generated/generated.js';
import { mergeReports, type Report, summarize } from '../report/report.js';
import { applyRequire, type Progress, runConformance } from '../run.js';
import type { CaseSource } from '../source.js';
import { runInChromium } from './chromium.js';
import { nodeLoaders } from './node_backends.js';
import type { Place } from './places.js';
import { standardBackend } from './standard.js';

export interface EverywhereOptions {
  readonly places: readonly Place[];
  /** Case files. */
  readonly source: CaseSource;
  /** Of the generated cases. */
  readonly seed: number;
  /** Generated cases are run too; true by default. */
  readonly generated?: boolean;
  readonly require?: boolean | readonly string[];
  readonly onProgress?: (progress: Progress) => void;
}

export async function runEverywhere(options: EverywhereOptions): Promise<Report> {
  const { places, source, seed, generated = true, onProgress, require } = options;
  await source.list(); // a folder that is not there is an error of the caller, not of a backend
  const reports: Report[] = [];
  const made = generated ? generatedCases(seed) : [];
  let cases: ConformanceCase[] | undefined;
  // One by one, in the order asked for: backends must not compete for the processor.
  for (const group of groups(places)) {
    if (group[0].chromium) {
      reports.push(await runInChromium({ places: group, source, seed, generated, onProgress }));
      continue;
    }
    cases ??= [...made, ...(await loadCases(source))];
    const backends = group.map(({ backend, name }) => standardBackend(backend, nodeLoaders, name));
    reports.push(await runConformance({ backends, cases, seed, onProgress }));
  }
  const merged = mergeReports(reports);
  const results = applyRequire(merged.cases, require);
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

/** Declared ops that no generated case runs: a report must not look as if they had been tested. */
function opsWithoutCases(generated: readonly ConformanceCase[]): string[] {
  const tested = new Set(generated.map(({ op }) => op));
  // The gradient of a scan is tested through the scan.
  tested.add('TreeScanGradient');
  return OPS.map(({ name }) => name).filter((name) => !tested.has(name));
}

/** Places that can share a process or a page. */
function groups(places: readonly Place[]): Place[][] {
  const found = new Map<string, Place[]>();
  for (const place of places) {
    const key = place.chromium ? `chromium ${place.isolated}` : 'node';
    found.set(key, [...(found.get(key) ?? []), place]);
  }
  return [...found.values()];
}
