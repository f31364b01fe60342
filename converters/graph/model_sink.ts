/** Destinations of a converted model: files by name. */

/** Receives the files of a model, the shards first and model.json last. */
export interface ModelSink {
  write(name: string, bytes: Uint8Array): Promise<void>;
}

/**
 * Keeps a model in memory, in the form that `tf.loadGraphModel(tf.io.fromMemory(...))` takes, for pages, which have no folder to
 * write to.
 */
export class MemorySink implements ModelSink {
  readonly files = new Map<string, Uint8Array>();

  async write(name: string, bytes: Uint8Array): Promise<void> {
    this.files.set(name, bytes.slice());
  }

  /** The model as tfjs's `ModelArtifacts`. @throws if no model has been written */
  artifacts(): { modelTopology: object; weightSpecs: object[]; weightData: ArrayBuffer } & Record<
    string,
    unknown
  > {
    const json = this.files.get('model.json');
    if (!json) throw new Error('no model has been written to this sink');
    const { weightsManifest, ...model } = JSON.parse(new TextDecoder().decode(json));
    const paths: string[] = weightsManifest.flatMap((group: { paths: string[] }) => group.paths);
    const shards = paths.map((path) => this.files.get(path) as Uint8Array);
    const weights = new Uint8Array(shards.reduce((total, shard) => total + shard.length, 0));
    let at = 0;
    for (const shard of shards) {
      weights.set(shard, at);
      at += shard.length;
    }
    const weightSpecs = weightsManifest.flatMap((group: { weights: object[] }) => group.weights);
    return { ...model, weightSpecs, weightData: weights.buffer, ...this.filesBeside() };
  }

  /** Artifacts are a single model; the further files of a language model are included for `GrootL.load`. */
  private filesBeside(): { files?: Record<string, string> } {
    const texts = ['decode.json', 'tokenizer.json', 'tokenizer_config.json'].flatMap((file) => {
      const bytes = this.files.get(file);
      return bytes ? [[file, new TextDecoder().decode(bytes)]] : [];
    });
    return texts.length === 0 ? {} : { files: Object.fromEntries(texts) };
  }
}
