/** Teaches a model the classes of your images: npx tsx finetune.ts images run 200 */
import { mkdir, writeFile } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs'; // with the gradients of its ops
import '@tensorflow/tfjs-backend-wasm';
import { GrootV } from 'tfjs-grootvl';
import { fileSystem, openImageSets } from 'tfjs-grootvl/node';
import {
  Batches,
  classesOf,
  cosineSchedule,
  exportCheckpoint,
  fit,
  inOrder,
  type StepReport,
  trainable,
} from 'tfjs-grootvl/training';
import { ready } from 'tfjs-grootvl/wasm';

await tf.setBackend('wasm');
await ready();
const [folder, out, count = '200'] = process.argv.slice(2);
const steps = Number(count);
await mkdir(out); // a new folder: nothing is overwritten

const model = await GrootV.load(fileSystem('model'));
const { train, heldOut } = await openImageSets(folder); // a folder of images for each class
const learner = trainable(model, {
  newHead: train.classNames ?? classesOf(train),
  freeze: ['patch_embed', 'levels.0'], // keep the layers that detect edges and colours
});
const options = { batch: 16, preparation: model.metadata.preprocessing };
const batches = new Batches(train, { ...options, augment: { area: [0.5, 1], erase: 0 } });
const learningRate = cosineSchedule({ peak: 2e-3, end: 1e-5, warmup: Math.floor(steps / 10), steps });
const report = {
  onStep: ({ step, loss }: StepReport) => console.log(`step ${step}: loss ${loss.toFixed(3)}`),
  heldOut: heldOut && (() => inOrder(heldOut, options)), // the part `val` of the images, if there is one
};
const { evaluation } = await fit(learner, batches, { steps, learningRate }, report);
if (evaluation) console.log(`held out: ${(100 * evaluation.accuracy).toFixed(1)} % right`);
await learner.save(fileSystem(`${out}/model`)); // for GrootV.load, and npx tfjs-grootvl classify
await writeFile(`${out}/model.safetensors`, await exportCheckpoint(learner)); // for PyTorch
