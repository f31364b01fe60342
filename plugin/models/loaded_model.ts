/** A GraphModel that checks its files, throws readable errors, and saves its current weights. */
import { GraphModel } from '@tensorflow/tfjs-converter';
import { getBackend, io, keep, type NamedTensorMap, Tensor, tidy } from '@tensorflow/tfjs-core';
import { type Recorder, recorderOf } from '../kernels/recorders.js';
import { readForChecks } from '../kernels/values.js';
import { declaredOp } from '../ops/declare.js';
import { OpError } from '../ops/input_checks.js';
import { awaitedInputs } from '../ops/kernels.js';
import { quote } from './checks.js';
import { type FusedGraph, fuse } from './fusion.js';
import { nodesOf } from './graph_editor.js';
import { type GraphPart, outputKey, partsOf } from './graph_parts.js';
import type { LoadOptions, OpenedSource } from './model_files.js';
import { checkArtifacts, type ModelJson } from './model_json.js';
import { streamedWeights } from './streamed_weights.js';

const MAX_MESSAGE = 500;

/** Splits into parts that a model keeps, one per set of fed and requested nodes. */
const MOST_DIVISIONS = 8;

/** For the graph of a model whose weights are loaded later. */
const NO_WEIGHTS = { weightSpecs: [], weightData: new ArrayBuffer(0), getWeightStream: undefined };

/** tfjs ops whose results differ from run to run. */
const RANDOM = /^(Stateless)?(RandomUniform(Int)?|RandomStandardNormal|TruncatedNormal|Multinomial)(V2)?$/;

type Inputs = Tensor | Tensor[] | NamedTensorMap;

export class LoadedModel extends GraphModel<io.IOHandler> {
  /** Added to `userDefinedMetadata` when the model is saved. */
  savedMetadata: Readonly<Record<string, object>> = {};
  private isDisposed = false;
  /** Whether it contains nodes whose results differ from run to run; determined on the first run. */
  private isRandom?: boolean;
  /** By backend, created on demand. */
  private readonly fused = new Map<string, FusedGraph | undefined>();
  /** By backend and by the fed and requested nodes. */
  private readonly parts = new Map<string, GraphPart[] | undefined>();

  private constructor(
    /** The file that the model was loaded from, for errors. */
    readonly origin: string,
    private readonly description: io.ModelArtifacts,
    /** The files beside the model, if its artifacts include them, as those of a `MemorySink` do. Untrusted. */
    readonly files: unknown,
  ) {
    super({ load: async () => description });
  }

  /** @throws {Error} one line, if the model cannot be read or its files contradict one another. */
  static async open(source: OpenedSource, signal?: AbortSignal): Promise<LoadedModel> {
    const artifacts: unknown = await source.load();
    return LoadedModel.from(source.origin, artifacts, signal);
  }

  /** @throws {Error} as {@link open}. */
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
   * Saves the model with the current values of its weights, including training; quantised weights are saved dequantised.
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

  /** Changes the graph, the signature or the metadata with which the model is saved. */
  describe(changes: Pick<io.ModelArtifacts, 'modelTopology' | 'signature' | 'userDefinedMetadata'>): void {
    Object.assign(this.description, changes);
    this.fused.clear();
    this.parts.clear();
    this.isRandom = undefined;
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

  /** Returns the parts of a graph that waits for values, if the backend records computations. */
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

  /** Runs the graph, or replays the recording for inputs of the same shapes if the backend supports it. */
  private recorded(given: Inputs, outputs: string | string[] = []): Tensor | Tensor[] {
    const fused = this.fusedFor(given, outputs);
    const asked = Array.isArray(outputs) && outputs.length === 0 ? undefined : outputs;
    const run = (inputs: Inputs) => (fused ? fused.execute(inputs, asked) : super.execute(inputs, asked));
    this.isRandom ??= nodesOf(this).some(({ op }) => RANDOM.test(op));
    const recorder = this.isRandom ? undefined : recorderOf(getBackend());
    if (!recorder) return run(given);
    const results = recordedRun(recorder, fused ?? this, given, outputs, run);
    return results.length > 1 ? results : results[0];
  }

  /** Returns the fused graph, if the backend has one and it contains every fed and requested node. */
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

  /** Loads the graph, and its weights unless they are streamed. */
  private loadGraph(): void {
    // If this throws, the scope frees what was created before.
    tidy(() => {
      // tfjs keeps this object, so that changes by `describe` reach it.
      this.loadSync(this.description);
      for (const tensors of Object.values(this.weights)) tensors.forEach(keep);
    });
  }

  /** Rewords errors of the JavaScript engine: tfjs does not check nodes, and such errors say nothing about the graph. */
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
      // tfjs lists every incomplete node.
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

/** @param run computes outputs from inputs, using only the weights of the owner */
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

/** Runs the parts one after another, and frees values that are not requested. */
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

/** Returns the positions of the inputs whose values nodes of an op wait for on the current backend. */
function awaitedPositions(op: string): number[] {
  const declared = declaredOp(op);
  const names = Object.keys(declared?.inputs ?? {});
  return declared ? awaitedInputs(declared).map((name) => names.indexOf(name)) : [];
}

/**
 * After an asynchronous run, tfjs frees every tensor that was not a weight when the weights were set, including tensors that
 * have replaced weights since. This registers the current ones.
 */
function rememberWeights(model: GraphModel): void {
  const { executor } = model as unknown as { readonly executor: { weightMap: object } };
  const { weightMap } = executor;
  executor.weightMap = weightMap;
}

/** Whether an error was raised by the JavaScript engine, which knows nothing of graphs, rather than by tfjs. */
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
 * Opens a model and passes it to `read`; the weights are freed if that fails.
 * @throws {Error} one line, if it cannot be loaded; what `read` throws; the signal's reason if it is aborted.
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
