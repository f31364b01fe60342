/** The interface of computations over images: the same in a command's process, in a thread of a pool and in a queue worker. */
import type { ModelSource } from '../../plugin/index.js';
import type { CliBackend, StartedBackend, Warn } from '../backend.js';
import type { ImageInput } from '../images/image_files.js';
import type { FailedRow, ImageRow } from './rows/row.js';
import type { Table } from './rows/table.js';

export { isFailed } from './rows/row.js';
export type { FailedRow, ImageRow };

/** Identifies a task. Plain data: it is sent to threads and stored in queues. */
export interface TaskSpec<Options extends object = object> {
  /** A name in `KINDS`. */
  readonly kind: string;
  /** A folder with a model, or its URL. */
  readonly model: string;
  readonly backend: CliBackend;
  readonly options: Options;
}

/** An opened task. */
export interface Task<Input extends ImageInput = ImageInput, Row extends ImageRow = ImageRow> {
  readonly backend: StartedBackend;
  /** Default batch size. */
  readonly batch: number;
  /**
   * Returns a row for each input, in order; a {@link FailedRow} for a bad input. Several calls may be in flight: the images of
   * one are read while the model works on another.
   */
  run(inputs: readonly Input[]): Promise<(Row | FailedRow)[]>;
  /** Frees the model. */
  dispose(): void;
}

/** An opened task that takes batches of inputs. */
export interface Runner<Input extends ImageInput = ImageInput, Row extends ImageRow = ImageRow> {
  readonly backend: StartedBackend;
  /** Default batch size. */
  readonly batch: number;
  /** Number of batches that it processes at a time, including those whose images are being read. */
  readonly inFlight: number;
  /** @throws {Error} if the thread that processed it has ended */
  run(inputs: readonly Input[]): Promise<(Row | FailedRow)[]>;
  dispose(): Promise<void>;
}

/** Batches in flight per model: the images of one are read while the model works on the other. */
export const BATCHES_OF_A_MODEL = 2;

/** How to open a task. */
export interface OpenOptions {
  /** Source of the model's files, instead of `spec.model`; if it is undefined, `spec.model` is read. */
  readonly source?: ModelSource | Promise<ModelSource | undefined>;
  /** Receives warnings for the user. */
  readonly warn?: Warn;
  /** Called as parts of an image are completed. */
  readonly onPart?: (done: number, total: number) => void;
}

/** How to open tasks of one kind. */
export interface TaskKind<
  Options extends object = object,
  Input extends ImageInput = ImageInput,
  Row extends ImageRow = ImageRow,
> {
  /** @throws {Error} one line, if the backend or the model is not available */
  open(spec: TaskSpec<Options>, options: OpenOptions): Promise<Task<Input, Row>>;
}

/** A kind of task whose rows are results for the user and for files: one file in `tasks/`. */
export interface ImageKind<
  Options extends object = object,
  Input extends ImageInput = ImageInput,
  Row extends ImageRow = ImageRow,
> extends TaskKind<Options, Input, Row> {
  /** Default number of images per job of a queue. */
  readonly job: number;
  /** A row as text for the user: one or more lines. */
  describe(row: Row): string;
  /** The elements of a row in a JSON document: the row itself by default. */
  elements?(row: Row | FailedRow, options: Options): readonly object[];
  /** Rows as a table with fixed columns. */
  table(options: Options): Table<Row>;
}
