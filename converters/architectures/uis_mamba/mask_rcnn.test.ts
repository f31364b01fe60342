/**
 * Mask R-CNN on UIS-Mamba. There are no reference numbers for the whole model, so its parts are compared: the backbone with a
 * model of the backbone alone, the rest with the heads of a Mask R-CNN on GrootV that gets the same features.
 */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { Detector } from '../../../plugin/index.js';
import { exportCheckpoint } from '../../../plugin/training/index.js';
import { onBackend } from '../../../testing/backends.js';
import { randomState, smallMaskRCNN } from '../../../testing/checkpoints.js';
import { loadSink } from '../../../testing/models.js';
import { type State, saved } from '../../../testing/openmmlab_checkpoints.js';
import { type ConvertOptions, convertCheckpoint, type Inspection, MemorySink } from '../../index.js';
import { torchZipBytes } from '../../pytorch/testing/torch_writer.js';

const STATE = randomState(
  smallMaskRCNN({
    backbone: 'UIS-Mamba',
    depths: [1, 2],
    depatch: true,
    outputNormalization: { levels: [0, 1], epsilon: 1e-6 },
  }),
);
const OUTPUTS = ['boxes', 'scores', 'classes', 'masks'];
const FEATURES = ['features_0', 'features_1'];
const OPTIONS = {
  dense: { scoreThreshold: 0.3, maxDetections: 5 },
  uisMamba: { useHsw: true, hswVarphi: 0.5 },
};

async function converted(state: State, options: ConvertOptions) {
  const sink = new MemorySink();
  const inspection: Inspection = await convertCheckpoint(await torchZipBytes(saved(state)), sink, options);
  return { sink, inspection, model: await loadSink(sink) };
}

/** Values and shapes of nodes. */
function valuesOf(model: GraphModel, feeds: tf.NamedTensorMap, nodes: string[]) {
  return tf.tidy(() =>
    (model.execute(feeds, nodes) as tf.Tensor[]).map((result) => [result.shape, [...result.dataSync()]]),
  );
}

t.test('its backbone is the backbone alone, its heads are those of GrootV’s', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const whole = await converted(STATE, OPTIONS);
    t.match(whole.inspection, { architecture: 'UIS-Mamba + Mask R-CNN', depatch: true, prefix: '' });
    t.match(whole.inspection.warnings, [/taken: poolSize 2 \(--pool-size\)$/]);
    t.match((whole.model as unknown as { metadata: object }).metadata, {
      architecture: {
        family: 'GrootV-MaskRCNN',
        backbone: 'UIS-Mamba',
        useHsw: true,
        hswVarphi: 0.5,
        poolSize: 2,
      },
    });
    const alone = await converted(STATE, { prefix: 'backbone.', uisMamba: OPTIONS.uisMamba });
    t.equal(alone.inspection.architecture, 'UIS-Mamba');
    const image = tf.randomUniform([1, 64, 96, 3], 0, 255, 'float32', 3);
    const found = valuesOf(whole.model, { image }, [...FEATURES, ...OUTPUTS]);
    t.same(found.slice(0, 2), valuesOf(alone.model, { image }, FEATURES), 'the backbone');
    t.ok((found[3][1] as number[]).length > 0, `${found[3][1].length} detections`);

    // The same heads; nothing of this model's backbone, which has other modules, is run.
    const trunk = [...randomState(smallMaskRCNN({ depths: [1, 2] }))].filter(([name]) =>
      name.startsWith('backbone.'),
    );
    const heads = [...STATE].filter(([name]) => !name.startsWith('backbone.'));
    const other = await converted(new Map([...trunk, ...heads]), { dense: OPTIONS.dense });
    t.equal(other.inspection.architecture, 'GrootV + Mask R-CNN');
    const given = Object.fromEntries(
      FEATURES.map((node, i) => [node, tf.tensor(found[i][1], found[i][0] as number[])]),
    );
    t.same(found.slice(2), valuesOf(other.model, { image, ...given }, OUTPUTS), 'the heads');
    for (const { model } of [whole, alone, other]) model.dispose();
    tf.dispose([image, given]);
  });
  t.equal(leaked, 0);
});

t.test('as a detector, and back to a checkpoint', async (t) => {
  await onBackend('wasm', async () => {
    const { sink, model } = await converted(STATE, { ...OPTIONS, batchNorm: 'keep' });
    const detector = await Detector.load(sink);
    const pixels = tf.randomUniform<tf.Rank.R3>([64, 96, 3], 0, 255, 'int32', 3);
    const { detections } = await detector.detect(pixels, { masks: 'bitmap' });
    t.ok(detections.length > 0 && detections.every(({ score, mask }) => score > 0.3 && mask));
    pixels.dispose();
    const bytes = await exportCheckpoint(model);
    const again = new MemorySink();
    const inspection = await convertCheckpoint(bytes, again);
    t.match(inspection, { architecture: 'UIS-Mamba + Mask R-CNN', warnings: [] });
    const settings = Object.fromEntries(inspection.settings.map(({ name, value }) => [name, value]));
    t.match(settings, { useHsw: true, hswVarphi: 0.5, poolSize: 2, scoreThreshold: 0.3 });
    detector.dispose();
    model.dispose();
  });
});
