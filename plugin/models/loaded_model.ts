/** A GraphModel whose files were checked, whose errors can be read, and that saves the weights it has now. */
import { GraphModel } from '@tensorflow/tfjs-converter';
import { getBackend, io, keep, type NamedTensorMap, Tensor, tidy } from '@tensorflow/tfjs-core';
import { type Recorder, recorderOf } from '../kernels/recorders.js';
import { readForChecks } from '../kernels/values.js';
import { declaredOp } from '../ops/declare.js';
import { OpError } from '../ops/input_checks.js';
import { awaitedInputs } from '../ops/kernels.js';
import { quote } from './checks.js';
import { type FusedGraph, fuse } from './fusion.js';
import { type GraphPart, outputKey, partsOf } from './graph_parts.js';
import type { LoadOptions, OpenedSource } from './model_files.js';
import { checkArtifacts, type ModelJson } from './model_json.js';
import { streamedWeights } from './streamed_weights.js';

const MAX_MESSAGE = 500;

/** Divisions into parts that a model keeps: one for what is fed and asked for. */
const MOST_DIVISIONS = 8;

/** For the graph of a model whose weights come later. */
const NO_WEIGHTS = { weightSpecs: [], weightData: new ArrayBuffer(0), getWeightStream: undefined };

type Inputs = Tensor | Tensor[] | NamedTensorMap;

export class LoadedModel extends GraphModel<io.IOHandler> {
  /** Added to `userDefinedMetadata` where the model is saved. */
  savedMetadata: Readonly<Record<string, object>> = {};
  private isDisposed = false;
  /** By backend, made when it is needed. */
  private readonly fused = new Map<string, FusedGraph | undefined>();
  /** By backend, what is fed and what is asked for. */
  private readonly parts = new Map<string, GraphPart[] | undefined>();

  private constructor(
    /** The file that the model is from, for errors. */
    readonly origin: string,
    private readonly description: io.ModelArtifacts,
    /** What lies beside the model, where its artifacts carry it, as those of a `MemorySink` do. Untrusted. */
    readonly files: unknown,
  ) {
    super({ load: async () => description });
  }

  /** @throws {Error} one line, when the model cannot be read or its files contradict one another */
  static async open(source: OpenedSource, signal?: AbortSignal): Promise<LoadedModel> {
    const artifacts: unknown = await source.load();
    return LoadedModel.from(source.origin, artifacts, signal);
  }

  /** @throws {Error} as {@link open} */
  static async from(origin: string, artifacts: unknown, signal?: AbortSignal): Promise<LoadedModel> {
    checkArtifacts(origin, artifacts);
    // The weights are released once they are tensors; the caller's object keeps its own.
    const { files, ...description } = artifacts as io.ModelArtifacts & { files?: unknown };
    const model = new LoadedModel(origin, description, files);
    const { getWeightStream, weightSpecs = [] } = description;
    if (getWeightStream) Object.assign(description, NO_WEIGHTS);
    model.readable('read', () => model.loadGraph());
    if (getWeightStream) {
      description.weightSpecs = weightSpecs;
      const weights = await streamedWeights(origin, getWeightStream(), weightSpecs, signal);
      for (const [name, tensor] of Object.entries(weights)) model.weights[name] = [tensor];
    }
    description.weightData = undefined;
    description.getWeightStream = undefined;
    return model;
  }

  /**
   * Saves the model with the values that its weights have now, so that training is kept; quantised weights become
   * what they stand for.
   * @param target an IOHandler such as `fileSystem(dir)`, or a URL such as `indexeddb://name`.
   */
  override async save(target: io.IOHandler | string, _config?: io.SaveConfig): Promise<io.SaveResult> {
    this.checkUsable();
    const handler = typeof target === 'string' ? onlyHandler(target) : target;
    if (typeof handler?.save !== 'function') {
      throw new Error(
        'save: expected an IOHandler that saves, such as fileSystem(dir), or a URL such as indexeddb://name',
      );
    }
    const weights = Object.entries(this.weights).map(([name, [tensor]]) => ({ name, tensor }));
    const { data: weightData, specs: weightSpecs } = await io.encodeWeights(weights);
    const { userDefinedMetadata } = this.description;
    return handler.save({
      ...this.description,
      userDefinedMetadata: { ...userDefinedMetadata, ...this.savedMetadata },
      weightData,
      weightSpecs,
    });
  }

  /** The graph without its weights. */
  get graphDescription(): Pick<ModelJson, 'modelTopology' | 'signature' | 'format'> {
    const { modelTopology, signature, format } = this.description;
    return { modelTopology: modelTopology as object, signature, format };
  }

  /** Changes the graph, the signature or the metadata that the model is saved with. */
  describe(changes: Pick<io.ModelArtifacts, 'modelTopology' | 'signature' | 'userDefinedMetadata'>): void {
    Object.assign(this.description, changes);
    this.fused.clear();
    this.parts.clear();
  }

  override execute(inputs: Inputs, outputs?: string | string[]): Tensor | Tensor[] {
    this.checkUsable();
    return this.readable('run', () => this.recorded(inputs, outputs));
  }

  override async executeAsync(inputs: Inputs, outputs?: string | string[]): Promise<Tensor | Tensor[]> {
    this.checkUsable();
    return this.readable('run', async () => {
      const fused = this.fusedFor(inputs, outputs);
      const parts = this.partsFor(fused ?? this, inputs, outputs);
      if (parts) return runParts(parts, inputs as NamedTensorMap, [outputs ?? []].flat());
      rememberWeights(fused ?? this);
      return fused ? fused.executeAsync(inputs, outputs) : super.executeAsync(inputs, outputs);
    });
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    super.dispose();
  }

  /** The parts of a graph that waits for values, where the backend records computations. */
  private partsFor(
    graph: GraphModel,
    inputs: Inputs,
    outputs: string | string[] = [],
  ): GraphPart[] | undefined {
    const fed = inputs instanceof Tensor || Array.isArray(inputs) ? [] : Object.keys(inputs);
    if (!recorderOf(getBackend()) || fed.length === 0 || outputs.length === 0) return undefined;
    const key = JSON.stringify([getBackend(), fed, outputs]);
    if (!this.parts.has(key)) {
      if (this.parts.size >= MOST_DIVISIONS) this.parts.clear();
      this.parts.set(key, partsOf(graph, fed, [outputs].flat(), awaitedPositions));
    }
    return this.parts.get(key);
  }

  /** Runs the graph, or does again what it did for inputs of the same shapes, where the backend can. */
  private recorded(given: Inputs, outputs: string | string[] = []): Tensor | Tensor[] {
    const fused = this.fusedFor(given, outputs);
    const asked = Array.isArray(outputs) && outputs.length === 0 ? undefined : outputs;
    const run = (inputs: Inputs) => (fused ? fused.execute(inputs, asked) : super.execute(inputs, asked));
    const recorder = recorderOf(getBackend());
    if (!recorder) return run(given);
    const results = recordedRun(recorder, fused ?? this, given, outputs, run);
    return results.length > 1 ? results : results[0];
  }

  /** The graph with fewer nodes, where the backend has one and it has all that is fed and asked for. */
  private fusedFor(inputs: Inputs, outputs: string | string[] = []): GraphModel | undefined {
    const backend = getBackend();
    if (!this.fused.has(backend)) this.fused.set(backend, fuse(this, backend));
    const fused = this.fused.get(backend);
    const fed = inputs instanceof Tensor || Array.isArray(inputs) ? [] : Object.keys(inputs);
    return fused && [...fed, ...[outputs].flat()].every(fused.has) ? fused.graph.graph : undefined;
  }

  private checkUsable(): void {
    if (this.isDisposed)
      throw new Error(`${this.origin}: the model has been disposed; load it again to use it`);
  }

  /** The graph, and its weights unless they come as a stream. */
  private loadGraph(): void {
    // What was made before an error is freed with the scope.
    tidy(() => {
      // Kept by tfjs, so that changes by `describe` reach it.
      this.loadSync(this.description);
      for (const tensors of Object.values(this.weights)) tensors.forEach(keep);
    });
  }

  /** tfjs does not check nodes: errors of the engine say nothing about the graph. */
  private readable<T>(verb: 'read' | 'run', body: () => T): T {
    try {
      const result = body();
      if (result instanceof Promise) {
        return result.catch((error) => {
          throw this.explain(error, verb);
        }) as T;
      }
      return result;
    } catch (error) {
      throw this.explain(error, verb);
    }
  }

  private explain(error: unknown, verb: 'read' | 'run'): unknown {
    if (error instanceof OpError) return error;
    if (error instanceof Error && !isOfEngine(error)) {
      // tfjs lists every node that lacks something.
      if (error.message.length <= MAX_MESSAGE) return error;
      const start = error.message.slice(0, MAX_MESSAGE);
      return new Error(`${this.origin}: the graph cannot be ${verb}: ${start}...`, { cause: error });
    }
    const reason =
      error instanceof RangeError
        ? `a tensor does not fit into memory, or the graph is too deep (${error.message})`
        : 'a node lacks an input or an attribute, or has one of the wrong kind';
    return new Error(`${this.origin}: the graph cannot be ${verb}: ${reason}`, { cause: error });
  }
}

/** @param run computes outputs of inputs, by weights of the owner alone */
function recordedRun(
  recorder: Recorder,
  owner: GraphModel,
  given: Inputs,
  outputs: string | readonly string[],
  run: (inputs: Inputs) => Tensor | Tensor[],
): Tensor[] {
  const names = given instanceof Tensor || Array.isArray(given) ? undefined : Object.keys(given);
  const inputs = given instanceof Tensor ? [given] : Object.values(given);
  return recorder.run({
    owner,
    key: JSON.stringify([names, inputs.map(({ shape, dtype }) => [shape, dtype]), outputs]),
    inputs,
    weights: Object.values(owner.weights).flat(),
    compute: (tensors) =>
      [run(names ? Object.fromEntries(names.map((name, i) => [name, tensors[i]])) : [...tensors])].flat(),
  });
}

/** Runs one part after the other, and frees what is not asked for. */
async function runParts(
  parts: readonly GraphPart[],
  fed: NamedTensorMap,
  asked: readonly string[],
): Promise<Tensor | Tensor[]> {
  const values = new Map(Object.entries(fed).map(([name, tensor]) => [outputKey(name), tensor]));
  const own = new Set<Tensor>();
  const results = asked.map(outputKey);
  try {
    for (const { graph: edited, awaited, inputs, outputs } of parts) {
      const { graph } = edited;
      const given: NamedTensorMap = {};
      for (const [placeholder, output] of inputs) given[placeholder] = values.get(output) as Tensor;
      await readForChecks(...awaited.map((placeholder) => given[placeholder]));
      const run = (tensors: Inputs) => graph.execute(tensors, [...outputs]);
      const recorder = awaited.length === 0 ? recorderOf(getBackend()) : undefined;
      const made = recorder ? recordedRun(recorder, graph, given, outputs, run) : [run(given)].flat();
      for (const [i, output] of outputs.entries()) {
        own.add(made[i]);
        values.set(output, made[i]);
      }
    }
    const tensors = results.map((output) => (values.get(output) as Tensor).clone());
    return tensors.length > 1 ? tensors : tensors[0];
  } finally {
    for (const tensor of own) tensor.dispose();
  }
}

/** The positions of the inputs whose values nodes of an op wait for on the current backend. */
function awaitedPositions(op: string): number[] {
  const declared = declaredOp(op);
  const names = Object.keys(declared?.inputs ?? {});
  return declared ? awaitedInputs(declared).map((name) => names.indexOf(name)) : [];
}

/**
 * After an asynchronous run tfjs frees every tensor that it did not know as a weight when these were set: also weights
 * that took the place of others since.
 */
function rememberWeights(model: GraphModel): void {
  const { executor } = model as unknown as { readonly executor: { weightMap: object } };
  const { weightMap } = executor;
  executor.weightMap = weightMap;
}

/** Whether an error was raised by the JavaScript engine, which knows nothing of graphs, and not by tfjs. */
function isOfEngine(error: unknown): boolean {
  if (error instanceof RangeError || error instanceof ReferenceError) return true;
  return error instanceof TypeError && !error.message.startsWith('Unknown op');
}

function onlyHandler(url: string): io.IOHandler {
  const handlers = io.getSaveHandlers(url);
  if (handlers.length === 1) return handlers[0];
  throw new Error(
    `save: nothing here saves to ${quote(url)}; expected an IOHandler such as fileSystem(dir) of tfjs-grootvl/node, ` +
      'or a URL such as indexeddb://name in a page',
  );
}

/**
 * Opens a model and makes something of it; the weights are freed where that fails.
 * @throws {Error} one line, when it cannot be loaded; what `read` throws; the signal's reason when it is aborted
 */
export async function openModel<T>(
  source: OpenedSource,
  { signal }: Pick<LoadOptions, 'signal'>,
  read: (model: LoadedModel) => T | Promise<T>,
): Promise<T> {
  const model = await LoadedModel.open(source, signal);
  try {
    const result = await read(model);
    signal?.throwIfAborted();
    return result;
  } catch (error) {
    model.dispose();
    throw error;
  }
}
