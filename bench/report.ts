/** The results of a benchmark as tables: text for terminals, markdown for documents. */
import type { ColdTimes } from './cold.js';
import type { ConvolutionTime } from './convolutions.js';
import type { DenseTimes } from './dense.js';
import type { GroupTime } from './groups.js';
import type { ImageTimes } from './images.js';
import type { PageTimes } from './in_page.js';
import type { LanguageModelTimes } from './language_model.js';
import type { ProductTime } from './matrix_products.js';
import { type OpTime, SMALLEST_STAGE } from './ops.js';
import type { KernelShare, PredictionTime, PredictionTimes } from './prediction.js';
import type { ScalingTime } from './scaling.js';
import type { ScanTime } from './scans.js';
import type { ThreadsTime } from './threads_page.js';
import type { TrainingTimes } from './training.js';

export interface BenchReport {
  readonly environment: {
    readonly backend: string;
    readonly threads: number;
    readonly cpu: string;
    readonly runtime: string;
    readonly tfjs: string;
    /** ISO 8601. */
    readonly date: string;
    /** Why there are no native times, if so. */
    readonly nativeMissing?: string;
  };
  readonly ops?: readonly OpTime[];
  /** GFLOP/s of this core in 128-bit vectors without fused multiply-add, measured by native code; with `products`. */
  readonly peak?: number;
  readonly products?: readonly ProductTime[];
  readonly convolutions?: readonly ConvolutionTime[];
  readonly scaling?: readonly ScalingTime[];
  readonly groups?: readonly GroupTime[];
  readonly prediction?: PredictionTimes;
  /** In a page of Chromium. */
  readonly page?: PageTimes;
  readonly cold?: ColdTimes;
  readonly threads?: ThreadsTime;
  /** Why nothing was measured in a page, if so. */
  readonly pageMissing?: string;
  readonly scans?: readonly ScanTime[];
  readonly dense?: readonly DenseTimes[];
  readonly training?: TrainingTimes;
  readonly language?: LanguageModelTimes;
  readonly images?: ImageTimes;
}

/** The first column is text, the others are numbers. */
interface Table {
  readonly title: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Number of kernels to list per prediction. */
const LISTED = 10;

/** The report as text. */
export function formatReport(report: BenchReport): string {
  const { nativeMissing } = report.environment;
  const { pageMissing } = report;
  return [
    environmentLine(report),
    ...(nativeMissing ? [`no native times: ${nativeMissing}`] : []),
    ...(pageMissing ? [`nothing measured in a page: ${pageMissing}`] : []),
    ...tablesOf(report).flatMap(({ title, header, rows }) => ['', title, columns([header, ...rows])]),
  ].join('\n');
}

/** The report as markdown. */
export function markdownReport(report: BenchReport): string {
  return [
    `${environmentLine(report)}.`,
    ...tablesOf(report).flatMap(({ title, header, rows }) => [`${title}:`, markdownTable(header, rows)]),
  ].join('\n\n');
}

/** What was measured, where and when. */
export function environmentLine({ environment }: BenchReport): string {
  const { backend, threads, cpu, runtime, tfjs, date } = environment;
  return `${backend}, ${threads} thread${threads === 1 ? '' : 's'}, ${cpu}, ${runtime}, tfjs ${tfjs}, ${date}`;
}

function tablesOf(report: BenchReport): Table[] {
  const of = <Figures>(figures: Figures | undefined, tables: (figures: Figures) => Table | Table[]) =>
    figures === undefined ? [] : [tables(figures)].flat();
  const limit = report.peak ? ` (this core can do ${report.peak.toFixed(0)} in 128-bit vectors)` : '';
  return [
    ...of(report.ops, opTables),
    ...of(report.products, (products) => productTable(products, limit)),
    ...of(report.convolutions, convolutionTable),
    ...of(report.scaling, scalingTable),
    ...of(report.groups, groupsTable),
    ...of(report.prediction, (times) => predictionTables(times, 'GrootV-T')),
    ...of(report.page, pageTables),
    ...of(report.cold, coldTable),
    ...of(report.threads, threadsTables),
    ...of(report.scans, scansTable),
    ...of(report.dense, denseTables),
    ...of(report.training, trainingTable),
    ...of(report.language, languageTable),
    ...of(report.images, imagesTable),
  ];
}

/** @param columns the cell of a row for each header */
function tableOf<Row>(
  title: string,
  rows: readonly Row[],
  columns: Readonly<Record<string, (row: Row) => string>>,
): Table {
  const cells = Object.values(columns);
  return { title, header: Object.keys(columns), rows: rows.map((row) => cells.map((cell) => cell(row))) };
}

function opTables(ops: readonly OpTime[]): Table[] {
  const stages = [...new Set(ops.map(({ stage }) => stage))];
  const names = [...new Set(ops.map(({ op }) => op))];
  const find = (op: string, stage: string) => ops.find((time) => time.op === op && time.stage === stage);
  /** One row per op, one column per stage; ops without any figure are left out. */
  const byStage = (title: string, figure: (time: OpTime) => string | undefined, of = stages): Table => {
    const rows = names.map((op) => [
      op,
      ...of.map((stage) => {
        const time = find(op, stage);
        return (time && figure(time)) ?? '';
      }),
    ]);
    return { title, header: ['op', ...of], rows: rows.filter((row) => row.slice(1).some((cell) => cell)) };
  };
  const large = stages.filter((stage) => stage !== SMALLEST_STAGE);
  const callUs = (op: string) => find(op, SMALLEST_STAGE)?.us ?? 0;
  const over = (alternative: OpTime['alternative']) => (time: OpTime) =>
    time.alternative === alternative && time.alternativeUs
      ? (time.alternativeUs / time.us).toFixed(1)
      : undefined;
  const tables = [
    byStage('Microseconds per call of the public API', ({ us }) => us.toFixed(1)),
    byStage(
      'Time relative to an addition of the same number of bytes',
      ({ us, triadUs }) => (us / triadUs).toFixed(2),
      large,
    ),
    byStage('Time of the composed built-in ops relative to ours', over('built-in ops'), large),
    byStage('Time of a JavaScript loop over dataSync() relative to ours', over('JavaScript loop'), large),
    byStage(
      'Time relative to native code',
      ({ us, nativeUs }) => (nativeUs ? (us / nativeUs).toFixed(2) : undefined),
      large,
    ),
    byStage(
      `Time relative to native code, minus a call at ${SMALLEST_STAGE}`,
      ({ op, us, nativeUs }) => (nativeUs ? ((us - callUs(op)) / nativeUs).toFixed(2) : undefined),
      large,
    ),
  ];
  return tables.filter(({ rows }) => rows.length > 0);
}

/** @param where follows the unit in the title */
function productTable(products: readonly ProductTime[], where: string): Table {
  return tableOf(`Matrix products, GFLOP/s${where}`, products, {
    'rows x inputs x outputs': ({ shape }) => shape,
    linear: ({ linear }) => linear.toFixed(1),
    'tfjs matMul': ({ matMul }) => matMul.toFixed(1),
    ratio: ({ linear, matMul }) => (linear / matMul).toFixed(2),
    '8-bit weights': ({ int8 }) => int8?.toFixed(1) ?? '',
  });
}

/** @param where follows the unit in the title */
function convolutionTable(convolutions: readonly ConvolutionTime[], where = ''): Table {
  return tableOf(`Convolutions, GFLOP/s${where}`, convolutions, {
    'height x width x inputs -> outputs, filter': ({ size }) => size,
    ours: ({ ours }) => ours.toFixed(1),
    tfjs: ({ builtIn }) => builtIn.toFixed(1),
    ratio: ({ ours, builtIn }) => (ours / builtIn).toFixed(2),
  });
}

function scalingTable(scaling: readonly ScalingTime[]): Table {
  const ratio = (ns: number, nativeNs: number | undefined) => (nativeNs ? (ns / nativeNs).toFixed(2) : '');
  return tableOf('Nanoseconds by number of vertices, 32 channels', scaling, {
    vertices: ({ vertices }) => `${vertices}`,
    'scan, per vertex and channel': ({ scanNs }) => scanNs.toFixed(2),
    'triad of the same bytes': ({ triadNs }) => triadNs.toFixed(2),
    'tree, per vertex': ({ treeNs }) => treeNs.toFixed(1),
    'scan / native code': ({ scanNs, nativeScanNs }) => ratio(scanNs, nativeScanNs),
    'tree / native code': ({ treeNs, nativeTreeNs }) => ratio(treeNs, nativeTreeNs),
  });
}

function groupsTable(groups: readonly GroupTime[]): Table {
  return tableOf('Scans with one decay for all channels of a vertex', groups, {
    'size, aggregate': ({ size, aggregate }) => `${size}, ${aggregate}`,
    us: ({ us }) => us.toFixed(0),
    'relative to reading x and writing y': ({ us, streamUs }) => (us / streamUs).toFixed(2),
    'time with one decay per channel, relative': ({ us, expandedUs }) => (expandedUs / us).toFixed(2),
    'the same, decays expanded first': ({ us, expandingUs }) => (expandingUs / us).toFixed(1),
  });
}

function scansTable(times: readonly ScanTime[]): Table {
  return tableOf('Predictions by type of scan, random weights, batch 1', times, {
    network: ({ network, side, scan }) => `${network}, ${side} x ${side}, ${scan}`,
    ms: ({ ms }) => ms.toFixed(0),
    'relative to the first': ({ ratio }) => ratio.toFixed(2),
    'trees, ms': ({ treeMs }) => treeMs.toFixed(1),
    'scans, ms': ({ scanMs }) => scanMs.toFixed(1),
  });
}

function trainingTable(times: TrainingTimes): Table {
  const { forwardMs, stepMs, ratio, treeShare, peakBytes, checkpointedBytes } = times;
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  return {
    title: 'Training, random weights; a step is forward, backward, clipping and AdamW',
    header: ['measurement', 'value', 'compared with', 'ratio'],
    rows: [
      [
        'step, 16 channels, 16 images of 64 x 64',
        `${stepMs.toFixed(1)} ms`,
        `forward in training mode, ${forwardMs.toFixed(1)} ms`,
        ratio.toFixed(2),
      ],
      ['share of tree ops', `${(100 * treeShare).toFixed(1)} %`, 'step', ''],
      [
        'peak memory of a step with gradient checkpointing, GrootV-T, 4 images of 224 x 224',
        megabytes(checkpointedBytes),
        `without checkpointing, ${megabytes(peakBytes)}`,
        (checkpointedBytes / peakBytes).toFixed(2),
      ],
    ],
  };
}

function denseTables(networks: readonly DenseTimes[]): Table[] {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
  return [
    tableOf(
      'Dense prediction, random weights: convolutions larger than 1 x 1 compared with a matrix product, GFLOP/s',
      networks,
      {
        network: ({ name, width, height }) => `${name}, ${width} x ${height}`,
        ms: ({ ms }) => ms.toFixed(0),
        '1e9 multiply-adds': ({ multiplyAdds }) => multiplyAdds.toFixed(0),
        convolutions: ({ convolutionRate }) => convolutionRate.toFixed(1),
        product: ({ productRate }) => productRate.toFixed(1),
        ratio: ({ convolutionRate, productRate }) => (convolutionRate / productRate).toFixed(2),
        'other work, %': ({ otherShare }) => (100 * otherShare).toFixed(1),
      },
    ),
    tableOf('Memory of these networks, MB, from loading on', networks, {
      network: ({ name }) => name,
      weights: ({ weightBytes }) => megabytes(weightBytes),
      'largest two activations': ({ activationBytes }) => megabytes(activationBytes),
      peak: ({ peakBytes }) => megabytes(peakBytes),
      'peak / (3 x weights + activations)': ({ weightBytes, activationBytes, peakBytes }) =>
        (peakBytes / (3 * weightBytes + activationBytes)).toFixed(2),
    }),
    ...networks.map(({ name, kernels }) => kernelTable(`Slowest kernels of ${name}`, kernels)),
  ];
}

function kernelTable(title: string, shares: readonly KernelShare[]): Table {
  return tableOf(title, shares.slice(0, LISTED), {
    kernel: ({ kernel }) => kernel,
    calls: ({ calls }) => `${calls}`,
    ms: ({ ms }) => ms.toFixed(2),
  });
}

function predictionTables(
  { fused, builtIn, int8, largestDifference }: PredictionTimes,
  what: string,
): Table[] {
  const row = (what: string, { ms, kernelCalls }: PredictionTime) => [what, ms.toFixed(0), `${kernelCalls}`];
  return [
    {
      title: `${what}, 224 x 224, batch 1; ratio ${(fused.ms / builtIn.ms).toFixed(2)}; largest difference of logits ${largestDifference.toExponential(1)}`,
      header: ['prediction', 'ms', 'kernel calls'],
      rows: [
        row('our kernels', fused),
        row('built-in ops', builtIn),
        ...(int8 ? [row(`int8, ${(int8.ms / fused.ms).toFixed(2)} of our kernels`, int8)] : []),
      ],
    },
    kernelTable('Slowest kernels', fused.kernels),
    kernelTable('Slowest kernels with built-in ops', builtIn.kernels),
  ];
}

function pageTables(page: PageTimes): Table[] {
  const where = ', in a plain page of Chromium, one thread';
  return [
    ...predictionTables(page, `GrootV-T${where}`),
    productTable(page.products, where),
    convolutionTable(page.convolutions, where),
  ];
}

function coldTable(times: ColdTimes): Table {
  const { side, processes, startMs, loadMs, firstMs, warmMs, ratio } = times;
  return {
    title: `Loading GrootV-T and its first prediction, ${side} x ${side}, random weights: ${ratio.toFixed(2)} times a warm prediction, median of ${processes} processes`,
    header: ['part', 'ms'],
    rows: [
      ['loading', loadMs.toFixed(0)],
      ['first prediction', firstMs.toFixed(0)],
      ['warm prediction', warmMs.toFixed(0)],
      ['before loading: Node, modules, backend', startMs.toFixed(0)],
    ],
  };
}

function threadsTables(times: ThreadsTime): Table[] {
  const { threads, one, several, speedup, undisturbed, cores, rounds, isSame } = times;
  const bits = isSame ? 'the same bits' : 'DIFFERENT logits';
  const ofOwn =
    undisturbed.speedup === undefined
      ? ''
      : `, with a speed-up of ${undisturbed.speedup.toFixed(2)} in those`;
  const own = `The machine provided ${cores.toFixed(2)} cores (median), and ${threads} separate ones in ${undisturbed.rounds} of ${rounds} rounds${ofOwn}`;
  return [
    {
      title: `GrootV-T in an isolated page of Chromium, 224 x 224, batch 1: speed-up of ${speedup.toFixed(2)} on ${threads} threads, ${bits}. ${own}`,
      header: ['prediction', 'ms'],
      rows: [
        ['one thread', one.ms.toFixed(0)],
        [`${threads} threads`, several.ms.toFixed(0)],
      ],
    },
    kernelTable('Slowest kernels on one thread', one.kernels),
    kernelTable(`Slowest kernels on ${threads} threads`, several.kernels),
  ];
}

function languageTable(times: LanguageModelTimes): Table {
  const { parameters, weightBytes, promptTokens, prefillMs, productMs, productRate } = times;
  const { tokenMs, readMs, nativeReadMs, peakBytes, rounds } = times;
  const row = (what: string, given: number, beside: string, other: number, digits: number) => [
    what,
    given.toFixed(digits),
    beside,
    other.toFixed(digits),
    (given / other).toFixed(2),
  ];
  const products = `their matrix products at ${productRate.toFixed(0)} GFLOP/s`;
  return {
    title: `GrootL, ${(parameters / 1e6).toFixed(0)}M parameters, random weights, medians of ${rounds} rounds`,
    header: ['measurement', 'value', 'compared with', 'value', 'ratio'],
    rows: [
      row(`prompt of ${promptTokens} tokens, ms`, prefillMs, products, productMs, 0),
      row('each further token, ms', tokenMs, 'reading the weights once, WebAssembly', readMs, 1),
      ...(nativeReadMs
        ? [row('each further token, ms', tokenMs, 'the same in native code', nativeReadMs, 1)]
        : []),
      row('peak memory, MB', peakBytes / 1e6, 'weights', weightBytes / 1e6, 0),
    ],
  };
}

function imagesTable(times: ImageTimes): Table {
  const { pipeline, digits, oneWorkerSeconds, twoWorkersSeconds, queueSeconds } = times;
  const { few, many, fewPeakBytes, manyPeakBytes } = times;
  const [ms, seconds] = ['ms', 's'].map((unit) => (value: number) => `${value.toFixed(1)} ${unit}`);
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  return {
    title: 'Runs over many images, random weights; times of commands include their start',
    header: ['measurement', 'value', 'compared with', 'value', 'ratio'],
    rows: [
      [
        `time per photograph from file to row, batches of ${pipeline.batch}`,
        ...[ms(pipeline.runMs), 'the model alone', ms(pipeline.modelMs), pipeline.ratio.toFixed(3)],
      ],
      [
        `time of ${digits} digits, 1 worker`,
        ...[seconds(oneWorkerSeconds), '2 workers', seconds(twoWorkersSeconds)],
        (oneWorkerSeconds / twoWorkersSeconds).toFixed(2),
      ],
      [
        `time of ${digits} digits, 2 workers`,
        seconds(twoWorkersSeconds),
        ...(typeof queueSeconds === 'number'
          ? ['2 workers of a queue', seconds(queueSeconds), (twoWorkersSeconds / queueSeconds).toFixed(2)]
          : ['2 workers of a queue', queueSeconds.missing, '']),
      ],
      [
        `peak memory of ${many} images`,
        ...[megabytes(manyPeakBytes), `of ${few} images`, megabytes(fewPeakBytes)],
        (manyPeakBytes / fewPeakBytes).toFixed(2),
      ],
    ],
  };
}

/** Columns padded to their widest entry; the first column left-aligned, numbers right-aligned. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
    )
    .join('\n');
}

export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const dashes = header.map((_, i) => (i === 0 ? '---' : '--:'));
  return [header, dashes, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
