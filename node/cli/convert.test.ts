/** `convert`: hostile files, full-size networks and their memory use, settings of segmenters and detectors. */
import { createWriteStream, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import t from 'tap';
import {
  MadeGlobal,
  MadeObject,
  MadeOrderedDict,
  MadeTensor,
  type Picklable,
  torchZipBytes,
  writeTorchZip,
} from '../../converters/pytorch/testing/torch_writer.js';
import { grootVShapes, randomState, uniform } from '../../testing/checkpoints.js';
import { grootvl, grootvlProcess, grootvlRuns } from '../../testing/command_line.js';
import { fixturePath } from '../../testing/fixtures.js';

const folder = t.testdir();
const at = (name: string) => join(folder, name);

const NANO = fixturePath('grootv/grootv_nano_mnist.pth') as string;

t.test('hostile and broken files: exit 1, one line, no output folder, under 600 MB', async (t) => {
  const shapes = grootVShapes({ channels: 8, depths: [1, 1] });
  const state = () => new Map<string, Picklable>(randomState(shapes));
  const whole = await torchZipBytes(new MadeOrderedDict(state()));
  const withEntry = async (name: string, value: Picklable) =>
    torchZipBytes(new MadeOrderedDict(state().set(name, value)));
  const call = (module: string, name: string, ...args: Picklable[]) =>
    new MadeObject(new MadeGlobal(module, name), { args, call: true });
  const bytes = (size: number) => ({
    dtype: 'float32' as const,
    elements: size / 4,
    bytes: new Uint8Array(size),
  });
  const flipped = whole.slice();
  flipped[whole.length >> 1] ^= 4;
  const marker = at('pwned');
  const files: Record<string, Uint8Array> = {
    'os.system': await withEntry('x', call('os', 'system', `touch ${marker}`)),
    'builtins.eval': await withEntry('x', call('builtins', 'eval', `open(${JSON.stringify(marker)}, "w")`)),
    'subprocess.Popen': await withEntry('x', call('subprocess', 'Popen', `touch ${marker}`)),
    'shutil.rmtree': await withEntry('x', call('shutil', 'rmtree', marker)),
    'a lying shape': await withEntry('head.bias', new MadeTensor(bytes(40), [1000])),
    'a lying offset': await withEntry('head.bias', new MadeTensor(bytes(40), [10], [1], 1_000_000)),
    'a zero-stride bomb': await withEntry(
      'head.weight',
      new MadeTensor(bytes(4), [100_000, 100_000], [0, 0]),
    ),
    'a huge stride': await withEntry('head.bias', new MadeTensor(bytes(40), [10], [2 ** 50])),
    'a deflated bomb': deflatedZip(),
    'a truncated zip': whole.subarray(0, whole.length - 500),
    'half a zip': whole.subarray(0, whole.length >> 1),
    'a web page': new TextEncoder().encode('<!DOCTYPE html><html><body>404 Not Found</body></html>'),
    'an empty file': new Uint8Array(0),
    'a flipped bit': flipped,
    zeros: new Uint8Array(100_000),
  };
  const runs = Object.values(files).map((content, i) => {
    const file = at(`hostile-${i}.pth`);
    writeFileSync(file, content);
    return ['convert', file, at(`hostile-out-${i}`)];
  });
  const { outcomes, peak } = await grootvlRuns(runs);
  for (const [i, name] of Object.keys(files).entries()) {
    const { status, stdout, stderr } = outcomes[i];
    t.equal(status, 1, `${name}: ${stderr.trim()}`);
    t.equal(stderr.trim().split('\n').length, 1, stderr);
    t.equal(stdout, '');
  }
  t.ok(peak < 600, `peak ${peak} MB`);
  t.same(
    readdirSync(folder).filter((entry) => entry.includes('hostile-out')),
    [],
    'nothing is left',
  );
  t.notOk(existsSync(marker), 'nothing was executed');
});

/** A zip whose data.pkl is 200 MB of zeros, compressed. */
function deflatedZip(): Uint8Array {
  const name = Buffer.from('archive/data.pkl');
  const size = 200_000_000;
  const data = deflateRawSync(Buffer.alloc(size));
  const header = (signature: number, extra: number) => {
    const buffer = Buffer.alloc(extra);
    buffer.writeUInt32LE(signature, 0);
    const from = signature === 0x02014b50 ? 6 : 4;
    buffer.writeUInt16LE(20, from);
    buffer.writeUInt16LE(8, from + 4);
    buffer.writeUInt32LE(0, from + 10);
    buffer.writeUInt32LE(data.length, from + 14);
    buffer.writeUInt32LE(size, from + 18);
    buffer.writeUInt16LE(name.length, from + 22);
    return buffer;
  };
  const local = Buffer.concat([header(0x04034b50, 30), name, data]);
  const central = Buffer.concat([header(0x02014b50, 46), name]);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, end]);
}

t.test('a small and the largest published size, at full size', async (t) => {
  for (const size of ['t', 'b']) {
    const { keys, channels, depths, parameters } = JSON.parse(
      readFileSync(fixturePath(`grootv/grootv_${size}_keys.json`) as string, 'utf8'),
    );
    const file = at(`grootv_${size}.pth`);
    await writeRandom(file, keys);
    const out = at(`grootv_${size}`);
    const { status, stderr, peak } = await grootvlProcess({}, 'convert', file, out);
    t.equal(status, 0, stderr);
    t.ok(peak < 1500, `GrootV-${size.toUpperCase()}: peak ${Math.round(peak)} MB`);
    const { userDefinedMetadata, weightsManifest } = JSON.parse(
      readFileSync(join(out, 'model.json'), 'utf8'),
    );
    t.match(userDefinedMetadata.architecture, {
      name: `GrootV-${size.toUpperCase()}`,
      channels,
      depths,
      parameters,
    });
    t.match(userDefinedMetadata, { preprocessing: { size: 224 }, classNames: { 0: /tench/, 999: /toilet/ } });
    t.ok(weightsManifest[0].paths.length > 20);
    rmSync(file);
    rmSync(out, { recursive: true });
  }
});

t.test('segmenters and detectors: settings from the checkpoint and from options', async (t) => {
  const [segmenter, detector] = ['upernet_tiny', 'mask_rcnn_tiny'].map(
    (name) => fixturePath(`dense/${name}.pth`) as string,
  );
  const plain = await grootvl('convert', segmenter, at('segmenter'));
  t.equal(plain.status, 0, plain.stderr);
  for (const row of [
    /^architecture +GrootV \+ UperNet$/m,
    /^setting +scale: 2048, 512 \(from the checkpoint\)$/m,
    /^setting +padTo: 1 \(by default\)$/m,
    /^setting +classNames: 150 of them \(from the checkpoint\)$/m,
    /^left out +7 tensors auxiliary_head\.\*: a head for training only$/m,
    /^left out +13 tensors \*\.num_batches_tracked: counts training steps, not used in inference$/m,
  ]) {
    t.match(plain.stdout, row);
  }
  const metadata = (folder: string) =>
    JSON.parse(readFileSync(join(at(folder), 'model.json'), 'utf8')).userDefinedMetadata;
  const windows = ['--mode', 'slide', '--crop', '48,64', '--stride', '32x40', '--scale', '96,64'];
  t.equal((await grootvl('convert', segmenter, at('windows'), ...windows)).status, 0);
  t.match(metadata('windows'), {
    inference: { mode: 'slide', cropSize: [48, 64], stride: [32, 40] },
    preprocessing: { scale: [96, 64] },
  });
  const flags = ['--threshold', '0.3', '--iou', '0.4', '--max-detections', '7', '--mask-threshold', '0.6'];
  t.equal((await grootvl('convert', detector, at('detector'), ...flags)).status, 0);
  t.match(metadata('detector').testing, {
    scoreThreshold: 0.3,
    iouThreshold: 0.4,
    maxDetections: 7,
    maskThreshold: 0.6,
  });
  for (const [message, ...args] of [
    [/scoreThreshold was given, which is for detectors/, segmenter, '--threshold', '0.3'],
    [/mode was given, which is for segmenters/, detector, '--mode', 'slide'],
    [/mode was given, which is for segmenters and detectors/, NANO, '--mode', 'slide'],
    [/scoreThreshold is 3, expected a number from 0 to 1/, detector, '--threshold', '3'],
  ] as [RegExp, ...string[]][]) {
    const { status, stderr } = await grootvl('convert', args[0], at('refused'), ...args.slice(1));
    t.equal(status, 1);
    t.match(stderr, message);
  }
  t.equal((await grootvl('convert', segmenter, at('refused'), '--scale', '5')).status, 2, 'two numbers');
  t.notOk(existsSync(at('refused')));
});

for (const [name, title, parts] of [
  ['upernet_grootv_t', 'GrootV-T + UperNet', ['backbone', 'decode_head']],
  ['mask_rcnn_grootv_t', 'GrootV-T + Mask R-CNN', ['backbone', 'neck', 'rpn_head', 'roi_head']],
] as const) {
  t.test(`${title}, at full size`, async (t) => {
    const list = fixturePath(`dense/${name}_keys.json`);
    if (list === undefined) return t.comment('the whole fixtures are not here');
    const { keys, num_classes, parameters_by_part } = JSON.parse(readFileSync(list, 'utf8'));
    const [file, out] = [at(`${name}.pth`), at(name)];
    await writeRandom(file, keys);
    const { status, stderr, peak } = await grootvlProcess({}, 'convert', file, out);
    t.equal(status, 0, stderr);
    t.ok(peak < 1500, `peak ${Math.round(peak)} MB`);
    const { userDefinedMetadata } = JSON.parse(readFileSync(join(out, 'model.json'), 'utf8'));
    const parameters = parts.reduce((sum, part) => sum + parameters_by_part[part], 0);
    t.match(userDefinedMetadata.architecture, { name: title, classes: num_classes, parameters });
    rmSync(file);
    rmSync(out, { recursive: true });
  });
}

/** Writes a checkpoint with these keys piece by piece, repeating the same random numbers. */
async function writeRandom(
  file: string,
  keys: { name: string; shape: number[]; dtype: string }[],
): Promise<void> {
  const random = uniform(7);
  const block = new Uint8Array(Float32Array.from({ length: 2 ** 16 }, () => 0.1 * random()).buffer);
  const state = new Map<string, Picklable>();
  for (const { name, shape, dtype } of keys) {
    const elements = shape.reduce((product, size) => product * size, 1);
    const size = elements * (dtype === 'int64' ? 8 : 4);
    const bytes = function* () {
      for (let at = 0; at < size; at += block.length) yield block.subarray(0, size - at);
    };
    state.set(name, new MadeTensor({ dtype: dtype as 'float32' | 'int64', elements, bytes }, shape));
  }
  const stream = createWriteStream(file);
  await writeTorchZip(
    new Map<Picklable, Picklable>([['model', new MadeOrderedDict(state)]]),
    (bytes) =>
      new Promise<void>((resolve, reject) => {
        stream.write(bytes, (error) => (error ? reject(error) : resolve()));
      }),
  );
  await new Promise((resolve) => stream.end(resolve));
}
