// An unpacked checkpoint, as from `unzip`: read like its file, and refused if the folder and the pickle differ.

import t from 'tap';
import { grootVShapes, randomState } from '../../testing/checkpoints.js';
import { bytesSource } from '../byte_source.js';
import { convertCheckpoint, inspectCheckpoint } from '../convert.js';
import { MemorySink } from '../graph/model_sink.js';
import { filesDirectory } from '../huggingface/source_directory.js';
import { MadeOrderedDict, type Picklable, torchZipBytes } from './testing/torch_writer.js';
import { openTorchZip } from './zip.js';

const SIZES = { channels: 8, depths: [1, 1], classes: 10 };

/** The zip of a small checkpoint, and its entries as files. */
async function checkpoint(): Promise<{ zip: Uint8Array; files: Map<string, Uint8Array> }> {
  const state = new MadeOrderedDict(new Map<Picklable, Picklable>(randomState(grootVShapes(SIZES))));
  const zip = await torchZipBytes(new Map<Picklable, Picklable>([['model', state]]), { byteOrder: 'little' });
  const { entries } = await openTorchZip(bytesSource(zip));
  const files = new Map<string, Uint8Array>();
  for (const [name, { dataOffset, size }] of entries)
    files.set(name, zip.slice(dataOffset, dataOffset + size));
  return { zip, files };
}

t.test('a folder gives what its file gives', async (t) => {
  const { zip, files } = await checkpoint();
  const packed = new MemorySink();
  const { file: _, ...expected } = await convertCheckpoint(zip, packed);
  const nested = new Map([...files].map(([name, bytes]): [string, Uint8Array] => [`archive/${name}`, bytes]));
  for (const [what, named] of Object.entries({ files, nested })) {
    const unpacked = new MemorySink();
    const done: number[] = [];
    const inspection = await convertCheckpoint(filesDirectory(named), unpacked, {
      onProgress: (stage, bytes) => stage === 'reading' && done.push(bytes),
    });
    const { file, ...rest } = inspection;
    t.same(rest, expected, `${what}: the same report`);
    t.equal(file.format, 'folder');
    t.match(file.sha256, /^[0-9a-f]{64}$/);
    t.equal(done.at(-1), file.bytes, 'progress ends at the bytes of all files');
    t.same(unpacked.artifacts().weightData, packed.artifacts().weightData, `${what}: the same weights`);
  }
});

t.test('a folder that differs from its pickle', async (t) => {
  const { files } = await checkpoint();
  const changed = (change: (copy: Map<string, Uint8Array>) => void) => {
    const copy = new Map(files);
    change(copy);
    return inspectCheckpoint(filesDirectory(copy));
  };
  const wrong = { code: 'storage-size' };
  await t.rejects(
    changed((copy) => copy.delete('data/3')),
    wrong,
    'a storage that is missing',
  );
  await t.rejects(
    changed((copy) => copy.set('data/3', new Uint8Array(1))),
    wrong,
    'a storage that is cut',
  );
  const pickle = files.get('data.pkl') ?? new Uint8Array(0);
  await t.rejects(
    changed((copy) => copy.set('data.pkl', pickle.slice(0, -5))),
    { code: 'truncated' },
    'a cut pickle',
  );
  const longer = new Uint8Array([...pickle, 0]);
  await t.rejects(
    changed((copy) => copy.set('data.pkl', longer)),
    { code: 'pickle-format' },
    'bytes behind',
  );
  const big = new TextEncoder().encode('big');
  await t.rejects(
    changed((copy) => copy.set('byteorder', big)),
    { code: 'byte-order' },
    'the other byte order',
  );
});
