/** The commands: arguments, results, exit status. */
import {
  createWriteStream,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import sharp from 'sharp';
import t from 'tap';
import { encodeSafetensors } from '../../converters/pytorch/safetensors_writer.js';
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
import { grootvl, grootvlProcess, grootvlRuns, grootvlWith } from '../../testing/command_line.js';
import { fixturePath, readFixture } from '../../testing/fixtures.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DIGITS = join(ROOT, 'examples', 'digits');
const folder = mkdtempSync(join(tmpdir(), 'grootvl-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

const NANO = fixturePath('grootv/grootv_nano_mnist.pth') as string;
const model = at('nano');

t.test('convert, then everything that a model can do', async (t) => {
  const converted = await grootvl('convert', NANO, model);
  t.equal(converted.status, 0, converted.stderr);
  t.match(converted.stdout, /architecture {2}GrootV\n/);
  t.match(converted.stdout, /yacs\.config\.CfgNode \(10\): a Python object: kept as data, never called/);
  t.equal(converted.stderr, '', 'no progress in a pipe');
  t.ok(existsSync(join(model, 'model.json')));

  await t.test('inspect', async (t) => {
    const { status, stdout } = await grootvl('inspect', NANO, '--json');
    t.equal(status, 0);
    const inspection = JSON.parse(stdout);
    t.match(inspection, {
      channels: 16,
      depths: [1, 1, 2, 1],
      classes: 10,
      weightsUsed: 'model',
      parameters: 508154,
    });
    t.ok(inspection.ignored.some(({ name }: { name: string }) => name === 'optimizer'));
    const average = await grootvl('inspect', NANO, '--weights', 'model_ema');
    t.match(average.stdout, /weights {7}model_ema/);
  });

  await t.test('classify', async (t) => {
    const files = readdirSync(DIGITS)
      .filter((name) => name.endsWith('.png'))
      .slice(0, 4)
      .map((name) => join(DIGITS, name));
    for (const backend of ['cpu', 'wasm']) {
      const { status, stdout } = await grootvl(
        'classify',
        model,
        ...files,
        '--json',
        '--backend',
        backend,
        '--top',
        '2',
      );
      t.equal(status, 0);
      const results = JSON.parse(stdout);
      t.same(
        results.map(({ file }: { file: string }) => file),
        files,
      );
      for (const { file, predictions, ms } of results) {
        t.equal(predictions.length, 2);
        t.equal(predictions[0].label, /label-(\d)/.exec(file)?.[1]);
        t.ok(predictions[0].index >= 0 && predictions[0].probability > 0.5 && ms > 0);
      }
    }
    const text = await grootvl('classify', model, files[0]);
    t.match(text.stdout, /digit-00-label-7\.png \([\d.]+ ms, wasm\)\n {2}100\.0 % {2}7\n/);
  });

  await t.test('classify on cuda, emulated', async (t) => {
    const image = join(DIGITS, 'digit-00-label-7.png');
    const args = ['classify', model, image, '--backend', 'cuda', '--json'];
    const { status, stdout, stderr } = await grootvlWith({ env: { GROOTVL_CUDA: 'emulation' } }, ...args);
    if (/is not built/.test(stderr)) return t.pass('classify on cuda', { skip: stderr });
    t.equal(status, 0, stderr);
    const onCpu = JSON.parse((await grootvl('classify', model, image, '--json')).stdout);
    const [{ backend, predictions }] = JSON.parse(stdout);
    t.equal(backend, 'cuda');
    t.equal(predictions[0].label, onCpu[0].predictions[0].label);
    t.ok(Math.abs(predictions[0].probability - onCpu[0].predictions[0].probability) < 1e-4);
  });

  await t.test('classify with names', async (t) => {
    const names = 'zero one two three four five six seven eight nine'.split(' ');
    writeFileSync(at('names.json'), JSON.stringify(names));
    t.equal(
      (await grootvl('convert', NANO, at('named'), '--classes', at('names.json'), '--quantize', 'float16'))
        .status,
      0,
    );
    const { stdout } = await grootvl('classify', at('named'), join(DIGITS, 'digit-00-label-7.png'), '--json');
    t.equal(JSON.parse(stdout)[0].predictions[0].label, 'seven');
  });

  await t.test('tree and affinity', async (t) => {
    const photo = join(ROOT, 'examples', 'photos', 'chelsea.png');
    t.equal((await grootvl('tree', model, photo, '--out', at('tree.png'), '--block', '1')).status, 0);
    t.equal((await grootvl('affinity', model, photo, '--at', '10,20', '--out', at('map.png'))).status, 0);
    for (const file of ['tree.png', 'map.png']) t.ok((await sharp(at(file)).metadata()).width >= 900, file);
    t.match(await grootvl('affinity', model, photo, '--at', '9999,1', '--out', at('no.png')), {
      status: 1,
      stderr: /outside/,
    });
    t.notOk(existsSync(at('no.png')));
    t.match(await grootvl('tree', model, photo, '--out', at('no.png'), '--block', '9'), {
      status: 1,
      stderr: /block is 9/,
    });
    t.match(await grootvl('tree', model, photo, '--out', at('nowhere/x.png')), {
      status: 1,
      stderr: /cannot write/,
    });
  });

  await t.test('run: nodes in, nodes out, trees pinned', async (t) => {
    const expected = readFixture('grootv/grootv_nano_mnist_expected.safetensors');
    const { shape, values } = expected.tensor('images_u8');
    const image = new Uint8Array(64 * 64 * 3).map((_, i) => values[((i / 3) % (28 * 28)) | 0]);
    writeFileSync(
      at('in.safetensors'),
      encodeSafetensors([{ name: 'image', dtype: 'U8', shape: [1, 64, 64, 3], data: image }]),
    );
    const nodes = 'logits,blocks_0/order,blocks_0/parent,blocks_0/edge_weights';
    const first = await grootvl(
      'run',
      model,
      '--input',
      at('in.safetensors'),
      '--output',
      at('out.safetensors'),
      '--outputs',
      nodes,
      '--backend',
      'cpu',
    );
    t.equal(first.status, 0, first.stderr);
    const out = readOut(at('out.safetensors'));
    t.same(out.logits.shape, [1, 10]);
    t.same(out['blocks_0/order'], { ...out['blocks_0/order'], dtype: 'I32', shape: [1, 256] });
    t.same(out['blocks_0/edge_weights'].shape, [1, 480]);
    const pinned = ['blocks_0/order', 'blocks_0/parent'].map((name) => ({
      name,
      dtype: 'I32' as const,
      shape: out[name].shape,
      data: out[name].data,
    }));
    const again = [
      { name: 'image', dtype: 'F32' as const, shape: [1, 64, 64, 3], data: Float32Array.from(image) },
      ...pinned,
    ];
    writeFileSync(at('pinned.safetensors'), encodeSafetensors(again));
    const second = await grootvl(
      'run',
      model,
      '--input',
      at('pinned.safetensors'),
      '--output',
      at('again.safetensors'),
      '--backend',
      'cpu',
    );
    t.equal(second.status, 0, second.stderr);
    t.same(
      readOut(at('again.safetensors')).logits.data,
      out.logits.data,
      'float32 in, the same tree pinned, the default output',
    );
    t.equal(shape[0], 64);

    const unknown = await grootvl(
      'run',
      model,
      '--input',
      at('in.safetensors'),
      '--output',
      at('no.safetensors'),
      '--outputs',
      'nope',
    );
    t.match(unknown, {
      status: 1,
      stderr: /the model has no node "nope"; some that it has: image, logits, features_0/,
    });
    t.match(await grootvl('run', model, '--input', NANO, '--output', at('no.safetensors')), {
      status: 1,
      stderr: /expected a safetensors file/,
    });
    t.notOk(existsSync(at('no.safetensors')));
  });
});

function readOut(file: string): Record<string, { dtype: string; shape: number[]; data: Uint8Array }> {
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  delete header.__metadata__;
  for (const entry of Object.values(header) as { data_offsets: number[]; data: Uint8Array }[]) {
    const [from, to] = entry.data_offsets;
    entry.data = Uint8Array.from(bytes.subarray(8 + length + from, 8 + length + to));
  }
  return header;
}

t.test('bad usage is exit 2, help and version are 0', async (t) => {
  for (const args of [
    [],
    ['nope'],
    ['convert', NANO],
    ['classify', model],
    ['inspect', NANO, '--nope'],
    ['convert', NANO, at('x'), '--quantize', 'int4'],
    ['classify', model, 'x.png', '--backend', 'tpu'],
    ['classify', model, 'x.png', '--top', '0'],
    ['affinity', model, 'x.png', '--at', 'here', '--out', 'y.png'],
    ['tree', model, 'x.png'],
  ]) {
    const { status, stderr, stdout } = await grootvl(...args);
    t.equal(status, 2, `grootvl ${args.join(' ')}`);
    t.ok(stderr.length > 0 && stdout === '', stderr);
  }
  t.match(await grootvl('--help'), { status: 0, stdout: /inspect.*convert.*classify/s });
  t.match(await grootvl('--version'), { status: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
});

t.test('the program in a process: exit status, output, standard input', async (t) => {
  t.match(await grootvlProcess({}, '--version'), { status: 0, stdout: /^\d+\.\d+\.\d+\n$/, stderr: '' });
  t.match(await grootvlProcess({}, 'nope'), { status: 2, stdout: '', stderr: /unknown command 'nope'/ });
  t.match(await grootvlProcess({}, 'inspect', at('missing.pth')), {
    status: 1,
    stdout: '',
    stderr: /^grootvl: cannot open [^\n]*\n$/,
  });
  const input = `${join(DIGITS, 'digit-00-label-7.png')}\n${at('missing.png')}\n`;
  const classified = await grootvlProcess({ input }, 'classify', model, '-', '--json');
  t.match(classified, { status: 3, stderr: /^grootvl: 1 of 2 pictures failed; [^\n]*\n$/ });
  t.match(JSON.parse(classified.stdout), [{ predictions: [{ label: '7' }] }, { error: /no such file/ }]);
});

t.test('--version and --help load no more than they print', async (t) => {
  const hook =
    'export async function load(url,context,next){if(!url.startsWith("node:"))process._rawDebug(url);return next(url,context)}';
  const preload = `data:text/javascript,import{register}from"node:module";register(${JSON.stringify(`data:text/javascript,${hook}`)})`;
  for (const option of ['--version', '--help']) {
    const { status, stderr } = await grootvlProcess({ preload }, option);
    t.equal(status, 0);
    const modules = stderr.trim().split('\n');
    t.ok(modules.some((url) => url.endsWith('/cli/main.js')) && modules.length < 12, stderr);
  }
});

t.test('what fails is exit 1 and one line', async (t) => {
  writeFileSync(at('full'), '');
  const cases: [RegExp, ...string[]][] = [
    [/cannot open .*missing\.pth: no such file/, 'inspect', at('missing.pth')],
    [/has no config\.json: it is no HuggingFace model/, 'convert', folder, at('no')],
    [/directory exists and is not empty/, 'convert', NANO, folder],
    [/it is not a directory/, 'convert', NANO, at('full')],
    [/no such file/, 'convert', NANO, at('no'), '--classes', at('missing.json')],
    [/1 class names were given, the model has 10 classes/, 'convert', NANO, at('no'), '--classes', one()],
    [/nowhere: no such directory/, 'classify', at('nowhere'), 'x.png'],
    [/no such file|missing/i, 'classify', model, at('missing.png')],
    [/not an image|cannot/i, 'classify', model, at('names1.json')],
    [
      /checkpoint has no weights "model_ema"/,
      'convert',
      fixturePath('grootv/grootv_tiny_fp16.pth') as string,
      at('no'),
      '--weights',
      'model_ema',
    ],
  ];
  for (const [message, ...args] of cases) {
    const { status, stdout, stderr } = await grootvl(...args);
    t.equal(status, 1, `grootvl ${args.join(' ')}: ${stderr}`);
    t.match(stderr, message);
    t.equal(stderr.trim().split('\n').length, 1, stderr);
    t.equal(stdout, '');
  }
  t.notOk(existsSync(at('no')));
  const env = { CUDA_VISIBLE_DEVICES: '' }; // also where there is a GPU
  const cuda = await grootvlProcess({ env }, 'classify', model, 'x.png', '--backend', 'cuda');
  t.match(cuda, { status: 1, stdout: '', stderr: /cuda: .*(libcuda\.so\.1|not there|no .*GPU|device)/i });
  t.equal(cuda.stderr.trim().split('\n').length, 1, cuda.stderr);
  const debug = await grootvl('--debug', 'inspect', at('missing.pth'));
  t.match(debug.stderr, /\n {4}at /, '--debug shows the stack');
});

function one(): string {
  writeFileSync(at('names1.json'), '["a"]');
  return at('names1.json');
}

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

/** A zip whose data.pkl is 200 MB of zeros, deflated. */
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

t.test('the published sizes, at full size', async (t) => {
  for (const size of ['t', 's', 'b']) {
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
    /^left out +auxiliary_head\.conv_seg\.weight: a head for training only$/m,
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

/** A checkpoint of these keys, written piece by piece: the same random numbers over and over. */
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
