/** Converted models are untrusted: whatever is changed in one, it either works or an error says what is wrong. */
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import t from 'tap';
import { onBackend } from '../../testing/backends.js';
import { randomClassifier } from '../../testing/checkpoints.js';
import { convertedFolder } from '../../testing/language_models.js';
import { isReadable, mutated } from '../../testing/mutations.js';
import { GrootL, GrootV, memoryFolder } from '../index.js';

const encode = (json: object) => new TextEncoder().encode(JSON.stringify(json));
const parse = (bytes: Uint8Array | undefined) => JSON.parse(new TextDecoder().decode(bytes)) as object;

async function visionFiles(): Promise<Map<string, Uint8Array>> {
  return (await randomClassifier({ channels: 4, depths: [1, 1], classes: 7 })).files;
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

/** Time limit in milliseconds for one changed model; unchanged ones take a tenth of a second. */
const TIME = 20_000;

const RUNS = process.env.GROOTVL_LONG ? 500 : 40;
/** Over all files: few fields of tokenizer_config.json are read, so that by chance none of its changes may matter. */
let allRefused = 0;

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
      t.comment(`${refused} of ${RUNS} refused`);
      allRefused += refused;
    });
  });
}

t.test('changes are refused', async (t) => t.ok(allRefused > RUNS / 4, `${allRefused} of all`));

/** Returns the files of a model with one field of a JSON file changed. */
function changed(files: ReadonlyMap<string, Uint8Array>, file: string, path: string, value: unknown) {
  const json = parse(files.get(file)) as Record<string, unknown>;
  const keys = path.split('.');
  const parent = keys.slice(0, -1).reduce((each, key) => each[key] as Record<string, unknown>, json);
  parent[keys[keys.length - 1]] = value;
  return new Map([...files, [file, encode(json)]]);
}

t.test('metadata out of bounds names the field, what it holds and what is expected', async (t) => {
  await onBackend('cpu', async () => {
    const vision = await visionFiles();
    for (const [field, value, message] of [
      ['preprocessing', undefined, 'preprocessing is undefined, expected an object'],
      ['preprocessing.size', 30_000, 'preprocessing.size is 30000, expected an integer from 1 to 4096'],
      ['preprocessing.size', '224', 'preprocessing.size is "224", expected an integer from 1 to 4096'],
      ['preprocessing.mean', [0, 0], 'preprocessing.mean is an array of 2, expected an array of 3'],
      [
        'architecture.depths',
        [1e9],
        'architecture.depths[0] is 1000000000, expected an integer from 1 to 1000',
      ],
      ['architecture.depths', 5, 'architecture.depths is 5, expected an array'],
      [
        'architecture.classes',
        1e9,
        'architecture.classes is 1000000000, expected an integer from 0 to 1000000',
      ],
      ['classNames', ['a'], 'classNames has 1 names, expected one for each of 7 classes'],
      ['classNames', [1, 2, 3, 4, 5, 6, 7], 'classNames[0] is 1, expected a text'],
      ['classNames', ['x'.repeat(5000)], 'classNames[0] has 5000 characters, expected at most 1000'],
    ] as const) {
      const files = changed(vision, 'model.json', `userDefinedMetadata.${field}`, value);
      await t.rejects(classify(files), {
        message: `GrootV.load: model.json: userDefinedMetadata.${message}`,
      });
    }
    const { files: language } = await convertedFolder('grootl/grootl_tiny');
    for (const [field, value, message] of [
      ['architecture.layers', 1e7, 'architecture.layers is 10000000, expected an integer from 1 to 1024'],
      [
        'architecture.vocabulary',
        2 ** 40,
        'architecture.vocabulary is 1099511627776, expected an integer from 1 to 4194304',
      ],
      ['tokens', null, 'tokens is null, expected an object'],
      ['tokens.endOfText', '0', 'tokens.endOfText is "0", expected an integer from 0 to 4194304'],
    ] as const) {
      const files = changed(language, 'model.json', `userDefinedMetadata.${field}`, value);
      await t.rejects(generate(files), {
        message: `GrootL.load: model.json: userDefinedMetadata.${message}`,
      });
    }
    const more = changed(language, 'model.json', 'userDefinedMetadata.architecture.layers', 100);
    await t.rejects(generate(more), {
      message: /decode.json: has no node "next_state_\d+", which GrootL needs/,
    });
    const escaping = changed(language, 'decode.json', 'weightsManifest.0.paths', ['../../secret']);
    await t.rejects(generate(escaping), { message: /decode.json: refused shard path "..\/..\/secret"/ });
    for (const content of [null, {}, [], 5]) {
      const files = new Map([...language, ['decode.json', encode(content as object)]]);
      await t.rejects(generate(files), { message: 'decode.json: not a tfjs graph model' });
    }
  });
});
