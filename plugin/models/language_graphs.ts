/** The two graphs of a GrootL model over one set of weights, and the state passed between them. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import {
  concat,
  dispose,
  getBackend,
  type NamedTensorMap,
  scalar,
  slice,
  type Tensor,
  type Tensor3D,
  tensor2d,
  tidy,
} from '@tensorflow/tfjs-core';
import { OpError } from '../ops/input_checks.js';
import type { TopologyNode } from '../torch_layout.js';
import { type Adapter, adaptedWeights, withAdaptedEmbeddings } from './adapter.js';
import { quote } from './checks.js';
import type { GrootLMetadata } from './grootl_metadata.js';
import { LoadedModel } from './loaded_model.js';
import { type ModelJson, parseModelJson } from './model_json.js';

/** Positions whose logits are computed at once: 13 MB for a vocabulary of 50,280. */
const LOGIT_ROWS = 64;

/** The state after a text. */
export interface LanguageState {
  /**
   * Per layer, the states of its scan and of its convolution: `state_<layer>` [N, D, states], `past_<layer>` [N, taps-1, D].
   */
  readonly tensors: NamedTensorMap;
  /** The text itself, for models without a decode graph. */
  readonly ids: readonly number[];
  readonly promptLength: number;
  dispose(): void;
}

export class LanguageGraphs {
  private readonly stateNames: readonly string[];
  /** The nodes of `decode` with the logits and the next state. */
  private readonly nextNames: readonly string[];

  private constructor(
    readonly prefill: LoadedModel,
    private readonly decode: LoadedModel | undefined,
    private readonly decodeJson: ModelJson | undefined,
    readonly metadata: GrootLMetadata,
    /** Weights that replace those of the other graphs. */
    private readonly adapted?: NamedTensorMap,
  ) {
    this.stateNames = decode ? stateNamesOf(metadata) : [];
    this.nextNames = decodeJson ? nextNamesOf(decodeJson, this.stateNames) : [];
  }

  /**
   * @param decodeText the text of decode.json. Without it, the whole text is read again for each token.
   * @throws {Error} if decode.json is not a graph over the weights of the model.
   */
  static async over(
    prefill: LoadedModel,
    metadata: GrootLMetadata,
    decodeText: string | undefined,
  ): Promise<LanguageGraphs> {
    if (decodeText === undefined) return new LanguageGraphs(prefill, undefined, undefined, metadata);
    const decodeJson = parseModelJson(decodeText, 'decode.json');
    const stateNames = stateNamesOf(metadata);
    checkNodes(decodeJson, 'decode.json', nextNamesOf(decodeJson, stateNames));
    const decode = await loadOver('decode.json', decodeJson, prefill.weights);
    return new LanguageGraphs(prefill, decode, decodeJson, metadata);
  }

  /**
   * Returns the same graphs with an adapter applied. All other weights are shared, including later changes to them.
   * @throws {Error} if the adapter updates a module that the model does not have.
   */
  async adaptedBy(adapter: Adapter): Promise<LanguageGraphs> {
    const adapted = adaptedWeights(this.prefill.weights, adapter);
    const weights = { ...this.prefill.weights };
    for (const [name, tensor] of Object.entries(adapted)) weights[name] = [tensor];
    const changed = ({ modelTopology, signature, format }: Description): Description => ({
      ...{ signature, format },
      modelTopology: {
        ...modelTopology,
        node: withAdaptedEmbeddings(nodesOf({ modelTopology }), adapter),
      },
    });
    try {
      const { decodeJson } = this;
      const prefill = await loadOver(this.prefill.origin, changed(this.prefill.graphDescription), weights);
      const decode = decodeJson && (await loadOver('decode.json', changed(decodeJson), weights));
      return new LanguageGraphs(prefill, decode, decodeJson, this.metadata, adapted);
    } catch (error) {
      dispose(adapted);
      throw error;
    }
  }

  /**
   * Reads texts of one length.
   * @returns [N, L, hidden], and the state after the last token if it is requested.
   */
  read(rows: readonly (readonly number[])[], promptLength: number, withState: false): { hidden: Tensor3D };
  read(
    rows: readonly (readonly number[])[],
    promptLength: number,
    withState: true,
  ): { hidden: Tensor3D; state: LanguageState };
  read(
    rows: readonly (readonly number[])[],
    promptLength: number,
    withState: boolean,
  ): { hidden: Tensor3D; state?: LanguageState } {
    const names = ['hidden', ...(withState ? this.stateNames : [])];
    const [hidden, ...states] = this.execute(rows, (input_ids) =>
      this.prefill.execute({ input_ids, prompt_length: scalar(promptLength, 'int32') }, names),
    );
    const text = { ids: rows[0], promptLength };
    return { hidden: hidden as Tensor3D, ...(withState && { state: this.named(states, text) }) };
  }

  /**
   * Order and parent of a layer's tree over the tokens of a prompt, [L] each; vertices stand for tokens in reversed time.
   */
  async tree(ids: readonly number[], layer: number): Promise<[order: Int32Array, parent: Int32Array]> {
    const names = ['order', 'parent'].map((name) => `layers_${layer}/${name}`);
    const tensors = this.execute([ids], (input_ids) =>
      this.prefill.execute({ input_ids, prompt_length: scalar(ids.length, 'int32') }, names),
    );
    try {
      return (await Promise.all(tensors.map((tensor) => tensor.data()))) as [Int32Array, Int32Array];
    } finally {
      dispose(tensors);
    }
  }

  /**
   * Continues a text by one token, and disposes the previous state.
   * @returns the logits and state after that token
   */
  async next(token: number, state: LanguageState): Promise<{ logits: Float32Array; state: LanguageState }> {
    const { decode } = this;
    const text = { ids: [...state.ids, token], promptLength: state.promptLength };
    if (!decode) {
      state.dispose();
      return this.readToEnd(text.ids, text.promptLength);
    }
    let outputs: Tensor[];
    try {
      outputs = this.execute([[token]], (input_ids) =>
        decode.execute({ input_ids, ...state.tensors }, [...this.nextNames]),
      );
    } finally {
      state.dispose();
    }
    const [logits, ...states] = outputs;
    const next = this.named(states, { ...text, ids: [] });
    try {
      return { logits: (await logits.data()) as Float32Array, state: next };
    } catch (error) {
      next.dispose();
      throw error;
    } finally {
      logits.dispose();
    }
  }

  /** Returns the logits of the next token after a text, and the state after it. */
  async readToEnd(
    ids: readonly number[],
    promptLength: number,
  ): Promise<{ logits: Float32Array; state: LanguageState }> {
    const { hidden, state } = this.read([ids], promptLength, true);
    try {
      for await (const logits of this.logits(hidden, [{ row: 0, position: ids.length - 1 }])) {
        return { logits, state };
      }
      throw new Error('GrootL.generate: the graph gave no logits');
    } catch (error) {
      state.dispose();
      throw error;
    } finally {
      hidden.dispose();
    }
  }

  /** Yields logits [positions][vocabulary] at positions of a text that has been read, in pieces of bounded size. */
  async *logits(
    hidden: Tensor3D,
    places: readonly { readonly row: number; readonly position: number }[],
  ): AsyncGenerator<Float32Array> {
    const [, , channels] = hidden.shape;
    for (let first = 0; first < places.length; first += LOGIT_ROWS) {
      const part = places.slice(first, first + LOGIT_ROWS);
      const logits = tidy(() => {
        const picked = concat(
          part.map(({ row, position }) => slice(hidden, [row, position, 0], [1, 1, channels])),
          1,
        );
        return this.prefill.execute({ hidden: picked }, 'logits') as Tensor;
      });
      const values = (await logits.data()) as Float32Array;
      logits.dispose();
      const width = values.length / part.length;
      for (let i = 0; i < part.length; i++) yield values.subarray(i * width, (i + 1) * width);
    }
  }

  /** Frees the weights; for graphs with an adapter, only the updated matrices. */
  dispose(): void {
    if (this.adapted) {
      dispose(this.adapted);
      return;
    }
    this.decode?.dispose();
    this.prefill.dispose();
  }

  private named(
    tensors: readonly Tensor[],
    text: Pick<LanguageState, 'ids' | 'promptLength'>,
  ): LanguageState {
    const names = this.stateNames;
    return {
      ...text,
      tensors: Object.fromEntries(tensors.map((tensor, i) => [names[i], tensor])),
      dispose: () => dispose([...tensors]),
    };
  }

  private execute(
    rows: readonly (readonly number[])[],
    run: (inputIds: Tensor) => Tensor | Tensor[],
  ): Tensor[] {
    const length = rows[0].length;
    try {
      return tidy(() => [run(tensor2d(rows.flat(), [rows.length, length], 'int32'))].flat());
    } catch (cause) {
      if (cause instanceof OpError || !isOutOfMemory(cause)) throw cause;
      throw new Error(
        `GrootL: ${rows.length} x ${length} tokens do not fit into the memory of the backend '${getBackend()}'`,
        { cause },
      );
    }
  }
}

/** JavaScript engines have no separate error type for this. */
function isOutOfMemory(error: unknown): boolean {
  const message = error instanceof Error ? error.message : String(error);
  return /out of memory|memory access out of bounds|allocation failed|cannot enlarge memory|aborted\(|array length|array buffer/i.test(
    message,
  );
}

function stateNamesOf({ architecture }: GrootLMetadata): string[] {
  return Array.from({ length: architecture.layers }, (_, i) => [`state_${i}`, `past_${i}`]).flat();
}

function nodesOf({ modelTopology }: Pick<ModelJson, 'modelTopology'>): readonly TopologyNode[] {
  return (modelTopology as { node: readonly TopologyNode[] }).node;
}

/** Resolves nodes that only name an output to their inputs, because every node adds time per token. */
function nextNamesOf(decodeJson: ModelJson, stateNames: readonly string[]): string[] {
  const names = ['logits', ...stateNames.map((name) => `next_${name}`)];
  const meant = new Map(
    nodesOf(decodeJson).map(({ name, op, input }) => [name, op === 'Identity' ? input?.[0] : name]),
  );
  return names.map((name) => meant.get(name) ?? name);
}

function checkNodes(json: ModelJson, file: string, names: readonly string[]): void {
  const nodes = new Set(nodesOf(json).map(({ name }) => name));
  const missing = names.find((name) => !nodes.has(name.replace(/:.*$/, '')));
  if (missing !== undefined) throw new Error(`${file}: has no node ${quote(missing)}, which GrootL needs`);
}

type Description = Pick<ModelJson, 'modelTopology' | 'signature' | 'format'>;

/** Loads a graph without weights over the weights of another, matched by name, so that they are in memory once. */
async function loadOver(
  file: string,
  { modelTopology, signature, format }: Description,
  weights: GraphModel['weights'],
): Promise<LoadedModel> {
  const constant = nodesOf({ modelTopology }).find(
    ({ name, op }) => op === 'Const' && !Object.hasOwn(weights, name),
  );
  if (constant) {
    throw new Error(`${file}: the weight ${quote(constant.name)} is not among those of model.json`);
  }
  const graph = await LoadedModel.from(file, {
    modelTopology,
    signature,
    format,
    weightSpecs: [],
    weightData: new ArrayBuffer(0),
  });
  Object.assign(graph.weights, weights);
  return graph;
}
