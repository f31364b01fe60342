/** The process in which images.ts measures the overhead of a run over its model. */
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readImage } from '../node/images/read_image.js';
import { imageInputs } from '../node/many_images/inputs.js';
import { kindOf } from '../node/many_images/kinds.js';
import { rowWriter } from '../node/many_images/rows/row_writer.js';
import { runImages } from '../node/many_images/run_images.js';
import { openRunner } from '../node/many_images/runner.js';
import { modelSource } from '../node/model_source.js';
import { GrootV, prepareImage, type RgbImage } from '../plugin/index.js';
import { answer } from './child_process.js';
import type { PipelineFigures, PipelineJob } from './images.js';
import { median, timeUntil } from './timing.js';

/** Classes per row. */
const TOP = 5;

/** A run from image files to a row file, alternating with the same batches of preprocessed images through the model only. */
async function measure({ model: path, folder, batch, rounds }: PipelineJob): Promise<PipelineFigures> {
  const spec = { kind: 'classify', model: path, backend: 'wasm', options: { top: TOP } } as const;
  const [kind, runner] = [await kindOf(spec), await openRunner(spec)];
  const model = await GrootV.load(await modelSource(path));
  const images: RgbImage[] = [];
  for (const name of await readdir(folder)) {
    images.push(prepareImage(await readImage(join(folder, name)), model.metadata.preprocessing));
  }
  const run = async () => {
    const file = await open(join(path, 'rows.ndjson'), 'w');
    const writer = await rowWriter('ndjson', kind, spec, async (bytes) => {
      await file.write(bytes as string);
    });
    for await (const row of runImages(runner, imageInputs([folder]), { batch })) await writer.write(row);
    await writer.end();
    await file.close();
  };
  const alone = async () => {
    for (let i = 0; i < images.length; i += batch) {
      await model.classify(images.slice(i, i + batch), { top: TOP, prepare: false });
    }
  };
  const rates: { runMs: number; modelMs: number }[] = [];
  for (let round = 0; round <= rounds; round++) {
    const [runMs, modelMs] = [await timeUntil(run), await timeUntil(alone)];
    rates.push({ runMs: runMs / images.length, modelMs: modelMs / images.length });
  }
  rates.shift(); // packs weights, fills caches
  model.dispose();
  await runner.dispose();
  return {
    runMs: median(rates.map(({ runMs }) => runMs)),
    modelMs: median(rates.map(({ modelMs }) => modelMs)),
    ratio: median(rates.map(({ runMs, modelMs }) => runMs / modelMs)),
  };
}

await answer(measure);
