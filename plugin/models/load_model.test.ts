import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { onBackend } from '../../testing/backends.js';
import { convertedFolder } from '../../testing/language_models.js';
import { loadConverted } from '../../testing/models.js';
import { stubDetector, stubSegmenter } from '../../testing/stub_models.js';
import { Detector, GrootL, GrootV, loadModel, type ModelSource, Segmenter } from '../index.js';

async function converted(file: string) {
  const { model, sink } = await loadConverted(file);
  model.dispose();
  return sink;
}

for (const [name, source, kind] of [
  ['a classifier', () => converted('grootv/grootv_tiny_module.pth'), GrootV],
  ['a segmenter', () => stubSegmenter(), Segmenter],
  ['a detector', () => stubDetector(), Detector],
  ['a language model', () => convertedFolder('grootl/grootl_tiny'), GrootL],
] as const) {
  t.test(`${name}, with its weights loaded once`, async (t) => {
    const { leaked } = await onBackend('cpu', async () => {
      const [given, before] = [await source(), tf.memory().numTensors];
      const expected = await (kind.load as (source: ModelSource) => Promise<{ dispose(): void }>)(given);
      const tensors = tf.memory().numTensors - before;
      expected.dispose();
      const model = await loadModel(given);
      t.equal(model.constructor, kind);
      t.equal(tf.memory().numTensors - before, tensors);
      if (model instanceof GrootL) t.ok(model.tokenizer, 'what lies beside model.json');
      model.dispose();
    });
    t.equal(leaked, 0);
  });
}

t.test('what has no class, and what is not a model, is told in one clear line', async (t) => {
  const { leaked } = await onBackend('cpu', async () => {
    await t.rejects(loadModel(await converted('family/gg_ssm_series_tiny.pth')), {
      message:
        'loadModel: model.json: there is no class for models of the family "GG-SSM-Forecaster": load it with ' +
        'loadGraphModel of @tensorflow/tfjs-converter, and run it with model.execute({ series }, ["forecast"])',
    });
    await t.rejects(loadModel(await converted('family/gg_ssm_eye_lpw.pth')), {
      message: /"GG-SSM-EyeTracker": .* run it with model\.execute\(\{ frames \}, \["coords"\]\)$/,
    });
    const graph = { modelTopology: { node: [], versions: {} }, weightSpecs: [] };
    const other = (userDefinedMetadata?: object) =>
      loadModel(tf.io.fromMemory({ ...graph, weightData: new ArrayBuffer(0), userDefinedMetadata }));
    for (const metadata of [undefined, {}, { architecture: 'GrootV' }, { architecture: { family: 7 } }]) {
      await t.rejects(other(metadata as object), {
        message:
          'loadModel: model.json: its metadata names no architecture, expected a model that convertCheckpoint wrote; ' +
          'loadGraphModel of @tensorflow/tfjs-converter loads any graph',
      });
    }
    await t.rejects(other({ architecture: { family: 'con\nstructor' } }), {
      message:
        /^loadModel: model\.json: there is no class for models of the family "con\\nstructor": [^\n]*$/,
    });
    await t.rejects(other({ architecture: { family: 'GrootV' } }), {
      message: /^loadModel: model\.json: userDefinedMetadata\.architecture\.name is undefined, expected/,
    });
    await t.rejects(loadModel(undefined as never), {
      message: /^loadModel: the model is undefined, expected/,
    });
    const reason = new Error('enough');
    await t.rejects(
      loadModel(await converted('grootv/grootv_tiny_fp16.pth'), { signal: AbortSignal.abort(reason) }),
      reason,
    );
  });
  t.equal(leaked, 0);
});
