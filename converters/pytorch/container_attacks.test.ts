// Hostile containers, made by hand: zips, legacy and safetensors files, files of other types, failing sources. Each must be
// refused with a one-line CheckpointError with the right code and the right offset.

import t from 'tap';
import { encodeSafetensors } from '../../plugin/models/safetensors_writer.js';
import { openCheckpoint } from './checkpoint.js';
import { CheckpointError, type CheckpointErrorCode } from './errors.js';
import type { StoredTensor } from './tensor.js';
import { Assembler, ByteBuilder } from './testing/assembler.js';
import { EMPTY_DICT, type Entry, honest, open, refused, zipEntries, zipOf } from './testing/attack.js';
import {
  MadeOrderedDict,
  MadeTensor,
  madeTensor,
  torchLegacyBytes,
  torchZipBytes,
} from './testing/torch_writer.js';

t.test('zips that lie', async (t) => {
  const data = new Uint8Array(100);
  const pickle: Entry = ['a/data.pkl', EMPTY_DICT];
  const zip = zipEntries;
  await refused(
    t,
    'a deflated entry',
    await zip(pickle, ['a/data/0', data, { method: 8 }]),
    'zip-unsupported',
    /compressed/,
  );
  await refused(
    t,
    'an encrypted entry',
    await zip(pickle, ['a/data/0', data, { flags: 0x809 }]),
    'zip-unsupported',
    /encrypted/,
  );
  await refused(t, 'an unknown flag', await zip(pickle, ['a/data/0', data, { flags: 0x818 }]), 'zip-format');
  await refused(
    t,
    'an entry twice',
    await zip(pickle, ['a/data/0', data], ['a/data/0', data]),
    'zip-name',
    /twice/,
  );
  await refused(t, 'two pickles', await zip(pickle, ['b/data.pkl', EMPTY_DICT]), 'zip-format', /2 entries/);
  await refused(t, 'no pickle', await zip(['a/data/0', data]), 'zip-format', /0 entries/);
  await refused(t, 'another folder', await zip(pickle, ['b/data/0', data]), 'zip-name', /outside/);
  for (const name of ['../x', 'a/../../x', '/etc/passwd', 'C:/x', 'a\\x', 'a/./x', 'a//x', 'a/', 'a/x\0y']) {
    await refused(t, JSON.stringify(name), await zip(pickle, [name, data]), 'zip-name');
  }
  await refused(
    t,
    'another local name',
    await zip(pickle, ['a/data/0', data, { localName: 'a/data/1' }]),
    'zip-format',
    /local header/,
  );
  await refused(
    t,
    'an entry on another',
    await zip(pickle, ['a/data/0', data, { headerOffset: 0 }]),
    'zip-overlap',
  );
  await refused(
    t,
    'a size beyond the file',
    await zip(pickle, ['a/data/0', data, { size: 2 ** 33 }]),
    'zip-format',
  );
  await refused(
    t,
    'a wrong CRC',
    await zip(pickle, ['a/data/0', data, { crc: 1 }]),
    'crc-mismatch',
    /a\/data\/0/,
  );
  await refused(
    t,
    'a program',
    await zip(pickle, ['a/code/__torch__.py', data]),
    'not-a-checkpoint',
    /TorchScript/,
  );

  const bytes = await honest();
  for (const kept of [30, 64, bytes.length - 200, bytes.length - 1]) {
    await refused(t, `cut to ${kept} bytes`, bytes.slice(0, kept), 'truncated', /incomplete/);
  }
  const join = (...parts: Uint8Array[]): Uint8Array =>
    parts.reduce((b, p) => b.raw(p), new ByteBuilder()).build();
  await refused(t, 'a second zip behind', join(bytes, bytes), 'zip-format');
  await refused(t, 'bytes before', join(new Uint8Array([0x50, 0x4b, 3, 4]), bytes), 'zip-format');
  const comment = bytes.slice();
  comment[comment.length - 2] = 1;
  await refused(t, 'a comment', comment, 'zip-format', /comment/);
  const disk = bytes.slice();
  disk[disk.length - 18] = 1;
  await refused(t, 'a second disk', disk, 'zip-unsupported', /several/);
  const big = await torchZipBytes(new Map(), { byteOrder: 'big' });
  await refused(t, 'big-endian', big, 'byte-order', /"big"/);
  await t.resolves(open(await torchZipBytes(new Map(), { byteOrder: 'little', zip64: 'always' })), 'zip64');
});

t.test('every flipped bit of a zip is noticed', async (t) => {
  const weight = madeTensor('float32', [4], new Float32Array([1, 2, 3, 4]));
  for (const zip64 of ['needed', 'always'] as const) {
    const bytes = await torchZipBytes(new Map([['weight', weight]]), { byteOrder: 'little', zip64 });
    const accepted: number[] = [];
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      bytes[bit >> 3] ^= 1 << (bit & 7);
      const error = await open(bytes).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error === undefined) accepted.push(bit >> 3);
      else if (!(error instanceof CheckpointError)) t.fail(`byte ${bit >> 3}: ${error}`);
      bytes[bit >> 3] ^= 1 << (bit & 7);
    }
    t.same(accepted, [], `${bytes.length} bytes, zip64 ${zip64}`);
  }
});

t.test('legacy files that lie', async (t) => {
  const tensor = madeTensor('float32', [2], new Float32Array([1, 2]));
  const bytes = torchLegacyBytes(new MadeOrderedDict(new Map([['w', tensor]])));
  await t.resolves(open(bytes));
  for (const kept of [20, 100, bytes.length - 9, bytes.length - 1]) {
    await refused(t, `cut to ${kept}`, bytes.slice(0, kept), 'truncated');
  }
  const longer = new ByteBuilder().raw(bytes).raw([1, 2, 3]).build();
  await refused(t, 'bytes behind', longer, 'legacy-format', /3 bytes follow/, bytes.length);
  const count = bytes.slice();
  count[bytes.length - 16] = 3;
  await refused(t, 'another count', count, 'storage-size', /3 values where .* 2/, bytes.length - 16);
  count[bytes.length - 9] = 0xff;
  await refused(t, 'a negative count', count, 'storage-size', /-/);
  const big = torchLegacyBytes(null, { littleEndian: false });
  await refused(t, 'big-endian', big, 'byte-order', /little-endian/);
  const bounds = torchLegacyBytes([new MadeTensor(tensor.storage, [3])]);
  await refused(t, 'a tensor beyond its storage', bounds, 'tensor-bounds');
});

t.test('safetensors files that lie', async (t) => {
  const file = (header: string, dataBytes: number): Uint8Array => {
    const json = new TextEncoder().encode(header);
    return new ByteBuilder().uint64(json.length).raw(json).raw(new Uint8Array(dataBytes)).build();
  };
  const entry = (shape: unknown, begin: number, end: number, dtype = 'F32'): string =>
    JSON.stringify({ dtype, shape, data_offsets: [begin, end] });
  const code = 'safetensors-format';
  const cases: readonly (readonly [string, string, number, CheckpointErrorCode, RegExp])[] = [
    [
      'a repeated name',
      `{"a":${entry([1], 0, 4)},"a":${entry([1], 4, 8)}}`,
      8,
      code,
      /"a" occurs twice|\\"a\\" occurs/,
    ],
    [
      'a repeated field',
      '{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}',
      4,
      code,
      /twice/,
    ],
    ['an overlap', `{"a":${entry([2], 0, 8)},"b":${entry([1], 4, 8)}}`, 8, code, /overlaps/],
    ['a hole', `{"a":${entry([1], 0, 4)},"b":${entry([1], 8, 12)}}`, 12, code, /unused/],
    ['bytes behind', `{"a":${entry([1], 0, 4)}}`, 5, code, /1 bytes follow/],
    ['a wrong shape', `{"a":${entry([3], 0, 8)}}`, 8, code, /12 are expected/],
    ['sizes that overflow', `{"a":${entry([2 ** 40, 2 ** 40], 0, 8)}}`, 8, code, /expected/],
    ['a negative size', `{"a":${entry([-2], 0, 8)}}`, 8, code, /0 or more/],
    ['offsets in reverse', `{"a":${entry([1], 4, 0)}}`, 4, code, /ordered/],
    ['metadata of numbers', '{"__metadata__":{"a":1}}', 0, code, /not text/],
    ['an unknown field', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}', 4, code, /alone/],
    ['not JSON', '{"a":}', 0, code, /malformed/],
    ['an unclosed text', '{"a', 0, code, /malformed/],
    ['deep nesting', `{"a":${'['.repeat(100)}`, 0, code, /nesting/],
    ['something behind', '{}{}', 0, code, /follows/],
    ['an unknown type', `{"a":${entry([1], 0, 4, 'F33')}}`, 4, 'dtype', /F33/],
    ['a tensor beyond the end', `{"a":${entry([9], 0, 36)}}`, 8, 'truncated', /incomplete/],
  ];
  for (const [what, header, dataBytes, expected, message] of cases) {
    await refused(t, what, file(header, dataBytes), expected, message);
  }
  const cut = file(`{"a":${entry([1], 0, 4)}}`, 4).slice(0, 20);
  await refused(t, 'a cut header', cut, 'truncated');
  const odd = await open(
    encodeSafetensors([{ name: '__proto__', dtype: 'U8', shape: [2], data: new Uint8Array([7, 8]) }]),
  );
  const tensor = (odd.root as Map<string, StoredTensor>).get('__proto__');
  t.same(await tensor?.read(), new Uint8Array([7, 8]));
});

t.test('files that are something else', async (t) => {
  const text = (content: string): Uint8Array => new TextEncoder().encode(content);
  const tar = new Uint8Array(1024).fill(0x41);
  tar.set(text('ustar'), 257);
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['empty', new Uint8Array(0), /empty/],
    ['HTML', text('\n<!DOCTYPE html><html><body>Sign in</body></html>'), /web page/],
    ['HTML without type', text('<html lang="en">'), /web page/],
    ['XML', text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'), /XML/],
    ['JSON', text('{"error": "Repository not found"}'), /JSON/],
    ['git-lfs', text('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n'), /git lfs pull/],
    ['gzip', new Uint8Array([0x1f, 0x8b, 8, 0]), /gzip/],
    ['tar', tar, /tar archive/],
    ['zeros', new Uint8Array(4096), /zeros/],
    ['a plain pickle', EMPTY_DICT, /pickle that torch.save did not write/],
    ['HDF5', new Uint8Array([0x89, 0x48, 0x44, 0x46, 13, 10]), /HDF5/],
    ['text', text('Lorem ipsum dolor sit amet'), /text file/],
    ['noise', new Uint8Array([200, 1, 2, 3, 250]), /no known container/],
  ];
  for (const [what, bytes, message] of cases) await refused(t, what, bytes, 'not-a-checkpoint', message, 0);
  const model = new Assembler()
    .op('MARK')
    .unicode('module')
    .global('models', 'Net')
    .unicode('net.py')
    .unicode('class');
  const whole = await zipOf(model.op('TUPLE', 'BINPERSID').stop());
  await refused(t, 'a whole model', whole, 'refused-call', /save a state dict/);
});

t.test('sources that fail or lie', async (t) => {
  const bytes = await honest();
  const source = { name: 'x', size: bytes.length };
  const failing = { ...source, read: () => Promise.reject(new Error('disk\non fire')) };
  await t.rejects(openCheckpoint(failing), { code: 'read-failed', message: /^[^\n]*disk[^\n]*$/ });
  const short = { ...source, read: (o: number, n: number) => Promise.resolve(bytes.slice(o, o + n - 1)) };
  await t.rejects(openCheckpoint(short), { code: 'read-failed', message: /were asked for/ });
});
