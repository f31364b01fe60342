/** The model: converted, trained, used and exported here, so that nothing blocks the page. */
import * as tf from '@tensorflow/tfjs'; // with the gradients of its ops
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import plainWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simdWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import threadedWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import { drawCurves, GrootV } from 'tfjs-grootvl';
import { convertCheckpoint, MemorySink } from 'tfjs-grootvl/converters';
import {
  Batches,
  cosineSchedule,
  exportCheckpoint,
  fit,
  imageExamples,
  trainable,
} from 'tfjs-grootvl/training';
import { ready } from 'tfjs-grootvl/wasm';
import checkpoint from '../../fixtures/grootv/grootv_nano_mnist.pth?url';

const BATCH = 16;
/** Drawings are shifted and stretched, and turned by so many radians, each time that they are learnt from. */
const AUGMENTATION = { area: [0.7, 1], mirror: false, colour: 0, erase: 0 };
const MOST_TURN = 0.25;

const digits = new MemorySink();
/** What `trainable` made of the model that learns the drawings. */
let trained;
let controller;

/** What the page may ask. */
const requests = {
  /** Converts the checkpoint of a classifier of digits. */
  async start() {
    setWasmPaths({
      'tfjs-backend-wasm.wasm': plainWasm,
      'tfjs-backend-wasm-simd.wasm': simdWasm,
      'tfjs-backend-wasm-threaded-simd.wasm': threadedWasm,
    });
    if (!(await tf.setBackend('wasm'))) throw new Error('WebAssembly did not start in this browser');
    await ready();
    const response = await fetch(checkpoint);
    if (!response.ok)
      throw new Error(`the checkpoint could not be loaded: the server answered ${response.status}`);
    const { parameters } = await convertCheckpoint(new File([await response.blob()], 'digits.pth'), digits);
    return { parameters };
  },

  /**
   * Trains anew, from the digits.
   * @param drawings {label, image: ImageData}
   */
  async train({ classNames, drawings, steps }) {
    trained?.dispose();
    trained?.model.dispose();
    trained = undefined;
    const model = await GrootV.load(digits);
    // What finds lines in digits finds them in drawings: the first layers stay as they are.
    trained = trainable(model, { newHead: classNames, freeze: ['patch_embed', 'levels.0'] });
    const turn = await turner(drawings);
    const examples = { ...imageExamples(drawings, { name: 'the drawings', classNames }), image: turn };
    const { preprocessing } = model.metadata;
    const batches = new Batches(examples, {
      batch: BATCH,
      preparation: preprocessing,
      augment: AUGMENTATION,
    });
    const learningRate = cosineSchedule({
      start: 1e-4,
      peak: 2e-3,
      end: 1e-5,
      warmup: Math.min(5, steps - 1),
      steps,
    });
    controller = new AbortController();
    const { signal } = controller;
    const curves = { loss: [], accuracy: [] };
    let done = 0;
    const onStep = ({ step, loss, accuracy, remainingSeconds }) => {
      done = step;
      curves.loss.push(step, loss);
      curves.accuracy.push(step, accuracy);
      postMessage({ step: { step, steps, loss, accuracy, remainingSeconds, curve: chart(curves) } });
    };
    await fit(trained, batches, { steps, learningRate }, { onStep, signal }).catch((error) => {
      if (!signal.aborted) throw error;
    });
    return { steps: done };
  },

  /** Ends the training behind its current step; the model keeps what it has learnt. */
  async stop() {
    controller?.abort();
  },

  /** @param image ImageData */
  async classify({ image }) {
    const [predictions] = await trained.model.classify(image);
    return predictions;
  },

  /** The weights for PyTorch. */
  async export() {
    return exportCheckpoint(trained);
  },
};

self.onmessage = async ({ data: { id, request, ...input } }) => {
  try {
    postMessage({ id, result: await requests[request](input) });
  } catch (error) {
    postMessage({ id, error: error.message });
  }
};

/** A function that gives a drawing, by its index, turned at random: pixels of RGB. */
async function turner(drawings) {
  const bitmaps = await Promise.all(drawings.map(({ image }) => createImageBitmap(image)));
  const [{ width, height }] = bitmaps;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  return (index) => {
    context.resetTransform();
    context.fillRect(0, 0, width, height);
    context.translate(width / 2, height / 2);
    context.rotate(MOST_TURN * (2 * Math.random() - 1));
    context.drawImage(bitmaps[index], -width / 2, -height / 2);
    const { data } = context.getImageData(0, 0, width, height);
    return { width, height, data: Uint8Array.from(data.filter((_, i) => i % 4 < 3)) };
  };
}

/** The curves as ImageData. */
function chart({ loss, accuracy }) {
  const panels = [
    { title: 'loss', curves: [{ name: '', points: loss }], includes: [0] },
    { title: 'accuracy', curves: [{ name: '', points: accuracy }], includes: [0, 1] },
  ];
  const { width, height, data } = drawCurves(panels, { width: 560, height: 170 });
  const pixels = new ImageData(width, height);
  pixels.data.fill(255);
  for (let i = 0; i < data.length; i++) pixels.data[4 * Math.floor(i / 3) + (i % 3)] = data[i];
  return pixels;
}
