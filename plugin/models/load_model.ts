/** Loads a model of any family. */
import { quote } from './checks.js';
import { Detector } from './detector.js';
import { GrootL } from './grootl.js';
import { GrootV } from './grootv.js';
import { type LoadedModel, openModel } from './loaded_model.js';
import { familyOf } from './metadata.js';
import { type LoadOptions, type ModelSource, type OpenedSource, openSource } from './model_files.js';
import { Segmenter } from './segmenter.js';

/** A loaded model; use `instanceof` to distinguish. */
export type AnyModel = GrootV | Segmenter | Detector | GrootL;

const METHOD = 'loadModel';

type Reader = (method: string, model: LoadedModel, opened: OpenedSource) => AnyModel | Promise<AnyModel>;

/** By the family named in the metadata. */
const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['GrootV', GrootV.of],
  ['GrootV-UperNet', Segmenter.of],
  ['GrootV-MaskRCNN', Detector.of],
  ['GrootL', GrootL.of],
]);

/**
 * Loads a model that was written by `convertCheckpoint` or `save`, of any family that has a class here. The weights are
 * loaded once.
 *
 * ```js
 * const model = await loadModel('/model/model.json');
 * if (model instanceof GrootL) await model.generate('The maintainer');
 * ```
 *
 * @param source URL of its model.json (also `indexeddb://name`), any IOHandler such as `tf.io.http(url, options)` or
 *   `fileSystem(dir)` of `tfjs-grootvl/node`, or a `MemorySink`.
 * @throws {Error} one line, if it cannot be loaded, is of a family without a class (eye trackers, forecasters and bare
 *   UIS-Mamba; the error says how to run those), or names no family; the signal's reason if it is aborted.
 */
export async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<AnyModel> {
  const opened = openSource(METHOD, source, options);
  return openModel(opened, options, (model) => readerOf(model)(METHOD, model, opened));
}

/** @throws {Error} if there is none. */
function readerOf(model: LoadedModel): Reader {
  const family = familyOf(model);
  const reader = READERS.get(family ?? '');
  if (reader) return reader;
  const where = `${METHOD}: ${model.origin}`;
  const anyGraph = 'loadGraphModel of @tensorflow/tfjs-converter';
  if (family === undefined) {
    throw new Error(
      `${where}: its metadata names no architecture, expected a model that convertCheckpoint wrote; ${anyGraph} loads any graph`,
    );
  }
  const [inputs, outputs] = [model.inputs, model.outputs].map((nodes) => nodes.map(({ name }) => name));
  throw new Error(
    `${where}: there is no class for models of the family ${quote(family)}: load it with ${anyGraph}, and run it with ` +
      `model.execute({ ${quote(inputs.join(', ')).slice(1, -1)} }, [${outputs.map(quote).join(', ')}])`,
  );
}
