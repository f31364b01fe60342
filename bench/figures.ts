/** Generates the benchmark figures in documents from a report: see scripts/bench_figures.mjs. */
import { boruvkaMSTSpec } from '../plugin/ops/boruvka_mst.spec.js';
import { treeScanSpec } from '../plugin/ops/tree_scan.spec.js';
import { STAGES, sizeName } from './perf_calls.js';
import { type BenchReport, environmentLine, markdownReport, markdownTable } from './report.js';

const FIGURES: Readonly<Record<string, (report: BenchReport) => string>> = {
  tables: markdownReport,
  summary,
};

/** A document with the figures of `report` inserted between `<!-- bench: tables -->`, or `summary`, and `<!-- bench: end -->`. */
export function withFigures(document: string, report: BenchReport): string {
  return document.replace(
    /(<!-- bench: (\w+) -->\n).*?(<!-- bench: end -->)/gs,
    (block, start: string, name: string, end: string) =>
      FIGURES[name] ? `${start}\n${FIGURES[name](report)}\n\n${end}` : block,
  );
}

/** A few rows for the front page. */
function summary(report: BenchReport): string {
  const { ops = [], products = [], prediction, language } = report;
  const [stage] = STAGES.map(sizeName);
  const opRows = [treeScanSpec, boruvkaMSTSpec].flatMap(({ op }) => {
    const time = ops.find((time) => time.op === op.name && time.stage === stage);
    if (!time) return [];
    const { us, nativeUs, alternativeUs, alternative } = time;
    const ratios = [
      nativeUs && `${(us / nativeUs).toFixed(2)} times native code`,
      alternativeUs && `${(alternativeUs / us).toFixed(1)} times as fast as a ${alternative}`,
    ];
    return [[`${op.name}, ${stage}`, [`${us.toFixed(0)} us`, ...ratios.filter(Boolean)].join(', ')]];
  });
  const rates = products.map(({ linear }) => linear);
  const ratios = products.map(({ linear, matMul }) => linear / matMul);
  const between = (values: readonly number[], digits: number) =>
    `${Math.min(...values).toFixed(digits)}-${Math.max(...values).toFixed(digits)}`;
  const rows = [
    prediction && [
      'one prediction of GrootV-T, 224 x 224',
      `${prediction.fused.ms.toFixed(0)} ms in ${prediction.fused.kernelCalls} kernel calls; the same graph with ` +
        `built-in ops ${prediction.builtIn.ms.toFixed(0)} ms in ${prediction.builtIn.kernelCalls}`,
    ],
    ...opRows,
    products.length > 0 && [
      'matrix products',
      `${between(rates, 0)} GFLOP/s on one core, ${between(ratios, 2)} times tfjs's`,
    ],
    language && [
      `GrootL, ${(language.parameters / 1e6).toFixed(0)}M parameters (random weights)`,
      `a prompt of ${language.promptTokens} tokens in ${(language.prefillMs / 1000).toFixed(1)} s, ` +
        `${(language.prefillMs / language.productMs).toFixed(2)} times their matrix products; then ` +
        `${language.tokenMs.toFixed(0)} ms per token, ${(language.tokenMs / language.readMs).toFixed(1)} times reading ` +
        `the weights once; ${(language.peakBytes / 1e6).toFixed(0)} MB of memory, ` +
        `${(language.peakBytes / language.weightBytes).toFixed(1)} times the weights`,
    ],
  ];
  return `${environmentLine(report)}:\n\n${markdownTable(
    ['', ''],
    rows.filter((row) => !!row),
  )}`;
}
