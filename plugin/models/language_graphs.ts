/** The two graphs of a GrootL model over one set of weights, and what flows between them. */
import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import {
  concat,
  dispose,
  getBackend,
  io,
  type NamedTensorMap,
  scalar,
  slice,
  type Tensor,
  type Tensor3D,
  tensor2d,
  tidy,
} from '@tensorflow/tfjs-core';
import { OpError } from '../ops/op.js';
import type { GrootLMetadata } from './grootl_metadata.js';
import type { ModelFiles } from './model_files.js';

/** Positions whose logits are computed at once: with a vocabulary of 50,280, 13 MB of them. */
const LOGIT_ROWS = 64;

/** The state behind a token: per layer what its scan and its convolution remember. */
export interface LanguageState {
  /** By name: `state_<layer>` [N, D, states] and `past_<layer>` [N, taps-1, D]. */
  readonly tensors: NamedTensorMap;
  dispose(): void;
}

export class LanguageGraphs {
  private readonly stateNames: readonly string[];
  /** The nodes of `decode` with the logits and the next state. */
  private readonly nextNames: readonly string[];

  private constructor(
    readonly prefill: GraphModel,
    private readonly decode: GraphModel,
    decodeJson: io.ModelJSON,
    readonly metadata: GrootLMetadata,
  ) {
    const { layers } = metadata.architecture;
    this.stateNames = Array.from({ length: layers }, (_, i) => [`state_${i}`, `past_${i}`]).flat();
    this.nextNames = namedBy(decodeJson, ['logits', ...this.stateNames.map((name) => `next_${name}`)]);
  }

  /** @throws {Error} when the model cannot be loaded or is no GrootL model */
  static async load(files: ModelFiles): Promise<LanguageGraphs> {
    const text = files.readText('decode.json');
    text.catch(() => {}); // reported below, after the model
    const prefill = await loadGraphModel(files.model);
    try {
      const metadata = prefill.metadata as Partial<GrootLMetadata> | undefined;
      if (metadata?.architecture?.family !== 'GrootL') {
        throw new Error('GrootL.load: this is no GrootL model: its metadata names no such architecture');
      }
      const json = await text;
      if (json === undefined) throw new Error('GrootL.load: there is no decode.json beside model.json');
      const decodeJson = JSON.parse(json) as io.ModelJSON;
      const decode = await loadOver(prefill, decodeJson);
      return new LanguageGraphs(prefill, decode, decodeJson, metadata as GrootLMetadata);
    } catch (error) {
      prefill.dispose();
      throw error;
    }
  }

  /** Reads texts of one length. @returns [N, L, hidden], and the state behind the last token where it is asked for. */
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
    return { hidden: hidden as Tensor3D, ...(withState && { state: this.named(states) }) };
  }

  /** Continues a text by a token, and disposes the state that it continues from. @returns what comes after it */
  async next(token: number, state: LanguageState): Promise<{ logits: Float32Array; state: LanguageState }> {
    let outputs: Tensor[];
    try {
      outputs = this.execute([[token]], (input_ids) =>
        this.decode.execute({ input_ids, ...state.tensors }, [...this.nextNames]),
      );
    } finally {
      state.dispose();
    }
    const [logits, ...states] = outputs;
    const next = this.named(states);
    try {
      return { logits: (await logits.data()) as Float32Array, state: next };
    } catch (error) {
      next.dispose();
      throw error;
    } finally {
      logits.dispose();
    }
  }

  /** Logits [positions][vocabulary] at places of a text that has been read, in pieces of bounded size. */
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

  /** Frees the weights. */
  dispose(): void {
    this.decode.dispose();
    this.prefill.dispose();
  }

  private named(tensors: readonly Tensor[]): LanguageState {
    const names = this.stateNames;
    return {
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

/** Engines have no error type of their own for it. */
function isOutOfMemory(error: unknown): boolean {
  const message = error instanceof Error ? error.message : String(error);
  return /out of memory|memory access out of bounds|allocation failed|cannot enlarge memory|aborted\(|array length|array buffer/i.test(
    message,
  );
}

/** What nodes that do nothing but name an output stand for: every node costs a token time. */
function namedBy({ modelTopology }: io.ModelJSON, names: readonly string[]): string[] {
  const { node: nodes } = modelTopology as { node: { name: string; op: string; input?: string[] }[] };
  const meant = new Map(nodes.map(({ name, op, input }) => [name, op === 'Identity' ? input?.[0] : name]));
  return names.map((name) => meant.get(name) ?? name);
}

/** Loads a graph without weights and lets it read those of another, by name: they are in memory once. */
async function loadOver(other: GraphModel, json: io.ModelJSON): Promise<GraphModel> {
  const { weightsManifest: _, ...model } = json;
  const graph = (await loadGraphModel(
    io.fromMemory({ ...model, weightSpecs: [], weightData: new ArrayBuffer(0) }),
  )) as GraphModel;
  Object.assign(graph.weights, other.weights);
  return graph;
}
