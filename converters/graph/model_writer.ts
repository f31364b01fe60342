/** Writes a graph and its weights as tfjs's GraphModel files: `model.json` and binary shards. */
import { elementsOf } from '../parameters.js';
import { CheckpointError } from '../pytorch/errors.js';
import { CONVERTER_VERSION } from '../version.js';
import { type GraphBuilder, type GraphEnd, signatureOf, type Weight } from './graph_builder.js';
import type { ModelSink } from './model_sink.js';
import { bytesOf, QUANTIZED_BYTES, type Quantization, type QuantizationEntry, quantize } from './quantize.js';
import { quantizedGraphs } from './quantize_graph.js';

/** tfjs's converter splits weights at 4 MiB, so that browsers cache them. */
export const SHARD_BYTES = 4 * 2 ** 20;

/**
 * Maximum ratio of the bytes of weights to those of the checkpoint, unless the caller allows more. Widening half precision to
 * float32 doubles the size, and bytes quadruple; more than that means that tensors share or repeat stored values.
 */
const MAX_GROWTH = 4;
/** Bytes that may always be written. */
const ALWAYS_BYTES = 16 * 2 ** 20;

/** Entries of model.json other than the graph. */
export interface ModelDescription {
  readonly inputs?: readonly GraphEnd[];
  readonly outputs?: readonly GraphEnd[];
  /** Free-form: `model.metadata` of the loaded model. */
  readonly userDefinedMetadata?: object;
}

export interface WriteOptions {
  readonly quantize?: Quantization;
  readonly shardBytes?: number;
  /** Bytes of the checkpoint: the weights may take at most four times as many or 16 MiB, unless `maxBytes` allows more. */
  readonly sourceBytes?: number;
  /** Maximum bytes of weights to write. */
  readonly maxBytes?: number;
  /** Called with the weight bytes written so far and in total. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

interface WeightEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization?: QuantizationEntry;
}

/** A graph and the name of its file. */
export interface NamedModel extends ModelDescription {
  readonly file: string;
  readonly graph: GraphBuilder;
}

/**
 * Writes `model.json` and its shards. Memory: one tensor and one shard at a time.
 * @throws {CheckpointError} 'limit' if the weights are larger than allowed, 'values' if they cannot be quantised
 */
export async function writeModel(
  graph: GraphBuilder,
  sink: ModelSink,
  options: ModelDescription & WriteOptions = {},
): Promise<{ weightBytes: number; shards: string[] }> {
  const { inputs, outputs, userDefinedMetadata } = options;
  const model = { file: 'model.json', graph, inputs, outputs, userDefinedMetadata };
  return writeModels([model], sink, options);
}

/**
 * Writes several graphs with shared shards: constants of the same name are stored once. The weights are written first, then the
 * graphs in the given order.
 */
export async function writeModels(
  models: readonly NamedModel[],
  sink: ModelSink,
  options: WriteOptions = {},
): Promise<{ weightBytes: number; shards: string[] }> {
  const { quantize: quantization = 'none', shardBytes = SHARD_BYTES } = options;
  const graphs = writtenGraphs(
    models.map(({ graph }) => graph),
    quantization,
  );
  const weights = weightsOf(graphs);
  const totalBytes = bytesOfWeights(weights, quantization);
  checkSize(totalBytes, options);
  const shards = new ShardWriter(sink, totalBytes, shardBytes);
  const entries: WeightEntry[] = [];
  for (const [name, weight] of weights) {
    options.signal?.throwIfAborted();
    const { bytes, entry } = encode(name, weight, await weight.read(), quantization);
    entries.push(entry);
    await shards.append(bytes);
    options.onProgress?.(shards.written, totalBytes);
  }
  await shards.finish();
  for (const [i, { file, inputs = [], outputs = [], userDefinedMetadata = {} }] of models.entries()) {
    const model = {
      format: 'graph-model',
      generatedBy: 'PyTorch',
      convertedBy: `tfjs-grootvl ${CONVERTER_VERSION}`,
      signature: { inputs: signatureOf(inputs), outputs: signatureOf(outputs) },
      userDefinedMetadata,
      modelTopology: { node: graphs[i].nodes, library: {}, versions: {} },
      weightsManifest: [{ paths: shards.names, weights: entries }],
    };
    await sink.write(file, new TextEncoder().encode(JSON.stringify(model)));
  }
  return { weightBytes: totalBytes, shards: shards.names };
}

function weightsOf(graphs: readonly GraphBuilder[]): Map<string, Weight> {
  return new Map(graphs.flatMap(({ weights }) => [...weights]));
}

/** Bytes of the shards of graphs that are written together; no weight is read. */
export function weightBytesOf(graphs: readonly GraphBuilder[], quantization: Quantization): number {
  return bytesOfWeights(weightsOf(writtenGraphs(graphs, quantization)), quantization);
}

function bytesOfWeights(weights: ReadonlyMap<string, Weight>, quantization: Quantization): number {
  let total = 0;
  for (const weight of weights.values()) total += storedBytes(weight, quantization);
  return total;
}

/** The graphs as they are written to the files. */
function writtenGraphs(graphs: readonly GraphBuilder[], quantization: Quantization): readonly GraphBuilder[] {
  return quantization === 'int8' ? quantizedGraphs(graphs) : graphs;
}

/** @throws {CheckpointError} 'limit', before anything is written */
function checkSize(totalBytes: number, { sourceBytes, maxBytes }: WriteOptions): void {
  const growth = sourceBytes === undefined ? Number.POSITIVE_INFINITY : sourceBytes * MAX_GROWTH;
  const most = maxBytes ?? Math.max(growth, ALWAYS_BYTES);
  if (totalBytes <= most) return;
  const megabytes = (bytes: number) =>
    `${(bytes / 1e6).toLocaleString('en', { maximumSignificantDigits: 4 })} MB`;
  const source =
    sourceBytes === undefined
      ? ''
      : ` from a checkpoint of ${megabytes(sourceBytes)}, whose tensors repeat stored values`;
  throw new CheckpointError(
    'limit',
    `the model would have ${megabytes(totalBytes)} of weights${maxBytes === undefined ? source : ''}; at most ` +
      `${megabytes(most)} are written unless maxBytes (--max-size) allows more`,
  );
}

function storedBytes({ shape, dtype, quantizable }: Weight, quantization: Quantization): number {
  const size = elementsOf(shape);
  return size * (dtype === 'float32' && quantizable ? QUANTIZED_BYTES[quantization] : 4);
}

function encode(
  name: string,
  { shape, dtype, quantizable }: Weight,
  values: Float32Array | Int32Array,
  quantization: Quantization,
): { bytes: Uint8Array; entry: WeightEntry } {
  const size = elementsOf(shape);
  if (values.length !== size) throw new Error(`${name} has ${values.length} values, its shape holds ${size}`);
  if (
    quantization === 'none' ||
    quantization === 'int8' ||
    !quantizable ||
    !(values instanceof Float32Array)
  ) {
    return { bytes: bytesOf(values), entry: { name, shape, dtype } };
  }
  const { bytes, entry } = quantize(name, values, quantization);
  return { bytes, entry: { name, shape, dtype, quantization: entry } };
}

/** Splits a stream of bytes into files of equal size; the last may be shorter. */
class ShardWriter {
  readonly names: string[];
  written = 0;
  private readonly shard: Uint8Array;
  private filled = 0;
  private next = 0;

  constructor(
    private readonly sink: ModelSink,
    totalBytes: number,
    shardBytes: number,
  ) {
    const count = Math.max(1, Math.ceil(totalBytes / shardBytes));
    this.names = Array.from({ length: count }, (_, i) => `group1-shard${i + 1}of${count}.bin`);
    this.shard = new Uint8Array(Math.min(shardBytes, totalBytes));
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + this.shard.length - this.filled);
      this.shard.set(part, this.filled);
      this.filled += part.length;
      this.written += part.length;
      at += part.length;
      if (this.filled === this.shard.length) await this.flush();
    }
  }

  async finish(): Promise<void> {
    if (this.filled > 0 || this.next === 0) await this.flush();
  }

  private async flush(): Promise<void> {
    await this.sink.write(this.names[this.next++], this.shard.subarray(0, this.filled));
    this.filled = 0;
  }
}
