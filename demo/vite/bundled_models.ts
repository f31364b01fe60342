/**
 * Models bundled with the page, converted when it is built. The module `virtual:bundled-models` lists them; their files are
 * ordinary assets, fetched when a model is opened.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { convertCheckpoint, MemorySink } from 'tfjs-grootvl/converters';
import { fileSource, sourceDirectory } from 'tfjs-grootvl/node';
import type { Plugin } from 'vite';
import { describeModel } from '../engine/summary.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDER = join(ROOT, 'out/demo-models');

/** The bundled models, starting with that of the first visit. */
const MODELS = [
  { id: 'digits', title: 'Handwritten digits', path: 'fixtures/grootv/grootv_nano_mnist.pth' },
  { id: 'segmenter', title: 'Digits in a scene, by pixel', path: 'examples/models/upernet_nano.safetensors' },
  {
    id: 'detector',
    title: 'Digits in a scene, in boxes',
    path: 'examples/models/mask_rcnn_nano.safetensors',
  },
  { id: 'writer', title: 'Texts on licences and packages', path: 'fixtures/grootl/grootl_tiny' },
] as const;

type BundledModel = (typeof MODELS)[number];

export const bundledModels: Plugin = {
  name: 'bundled-models',
  resolveId: { filter: { id: /^virtual:bundled-models$/ }, handler: (id) => `\0${id}` },
  load: {
    filter: { id: /^\0virtual:bundled-models$/ },
    async handler() {
      await mkdir(FOLDER, { recursive: true });
      const models = await Promise.all(MODELS.map(convert));
      const imports = models.flatMap(({ files }) =>
        files.map(({ variable, path }) => `import ${variable} from ${JSON.stringify(`${path}?url`)};`),
      );
      const entries = models.map(({ summary, files }) => {
        const urls = files.map(({ name, variable }) => `${JSON.stringify(name)}: ${variable}`);
        return `{ summary: ${JSON.stringify(summary)}, files: { ${urls.join(', ')} } }`;
      });
      return `${imports.join('\n')}\nexport default [${entries.join(',\n')}];`;
    },
  },
};

async function convert({ id, title, path }: BundledModel) {
  const sink = new MemorySink();
  const source = join(ROOT, path);
  const options = { quantize: 'float16' } as const;
  if (/\.\w+$/.test(path)) {
    const file = await fileSource(source);
    await convertCheckpoint(file, sink, options);
    await file.close();
  } else {
    const folder = await sourceDirectory(source);
    await convertCheckpoint(folder, sink, options);
    await folder.close();
  }
  const files = await Promise.all(
    [...sink.files].map(async ([name, bytes], i) => {
      const stored = join(FOLDER, `${id}-${name}`);
      // Several builds may run at the same time: none of them may read an incomplete file.
      await writeFile(`${stored}.${process.pid}`, bytes);
      await rename(`${stored}.${process.pid}`, stored);
      return { name, path: stored, variable: `${id}${i}`, bytes: bytes.length };
    }),
  );
  const json = new TextDecoder().decode(sink.files.get('model.json'));
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { files, summary: { id, title, ...describeModel(JSON.parse(json)), bytes, isBundled: true } };
}
