/** What a run of the benchmark found, and its form for people. */
import type { CallTimes } from './calls.js';
import type { LanguageModelTimes } from './language_model.js';
import type { ProductTime } from './matrix_products.js';
import type { OpTime } from './ops.js';
import type { PredictionTime } from './prediction.js';
import type { ScalingTime } from './scaling.js';

export interface BenchReport {
  readonly environment: {
    readonly backend: string;
    readonly threads: number;
    readonly cpu: string;
    readonly runtime: string;
    readonly tfjs: string;
    /** ISO 8601. */
    readonly date: string;
    /** Why there are no native times, when there are none. */
    readonly nativeMissing?: string;
  };
  readonly ops?: readonly OpTime[];
  /** With `ops`. */
  readonly calls?: CallTimes;
  /** GFLOP/s of this core in 128-bit vectors without fused multiply-add; native code found it. */
  readonly peak?: number;
  readonly products?: readonly ProductTime[];
  readonly scaling?: readonly ScalingTime[];
  readonly prediction?: PredictionTimes;
  readonly language?: LanguageModelTimes;
}

interface PredictionTimes {
  readonly fused: PredictionTime;
  readonly stock: PredictionTime;
  /** Largest difference between the logits of the two. */
  readonly largestDifference: number;
}

/** Kernels listed of a prediction. */
const LISTED = 10;

export function formatReport(report: BenchReport): string {
  const { environment, ops, calls, peak, products, scaling, prediction, language } = report;
  const { backend, threads, cpu, runtime, tfjs, date, nativeMissing } = environment;
  const sections = [
    ops && calls && opLines(ops, calls),
    products && productLines(products, peak),
    scaling && scalingLines(scaling),
    prediction && predictionLines(prediction),
    language && languageLines(language),
  ];
  return [
    `${backend}, ${threads} thread${threads === 1 ? '' : 's'}, ${cpu}, ${runtime}, tfjs ${tfjs}, ${date}`,
    ...(nativeMissing ? [`no native times: ${nativeMissing}`] : []),
    ...sections.flatMap((lines) => (lines ? ['', ...lines] : [])),
  ].join('\n');
}

function opLines(ops: readonly OpTime[], calls: CallTimes): string[] {
  return [
    'ops at the stages of GrootV-T (V x D), microseconds through the public API',
    table(
      ['stage', 'op', 'us', '/ triad', 'alternative / ours', '/ native', 'less the call'],
      ops.map(({ stage, op, us, triadUs, alternativeUs, alternative, nativeUs }) => [
        stage,
        op,
        us.toFixed(1),
        triadUs > 0 ? (us / triadUs).toFixed(2) : '',
        alternativeUs ? `${(alternativeUs / us).toFixed(1)} (${alternative})` : '',
        nativeUs ? (us / nativeUs).toFixed(2) : '',
        nativeUs ? ((us - calls[op as keyof CallTimes]) / nativeUs).toFixed(2) : '',
      ]),
    ),
    `a call takes ${calls.treeScan.toFixed(1)} us (treeScan) and ${calls.boruvkaMST.toFixed(1)} us (boruvkaMST) on two vertices`,
  ];
}

function productLines(products: readonly ProductTime[], peak: number | undefined): string[] {
  return [
    `matrix products, GFLOP/s${peak ? ` (this core can do ${peak.toFixed(0)} in 128-bit vectors)` : ''}`,
    table(
      ['rows x inputs x outputs', 'Linear', 'tfjs matMul', 'ratio'],
      products.map(({ shape, linear, matMul }) => [
        shape,
        linear.toFixed(1),
        matMul.toFixed(1),
        (linear / matMul).toFixed(2),
      ]),
    ),
  ];
}

function scalingLines(scaling: readonly ScalingTime[]): string[] {
  return [
    'cost against the number of vertices, nanoseconds',
    table(
      ['V', 'scan per vertex and channel', 'triad', 'tree per vertex'],
      scaling.map(({ vertices, scanNs, triadNs, treeNs }) => [
        `${vertices}`,
        scanNs.toFixed(3),
        triadNs.toFixed(3),
        treeNs.toFixed(1),
      ]),
    ),
  ];
}

function predictionLines({ fused, stock, largestDifference }: PredictionTimes): string[] {
  const kernels = (time: PredictionTime) =>
    table(
      ['kernel', 'calls', 'ms'],
      time.kernels.slice(0, LISTED).map(({ kernel, calls, ms }) => [kernel, `${calls}`, ms.toFixed(2)]),
    );
  return [
    `GrootV-T, 224 x 224, batch 1: fused ${fused.ms.toFixed(0)} ms in ${fused.kernelCalls} kernel calls, stock ops ` +
      `${stock.ms.toFixed(0)} ms in ${stock.kernelCalls}; ratio ${(fused.ms / stock.ms).toFixed(2)}; ` +
      `logits differ by at most ${largestDifference.toExponential(1)}`,
    'fused:',
    kernels(fused),
    'stock:',
    kernels(stock),
  ];
}

function languageLines(times: LanguageModelTimes): string[] {
  const { parameters, weightBytes, promptTokens, prefillMs, productMs, productRate } = times;
  const { tokenMs, readMs, nativeReadMs, peakBytes, rounds } = times;
  const row = (what: string, given: number, beside: string, other: number, digits: number) => [
    what,
    given.toFixed(digits),
    beside,
    other.toFixed(digits),
    (given / other).toFixed(2),
  ];
  const megabytes = (bytes: number) => bytes / 1e6;
  return [
    `GrootL, ${(parameters / 1e6).toFixed(0)}M parameters, random weights, medians of ${rounds} rounds`,
    table(
      ['what', 'is', 'beside', 'is', 'ratio'],
      [
        row(
          `${promptTokens} tokens of a prompt, ms`,
          prefillMs,
          `their matrix products at ${productRate.toFixed(0)} GFLOP/s`,
          productMs,
          0,
        ),
        row('a token, ms', tokenMs, 'reading the weights once, WebAssembly', readMs, 1),
        ...(nativeReadMs ? [row('', tokenMs, 'the same in native code', nativeReadMs, 1)] : []),
        row('peak memory, MB', megabytes(peakBytes), 'weights', megabytes(weightBytes), 0),
      ],
    ),
  ];
}

/** Columns padded to their widest entry; the first column to the left, numbers to the right. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  return [header, ...rows]
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
    )
    .join('\n');
}
