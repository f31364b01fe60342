/** What is computed for pictures: the same in a command's process, in a thread of a pool and in a worker of a queue. */
import type { ModelSource } from '../../plugin/index.js';
import type { CliBackend, StartedBackend, Warn } from '../backend.js';
import type { ImageInput } from '../images/picture_files.js';
import type { FailedRow, PictureRow } from './rows/row.js';
import type { Table } from './rows/table.js';

export { isFailed } from './rows/row.js';
export type { FailedRow, PictureRow };

/** Names a task. Plain data: it goes to threads and into queues. */
export interface TaskSpec<Options extends object = object> {
  /** A name of `KINDS`. */
  readonly kind: string;
  /** A folder with a model, or its URL. */
  readonly model: string;
  readonly backend: CliBackend;
  readonly options: Options;
}

/** A task that is ready to work. */
export interface Task<Input extends ImageInput = ImageInput, Row extends PictureRow = PictureRow> {
  readonly backend: StartedBackend;
  /** Inputs of a batch where no number is asked for. */
  readonly batch: number;
  /**
   * A row for each input, in order; a bad input is a {@link FailedRow}. Several calls may be in flight: pictures of one are
   * read while the model works on another.
   */
  run(inputs: readonly Input[]): Promise<(Row | FailedRow)[]>;
  /** Frees the model. */
  dispose(): void;
}

/** An opened task that takes batches of inputs. */
export interface Runner<Input extends ImageInput = ImageInput, Row extends PictureRow = PictureRow> {
  readonly backend: StartedBackend;
  /** Inputs of a batch where no number is asked for. */
  readonly batch: number;
  /** Batches that it works on at a time, those included whose pictures are read meanwhile. */
  readonly inFlight: number;
  /** @throws {Error} when the thread that worked on it has ended */
  run(inputs: readonly Input[]): Promise<(Row | FailedRow)[]>;
  dispose(): Promise<void>;
}

/** How a task is opened. */
export interface OpenOptions {
  /** Where the model's files come from in place of `spec.model`. */
  readonly source?: ModelSource;
  /** Is told what a person should know. */
  readonly warn?: Warn;
  /** Called as parts of one picture are done. */
  readonly onPart?: (done: number, total: number) => void;
}

/** How tasks of one kind are opened. */
export interface TaskKind<
  Options extends object = object,
  Input extends ImageInput = ImageInput,
  Row extends PictureRow = PictureRow,
> {
  /** @throws {Error} one line, when the backend or the model cannot be had */
  open(spec: TaskSpec<Options>, options: OpenOptions): Promise<Task<Input, Row>>;
}

/** A kind of task whose rows are results for people and files: a file of `tasks/`. */
export interface PictureKind<
  Options extends object = object,
  Input extends ImageInput = ImageInput,
  Row extends PictureRow = PictureRow,
> extends TaskKind<Options, Input, Row> {
  /** Pictures of a queue's job where no number is asked for. */
  readonly job: number;
  /** A row as text for a person: one line or more. */
  describe(row: Row): string;
  /** What a row is in a document of JSON: itself by default. */
  elements?(row: Row | FailedRow, options: Options): readonly object[];
  /** Rows as a table of fixed columns. */
  table(options: Options): Table<Row>;
}
