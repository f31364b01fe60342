/** The same image in a page of a real Chromium and in Node must give the same pixels, logits and classes. */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import { chromiumMissing } from '../../conformance/runners/launch_chromium.js';
import { readImage } from '../../node/index.js';
import { sharedChromium } from '../../testing/chromium.js';
import { maxDifference } from '../../testing/measure.js';
import { loadConverted } from '../../testing/models.js';
import { Detector, GrootV, Segmenter } from '../index.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = join(HERE, '..', '..');
const DIGITS = join(ROOT, 'examples', 'digits');
const FIXTURES = join(ROOT, 'node', 'images', 'fixtures');

const PAGE = `
  import * as tf from '@tensorflow/tfjs-core';
  import '@tensorflow/tfjs-backend-cpu';
  import { Detector, GrootV, Segmenter } from '../index.js';

  tf.enableProdMode();
  await tf.setBackend('cpu');
  const model = await GrootV.load('/model/model.json');

  async function element(url, crossOrigin) {
    const image = new Image();
    if (crossOrigin) image.crossOrigin = crossOrigin;
    image.src = url;
    await image.decode();
    return image;
  }

  async function canvasOf(image) {
    const canvas = Object.assign(document.createElement('canvas'), { width: image.naturalWidth, height: image.naturalHeight });
    canvas.getContext('2d').drawImage(image, 0, 0);
    return canvas;
  }

  const inputs = {
    img: element,
    'text of a URL': async (url) => url,
    URL: async (url) => new URL(url, location.href),
    Blob: async (url) => (await fetch(url)).blob(),
    bytes: async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer()),
    canvas: async (url) => canvasOf(await element(url)),
    ImageData: async (url) => {
      const canvas = await canvasOf(await element(url));
      return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    },
    ImageBitmap: async (url) => createImageBitmap(await element(url)),
    OffscreenCanvas: async (url) => {
      const image = await element(url);
      const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
      canvas.getContext('2d').drawImage(image, 0, 0);
      return canvas;
    },
    VideoFrame: async (url) => new VideoFrame(await element(url), { timestamp: 0 }),
    tensor: async (url) => tf.browser.fromPixels(await element(url)),
  };

  window.prepared = async (url, kind) => {
    const tensor = await model.prepare(await inputs[kind](url));
    return [...await tensor.data()];
  };
  window.logits = async (url) => [...await model.logits(await model.prepare(await element(url))).data()];
  window.classes = async (urls) => model.classify(await Promise.all(urls.map((url) => element(url))), { top: 3 });

  window.segmented = async (url) => {
    const segmenter = await Segmenter.load('/segmenter/model.json');
    const { width, height, classMap, classes, overlay } = await segmenter.segment(await element(url), { overlay: true });
    return { width, height, classMap: [...classMap], classes, overlay: overlay.data.reduce((sum, value) => sum + value, 0) };
  };
  window.detected = async (url) => {
    const detector = await Detector.load('/detector/model.json');
    return (await detector.detect(await element(url), { masks: 'rle' })).detections;
  };

  const failing = {
    'not loaded': async () => Object.assign(new Image(), { src: '/slow.png' }),
    'no source': async () => new Image(),
    broken: async () => {
      const image = Object.assign(new Image(), { src: '/missing.png' });
      await image.decode().catch(() => {});
      return image;
    },
    'another origin': async (other) => element(other + 'digit.png'),
    'a tainted canvas': async (other) => canvasOf(await element(other + 'digit.png')),
    'a video without a frame': async () => document.createElement('video'),
    'an empty canvas': async () => Object.assign(document.createElement('canvas'), { width: 0 }),
    'a closed ImageBitmap': async () => {
      const bitmap = await createImageBitmap(new ImageData(2, 2));
      bitmap.close();
      return bitmap;
    },
    'a missing URL': async () => '/missing.png',
    'a text file': async () => new File(['hello'], 'hello.png'),
    'an empty Blob': async () => new Blob([]),
    'another element': async () => document.body,
  };
  window.failures = async (other) => {
    const messages = {};
    for (const [name, make] of Object.entries(failing)) {
      const input = await make(other);
      messages[name] = await model.classify(input).then(() => 'no error', (error) => error.message);
    }
    return messages;
  };
  window.open = true;`;

async function listen(
  t: Test,
  answer: (path: string) => Uint8Array | string | undefined | null,
): Promise<string> {
  const server = createServer(({ url = '/' }, response) => {
    const body = answer(url.slice(1));
    if (body === null) return; // never answered
    const type = /\.js$/.test(url)
      ? 'text/javascript'
      : url === '/'
        ? 'text/html'
        : 'application/octet-stream';
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': type }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** PNG files with every kind of pixel. */
async function pngs(): Promise<Record<string, Buffer>> {
  const noise = (channels: 3 | 4) =>
    sharp(
      Uint8Array.from({ length: 60 * 50 * channels }, (_, i) => Math.imul(i, 2654435761) >>> 24),
      { raw: { width: 60, height: 50, channels } },
    );
  const deep = Uint16Array.from({ length: 60 * 50 * 3 }, (_, i) => Math.imul(i, 2654435761) >>> 16);
  return {
    photo: readFileSync(join(FIXTURES, 'cat.png')),
    tall: readFileSync(join(FIXTURES, 'tall.png')),
    palette: readFileSync(join(FIXTURES, 'palette.png')),
    grey: await noise(3).toColourspace('b-w').png().toBuffer(),
    'alpha from 0 to 255': await noise(4).png().toBuffer(),
    interlaced: await noise(3).png({ progressive: true }).toBuffer(),
    '16 bits': await sharp(deep, { raw: { width: 60, height: 50, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer(),
    'Display P3 profile': await noise(3).withIccProfile('p3').png().toBuffer(),
    'EXIF orientation 6': await noise(3).withMetadata({ orientation: 6 }).png().toBuffer(),
  };
}

/** A converted fixture model, for small images. */
async function denseModel(name: 'upernet_tiny' | 'mask_rcnn_tiny') {
  const { model, sink } = await loadConverted(`dense/${name}.pth`, { dense: { scale: [48, 32] } });
  model.dispose();
  return sink;
}

t.test('in Chromium', { timeout: 300_000, skip: chromiumMissing() ?? false }, async (t) => {
  const { sink, model: unused } = await loadConverted('grootv/grootv_nano_mnist.pth');
  unused.dispose();
  await tf.setBackend('cpu');
  const model = await GrootV.load(tf.io.fromMemory(sink.artifacts() as tf.io.ModelArtifacts));
  const dense = { segmenter: await denseModel('upernet_tiny'), detector: await denseModel('mask_rcnn_tiny') };
  const names = readdirSync(DIGITS)
    .filter((name) => name.endsWith('.png'))
    .slice(0, 3);
  const images = await pngs();
  const { outputFiles } = await build({
    stdin: { contents: PAGE, resolveDir: HERE, loader: 'js' },
    bundle: true,
    platform: 'browser',
    format: 'esm',
    write: false,
    // package.json lists the files of dist/ that have side effects, not those of the sources.
    ignoreAnnotations: true,
    logLevel: 'silent',
  });
  const url = await listen(t, (path) => {
    const name = decodeURIComponent(path);
    if (path === '') return '<!doctype html><script type="module" src="/page.js"></script>';
    if (path === 'page.js') return outputFiles[0].text;
    if (path === 'slow.png') return null;
    if (path.startsWith('model/')) return sink.files.get(path.slice(6));
    const [folder, file] = path.split('/');
    if (folder in dense) return dense[folder as keyof typeof dense].files.get(file);
    if (names.includes(path)) return readFileSync(join(DIGITS, path));
    return images[name.replace(/\.png$/, '')];
  });
  const other = await listen(t, () => readFileSync(join(DIGITS, names[0])));
  const page: Page = await (await sharedChromium(t)).newPage();
  t.teardown(() => page.close());
  page.on('pageerror', (error) => t.comment(`page: ${error.message}`));
  await page.goto(url);
  await page.waitForFunction('window.open === true');
  const inPage = <T>(code: string, ...args: unknown[]) =>
    page.evaluate(`window.${code}(...${JSON.stringify(args)})`) as Promise<T>;

  await t.test('the digits of examples/ have the same classes', async (t) => {
    const expected = await model.classify(
      names.map((name) => join(DIGITS, name)),
      { top: 3 },
    );
    const actual = await inPage<typeof expected>('classes', names);
    for (const [i, name] of names.entries()) {
      t.same(
        actual[i].map(({ label }) => label),
        expected[i].map(({ label }) => label),
        name,
      );
      const of = (rows: typeof expected) => rows[i].map(({ probability }) => probability);
      t.ok(maxDifference(of(actual), of(expected)) <= 1e-5, name);
    }
    const right = actual.filter(([best], i) => best.label === /label-(\d)/.exec(names[i])?.[1]);
    t.equal(right.length, names.length);
  });

  await t.test('PNG files of every kind are the same pixels, and give the same logits', async (t) => {
    for (const [name, bytes] of Object.entries(images)) {
      const prepared = await model.prepare(await readImage(bytes));
      for (const kind of ['img', 'Blob']) {
        const actual = await inPage<number[]>('prepared', `${name}.png`, kind);
        // Chromium rounds the 16 bits of an <img> to 8, whereas PIL and Chromium's own reading of a Blob keep the high byte.
        const bound = name === '16 bits' && kind === 'img' ? 2 : 0;
        t.ok(maxDifference(actual, prepared.dataSync()) <= bound, `${name} as ${kind}`);
      }
      if (!['photo', 'alpha from 0 to 255'].includes(name)) continue;
      const logits = await inPage<number[]>('logits', `${name}.png`);
      t.ok(maxDifference(logits, model.logits(prepared).dataSync()) <= 1e-5, name);
    }
  });

  await t.test('the same classes of pixels, and the same objects', async (t) => {
    const segmenter = await Segmenter.load(dense.segmenter);
    const { overlay, classMap, ...others } = await segmenter.segment(images.photo, { overlay: true });
    const inChromium = await inPage<{ classMap: number[]; overlay: number }>('segmented', 'photo.png');
    t.equal(maxDifference(inChromium.classMap, classMap), 0, 'class map');
    t.equal(
      inChromium.overlay,
      overlay?.data.reduce((sum, value) => sum + value, 0),
      'overlay',
    );
    t.match(inChromium, others, 'shares and sizes');
    const detector = await Detector.load(dense.detector);
    const expected = (await detector.detect(images.photo, { masks: 'rle' })).detections;
    const actual = await inPage<typeof expected>('detected', 'photo.png');
    t.ok(expected.length > 0);
    t.same(
      actual.map(({ label, mask }) => [label, mask]),
      expected.map(({ label, mask }) => [label, mask]),
    );
    const of = (found: typeof expected) => found.flatMap(({ box, score }) => [...box, score]);
    t.ok(maxDifference(of(actual), of(expected)) <= 1e-4);
    segmenter.dispose();
    detector.dispose();
  });

  await t.test('every kind of element is the same image', async (t) => {
    const expected = (await model.prepare(join(FIXTURES, 'cat.png'))).dataSync();
    const kinds = [
      'text of a URL',
      'URL',
      'bytes',
      'canvas',
      'ImageData',
      'ImageBitmap',
      'OffscreenCanvas',
      'tensor',
    ];
    for (const kind of kinds) {
      t.equal(maxDifference(await inPage<number[]>('prepared', 'photo.png', kind), expected), 0, kind);
    }
    // Frames of a video may be stored as luma and chroma.
    const frame = await inPage<number[]>('prepared', 'photo.png', 'VideoFrame');
    t.ok(maxDifference(frame, expected) <= 4, 'VideoFrame');
  });

  await t.test('what cannot be read is told in one clear line', async (t) => {
    const messages = await inPage<Record<string, string>>('failures', other);
    for (const [name, message] of Object.entries({
      'not loaded': /the <img> has not been loaded yet: await image.decode\(\) first$/,
      'no source': /the <img> shows no image/,
      broken: /the <img> shows no image/,
      'another origin':
        /the pixels of the <img> may not be read, since they come from another origin: set crossOrigin/,
      'a tainted canvas': /the pixels of the <canvas> may not be read, since they come from another origin/,
      'a video without a frame': /the <video> has no frame yet: wait for its event loadeddata$/,
      'an empty canvas': /the <canvas> is empty: it has 0 x 150 pixels$/,
      'a closed ImageBitmap': /the ImageBitmap is empty: it has 0 x 0 pixels$/,
      'a missing URL': /cannot read image "\/missing.png": the server answered 404$/,
      'a text file': /cannot read image "hello.png": not an image that this browser can decode$/,
      'an empty Blob': /cannot read image from a Blob: the file is empty$/,
      'another element': /expected a tensor, an <img>.*, got an object \(HTMLBodyElement\)$/,
    })) {
      t.match(messages[name], message, name);
      t.match(messages[name], /^GrootV\.classify: [^\n]*$/, name);
    }
  });
});
