/** Converted models are untrusted: whatever is changed in one, it works, or an error says what is wrong. */
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import t from 'tap';
import { onBackend } from '../../testing/backends.js';
import { convertedFolder } from '../../testing/language_models.js';
import { loadConverted } from '../../testing/models.js';
import { isReadable, mutated } from '../../testing/mutations.js';
import { GrootL, GrootV, memoryFolder } from '../index.js';

const encode = (json: object) => new TextEncoder().encode(JSON.stringify(json));
const parse = (bytes: Uint8Array | undefined) => JSON.parse(new TextDecoder().decode(bytes)) as object;

async function visionFiles(): Promise<Map<string, Uint8Array>> {
  const { model, sink } = await loadConverted('grootv/grootv_tiny_fp16.pth');
  model.dispose();
  return sink.files;
}

async function classify(files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const model = await GrootV.load(memoryFolder(files));
  const image = tf.zeros<tf.Rank.R3>([8, 8, 3]);
  try {
    await model.classify(image);
    await model.tree(image);
  } finally {
    image.dispose();
    model.dispose();
  }
}

async function generate(files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const model = await GrootL.load(memoryFolder(files));
  try {
    await model.generate(model.tokenizer ? 'The' : [5], { maxTokens: 2 });
    if (model.tokenizer) await model.score('The', ' cat');
  } finally {
    model.dispose();
  }
}

/** Milliseconds that one changed model may take; unchanged ones take a tenth of a second. */
const TIME = 20_000;

const RUNS = 120;

for (const [file, convert, use] of [
  ['model.json of GrootV', visionFiles, classify],
  ['model.json', async () => (await convertedFolder('grootl/grootl_tiny')).files, generate],
  ['decode.json', async () => (await convertedFolder('grootl/grootl_tiny')).files, generate],
  ['tokenizer.json', async () => (await convertedFolder('grootl/grootl_tiny')).files, generate],
  ['tokenizer_config.json', async () => (await convertedFolder('grootl/grootl_tiny')).files, generate],
] as const) {
  t.test(`any change of ${file}`, async (t) => {
    await onBackend('cpu', async () => {
      const name = file.replace(' of GrootV', '');
      const files = await convert();
      await use(files);
      let refused = 0;
      await fc.assert(
        fc.asyncProperty(mutated(parse(files.get(name))), async ({ json, change }) => {
          const start = performance.now();
          try {
            await use(new Map([...files, [name, encode(json)]]));
          } catch (error) {
            refused++;
            if (!isReadable(error)) throw new Error(`${change}: ${(error as Error).stack}`, { cause: error });
          }
          const ms = performance.now() - start;
          if (ms > TIME) throw new Error(`${change}: ${ms} ms`);
        }),
        { numRuns: RUNS, endOnFailure: true },
      );
      t.ok(refused > 2, `${refused} of ${RUNS} refused`);
    });
  });
}
