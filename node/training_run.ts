/**
 * The folder of a training run: `run.json` records model, data and options, `checkpoints/<step>` holds states to resume from
 * (complete or absent; the last two are kept), `curves.csv` and `curves.png` the course of training. Files that are read back may
 * have been changed by others: they are bounded and validated.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openCheckpoint } from '../converters/pytorch/checkpoint.js';
import { StoredTensor as CheckpointTensor } from '../converters/pytorch/tensor.js';
import { type CurvePanel, drawCurves } from '../plugin/image/draw_curves.js';
import { parseBoundedJson } from '../plugin/models/bounded_json.js';
import { integer, isRecord, record, text } from '../plugin/models/checks.js';
import { encodeSafetensors } from '../plugin/models/safetensors_writer.js';
import { checkProgress, type StoredTensor, type TrainingState } from '../plugin/training/state.js';
import { writeFolderAtomically } from './atomic_directory.js';
import { writeFileAtomically } from './atomic_file.js';
import { parseCsv } from './data/csv.js';
import { fileSource, readSmallFile } from './file_source.js';
import { encodeImage } from './images/encode.js';
import { reasonOf } from './system_error.js';

const MAX_RECORD_BYTES = 2 ** 20;
const MAX_CURVES_BYTES = 2 ** 28;
const [RECORD, CURVES, CHECKPOINTS] = ['run.json', 'curves.csv', 'checkpoints'];
const [STATE, PROGRESS] = ['state.safetensors', 'progress.json'];
/** Number of states to keep. */
const KEPT = 2;

/** What a run was started with, and must be resumed with. */
export interface RunRecord {
  /** Version of this layout: 1. */
  readonly version: 1;
  /** As given on the command line, with defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  /** SHA-256 of the checkpoint of the initial model. */
  readonly model: string;
  /** SHA-256 of the labels. */
  readonly data: string;
}

const RUN_RECORD = record({
  version: integer(1, 1),
  options: (value, name) => {
    if (!isRecord(value)) throw new Error(`${name} is not an object`);
  },
  model: text(100),
  data: text(100),
});

/** One row of `curves.csv`: a step, or an evaluation. */
export interface CurveRow {
  readonly step: number;
  readonly loss?: number;
  readonly accuracy?: number;
  readonly learningRate?: number;
  readonly gradientNorm?: number;
  readonly heldOutLoss?: number;
  readonly heldOutAccuracy?: number;
}

const COLUMNS = [
  'step',
  'loss',
  'accuracy',
  'learningRate',
  'gradientNorm',
  'heldOutLoss',
  'heldOutAccuracy',
] as const satisfies readonly (keyof CurveRow)[];

export class TrainingRun {
  readonly rows: CurveRow[] = [];

  private constructor(
    readonly path: string,
    readonly record: RunRecord,
  ) {}

  /** Starts a run in a folder that is new or empty. @throws {Error} one line, if it is neither or cannot be written */
  static async create(path: string, record: RunRecord): Promise<TrainingRun> {
    await writeFolderAtomically(path, (folder) =>
      folder.write(RECORD, `${JSON.stringify(record, null, 2)}\n`),
    );
    return new TrainingRun(path, record);
  }

  /** Opens a run to continue it. @throws {Error} one line, if there is none */
  static async open(path: string): Promise<TrainingRun> {
    const file = join(path, RECORD);
    const record = parseBoundedJson(await readSmallFile(file, MAX_RECORD_BYTES), file);
    RUN_RECORD(record, file);
    return new TrainingRun(path, record as RunRecord);
  }

  /** The newest state; undefined if none was saved. Rows of later steps are dropped. */
  async newestState(): Promise<TrainingState | undefined> {
    const [name] = (await this.checkpoints()).reverse();
    if (name === undefined) return undefined;
    const folder = join(this.path, CHECKPOINTS, name);
    const file = join(folder, PROGRESS);
    const progress = parseBoundedJson(await readSmallFile(file, MAX_RECORD_BYTES), file);
    checkProgress(progress);
    this.rows.push(...(await this.readRows()).filter(({ step }) => step <= progress.step));
    return { progress, tensors: await readTensors(join(folder, STATE)) };
  }

  /** Saves a state. */
  async saveState({ progress, tensors }: TrainingState): Promise<void> {
    const name = String(progress.step).padStart(8, '0');
    const folder = join(this.path, CHECKPOINTS, name);
    await rm(folder, { recursive: true, force: true });
    const stored = Object.entries(tensors).map(([name, { dtype, shape, values }]) => {
      return { name, dtype: dtype === 'int32' ? 'I32' : 'F32', shape, data: values } as const;
    });
    await writeFolderAtomically(folder, async (output) => {
      await output.write(STATE, encodeSafetensors(stored));
      await output.write(PROGRESS, `${JSON.stringify(progress)}\n`);
    });
    const old = (await this.checkpoints()).slice(0, -KEPT);
    for (const name of old) await rm(join(this.path, CHECKPOINTS, name), { recursive: true, force: true });
  }

  /** @throws {Error} one line that says so, if the image library is missing; the CSV is still written */
  async writeCurves(): Promise<void> {
    if (this.rows.length === 0) return;
    const lines = this.rows.map((row) => COLUMNS.map((column) => row[column] ?? '').join(','));
    const csv = `${[COLUMNS.join(','), ...lines].join('\n')}\n`;
    await writeFileAtomically(join(this.path, CURVES), Buffer.from(csv));
    const png = await encodeImage(drawCurves(panelsOf(this.rows)), 'png');
    await writeFileAtomically(join(this.path, 'curves.png'), png);
  }

  /** Names of complete checkpoints, the oldest first. */
  private async checkpoints(): Promise<string[]> {
    const names = await readdir(join(this.path, CHECKPOINTS)).catch((error) => {
      if (error.code === 'ENOENT') return [];
      throw new Error(`cannot read "${join(this.path, CHECKPOINTS)}": ${reasonOf(error)}`);
    });
    return names.filter((name) => /^\d{8,15}$/.test(name)).sort((a, b) => Number(a) - Number(b));
  }

  private async readRows(): Promise<CurveRow[]> {
    const file = join(this.path, CURVES);
    if (!(await stat(file).catch(() => undefined))) return [];
    const [head, ...rows] = parseCsv(file, await readSmallFile(file, MAX_CURVES_BYTES));
    if (head?.fields.join() !== COLUMNS.join())
      throw new Error(`${file}: expected the columns ${COLUMNS.join()}`);
    return rows.map(({ line, fields }) => {
      const values = fields.map((field) => (field === '' ? undefined : Number(field)));
      if (values.length !== COLUMNS.length || values[0] === undefined || values.some(Number.isNaN)) {
        throw new Error(`${file}, line ${line}: expected numbers, one for each of ${COLUMNS.length} columns`);
      }
      return Object.fromEntries(COLUMNS.map((column, i) => [column, values[i]])) as unknown as CurveRow;
    });
  }
}

/** The tensors of a .safetensors file. */
export async function readTensors(path: string): Promise<Record<string, StoredTensor>> {
  const source = await fileSource(path);
  try {
    const { format, root } = await openCheckpoint(source);
    if (format !== 'safetensors' || !(root instanceof Map))
      throw new Error(`"${path}" is not a safetensors file`);
    const tensors: Record<string, StoredTensor> = {};
    for (const [name, stored] of root) {
      if (!(stored instanceof CheckpointTensor)) continue;
      const { dtype } = stored;
      if (dtype !== 'float32' && dtype !== 'int32') {
        throw new Error(`${path}: ${String(name)} is of type ${dtype}, expected float32 or int32`);
      }
      const values =
        dtype === 'float32' ? await stored.readFloat32() : Int32Array.from(await stored.read(), Number);
      Object.defineProperty(tensors, String(name), {
        value: { dtype, shape: stored.shape, values },
        enumerable: true,
      });
    }
    return tensors;
  } finally {
    await source.close();
  }
}

/** Window of the smoothed line, as a fraction of all steps. */
const SMOOTH_PART = 0.05;

function panelsOf(rows: readonly CurveRow[]): CurvePanel[] {
  const pointsOf = (column: keyof CurveRow) =>
    rows.flatMap((row) => (row[column] === undefined ? [] : [row.step, row[column] as number]));
  const curves = (train: keyof CurveRow, heldOut: keyof CurveRow) => {
    const points = pointsOf(train);
    const span = Math.max(1, Math.round((points.length / 2) * SMOOTH_PART));
    return [
      { name: 'each step', points, colour: [178, 196, 228] as const, width: 1.2 },
      { name: `mean of ${span}`, points: smoothed(points, span), colour: [38, 98, 190] as const },
      { name: 'held out', points: pointsOf(heldOut), colour: [214, 92, 40] as const },
    ].filter(({ points }) => points.length > 0);
  };
  const rates = pointsOf('learningRate');
  return [
    { title: 'loss', curves: curves('loss', 'heldOutLoss') },
    { title: 'accuracy', curves: curves('accuracy', 'heldOutAccuracy'), includes: [0, 1] },
    { title: 'learning rate', curves: [{ name: '', points: rates }], includes: [0] },
  ];
}

/** Means of the last `span` values. */
function smoothed(points: readonly number[], span: number): number[] {
  const result: number[] = [];
  let sum = 0;
  for (let i = 0; i < points.length; i += 2) {
    sum += points[i + 1];
    if (i >= 2 * span) sum -= points[i + 1 - 2 * span];
    result.push(points[i], sum / Math.min(span, i / 2 + 1));
  }
  return result;
}
