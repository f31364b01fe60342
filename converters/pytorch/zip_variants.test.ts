// Zips that torch reads although it does not write them: repacked by other programs, with comments, with trailing bytes, without
// checksums; and incomplete fields of large files.

import t from 'tap';
import type { StoredTensor } from './tensor.js';
import { ByteBuilder } from './testing/assembler.js';
import { EMPTY_DICT, type Entry, honest, open, refused, zipEntries } from './testing/attack.js';
import { madeTensor, torchZipBytes } from './testing/torch_writer.js';

/** `zip -0 -r x.zip a` of Info-ZIP 3.0, with a comment: entries for folders, times and owners as extra fields. */
const INFO_ZIP =
  'UEsDBAoAAAAAAMWpeV0AAAAAAAAAAAAAAAACABwAYS9VVAkAA6JPB2uiTwdrdXgLAAEEAAAAAAQAAAAAUEsDBAoAAAAAAMWp' +
  'eV09t96JBAAAAAQAAAAKABwAYS9kYXRhLnBrbFVUCQADok8Ha6JPB2t1eAsAAQQAAAAABAAAAACAAn0uUEsDBAoAAAAAAMWp' +
  'eV3RnmdVAgAAAAIAAAAJABwAYS92ZXJzaW9uVVQJAAOiTwdrok8Ha3V4CwABBAAAAAAEAAAAADMKUEsDBAoAAAAAAMWpeV0A' +
  'AAAAAAAAAAAAAAAHABwAYS9kYXRhL1VUCQADok8Ha6JPB2t1eAsAAQQAAAAABAAAAABQSwMECgAAAAAAxal5XaPg45sEAAAA' +
  'BAAAAAgAHABhL2RhdGEvMFVUCQADok8Ha6JPB2t1eAsAAQQAAAAABAAAAAAxMjM0UEsBAh4DCgAAAAAAxal5XQAAAAAAAAAA' +
  'AAAAAAIAGAAAAAAAAAAQAO1BAAAAAGEvVVQFAAOiTwdrdXgLAAEEAAAAAAQAAAAAUEsBAh4DCgAAAAAAxal5XT233okEAAAA' +
  'BAAAAAoAGAAAAAAAAAAAAKSBPAAAAGEvZGF0YS5wa2xVVAUAA6JPB2t1eAsAAQQAAAAABAAAAABQSwECHgMKAAAAAADFqXld' +
  '0Z5nVQIAAAACAAAACQAYAAAAAAAAAAAApIGEAAAAYS92ZXJzaW9uVVQFAAOiTwdrdXgLAAEEAAAAAAQAAAAAUEsBAh4DCgAA' +
  'AAAAxal5XQAAAAAAAAAAAAAAAAcAGAAAAAAAAAAQAO1ByQAAAGEvZGF0YS9VVAUAA6JPB2t1eAsAAQQAAAAABAAAAABQSwEC' +
  'HgMKAAAAAADFqXldo+DjmwQAAAAEAAAACAAYAAAAAAAAAAAApIEKAQAAYS9kYXRhLzBVVAUAA6JPB2t1eAsAAQQAAAAABAAA' +
  'AABQSwUGAAAAAAUABQCCAQAAUAEAAAkAYSBjb21tZW50';

/** Python's zipfile: ZIP_STORED, `mkdir`, `writestr` and a comment. */
const ZIPFILE =
  'UEsDBBQAAAAAAAAAIQAAAAAAAAAAAAAAAAACAAAAYS9QSwMEFAAAAAAAxal5XT233okEAAAABAAAAAoAAABhL2RhdGEucGts' +
  'gAJ9LlBLAwQUAAAAAAAAACEAAAAAAAAAAAAAAAAABwAAAGEvZGF0YS9QSwMEFAAAAAAAxal5XaPg45sEAAAABAAAAAgAAABh' +
  'L2RhdGEvMDEyMzRQSwMEFAAAAAAAxal5XdGeZ1UCAAAAAgAAAAkAAABhL3ZlcnNpb24zClBLAQIUAxQAAAAAAAAAIQAAAAAA' +
  'AAAAAAAAAAACAAAAAAAAAAAAEAD/QQAAAABhL1BLAQIUAxQAAAAAAMWpeV09t96JBAAAAAQAAAAKAAAAAAAAAAAAAACAASAA' +
  'AABhL2RhdGEucGtsUEsBAhQDFAAAAAAAAAAhAAAAAAAAAAAAAAAAAAcAAAAAAAAAAAAQAP9BTAAAAGEvZGF0YS9QSwECFAMU' +
  'AAAAAADFqXldo+DjmwQAAAAEAAAACAAAAAAAAAAAAAAAgAFxAAAAYS9kYXRhLzBQSwECFAMUAAAAAADFqXld0Z5nVQIAAAAC' +
  'AAAACQAAAAAAAAAAAAAAgAGbAAAAYS92ZXJzaW9uUEsFBgAAAAAFAAUACgEAAMQAAAAMAHBhY2tlZCBhZ2Fpbg==';

const decode = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, 'base64'));

const join = (...parts: readonly Uint8Array[]): Uint8Array =>
  parts.reduce((builder, part) => builder.raw(part), new ByteBuilder()).build();

t.test('packed again by other programs', async (t) => {
  for (const [program, base64] of Object.entries({ INFO_ZIP, ZIPFILE })) {
    const checkpoint = await open(decode(base64));
    t.same(checkpoint.root, new Map(), program);
    t.equal(checkpoint.metadata.get('archive'), 'a');
    t.equal(checkpoint.metadata.get('version'), '3');
    t.same(checkpoint.ignored, []);
  }
});

t.test('folders, deeper folders, and none', async (t) => {
  const data = new Uint8Array(4);
  const none = new Uint8Array(0);
  const cases: readonly (readonly [archive: string, ...entries: readonly Entry[]])[] = [
    ['a', ['a/', none], ['a/data.pkl', EMPTY_DICT], ['a/data/', none], ['a/data/0', data]],
    ['a/b', ['a/', none], ['a/b/', none], ['a/b/data.pkl', EMPTY_DICT], ['a/b/data/0', data]],
    ['', ['data.pkl', EMPTY_DICT], ['data/0', data]],
  ];
  for (const [archive, ...entries] of cases) {
    const { root, metadata } = await open(await zipEntries(...entries));
    t.same([root, metadata.get('archive')], [new Map(), archive], archive);
  }
  const outside = await zipEntries(['a/data.pkl', EMPTY_DICT], ['b/', none]);
  await refused(t, 'a folder outside', outside, 'zip-name', /outside/);
  for (const name of ['a//', '/', '../', 'a/../']) {
    const climbing = await zipEntries(['a/data.pkl', EMPTY_DICT], [name, none]);
    await refused(t, `the folder ${name}`, climbing, 'zip-name');
  }
});

t.test('comments and bytes behind', async (t) => {
  const bytes = await honest();
  const comment = join(bytes, new TextEncoder().encode('a comment'));
  comment[bytes.length - 2] = 9;
  t.same((await open(comment)).ignored, [], 'a comment');
  for (const behind of [1, 100, 65_535]) {
    const { root, ignored } = await open(join(bytes, new Uint8Array(behind).fill(7)));
    t.equal((root as Map<string, StoredTensor>).size, 1, `${behind} bytes behind`);
    t.same(ignored, [{ name: `${behind} bytes`, reason: "after the zip's end, not read" }], 'and said so');
  }
  await refused(t, 'too many', join(bytes, new Uint8Array(65_536)), 'truncated', /no end record/);
  await refused(t, 'a second zip behind', join(bytes, bytes), 'zip-format');
});

t.test('without checksums', async (t) => {
  const data = new Uint8Array(new Float32Array([1, 2]).buffer);
  const silent = { crc: 0 };
  const { ignored } = await open(
    await zipEntries(['a/data.pkl', EMPTY_DICT, silent], ['a/data/0', data, silent]),
  );
  t.same(
    ignored.map(({ name }) => name),
    ['checksums'],
    'all of them 0, as torch writes them when it is told to',
  );
  const some = await zipEntries(['a/data.pkl', EMPTY_DICT], ['a/data/0', data, silent]);
  await refused(t, 'only one of them 0', some, 'crc-mismatch', /a\/data\/0/);
});

t.test('zip64 fields that say too little', async (t) => {
  const weight = madeTensor('float32', [4], new Float32Array(4));
  const bytes = await torchZipBytes(new Map([['w', weight]]), { zip64: 'always' });
  await t.resolves(open(bytes));
  const view = new DataView(bytes.buffer);
  const fieldAt = (from: number): number => {
    for (let at = from; at < bytes.length; at++) if (view.getUint32(at, true) === 0x00180001) return at;
    return -1;
  };
  const directory = view.getUint32(bytes.length - 6, true);
  const field = fieldAt(directory);
  /** Replaces the field of 24 bytes with a shorter one, and a harmless one in the remaining space. */
  const shorter = (at: number, length: number): Uint8Array => {
    const changed = bytes.slice();
    const fields = new ByteBuilder()
      .uint16(1)
      .uint16(length)
      .raw(bytes.slice(at + 4, at + 4 + length));
    if (length < 24)
      fields
        .uint16(0x7875)
        .uint16(20 - length)
        .raw(new Uint8Array(20 - length));
    changed.set(fields.build(), at);
    return changed;
  };
  for (const length of [0, 8, 16, 20]) {
    const message = new RegExp(`zip64 field of ${length} bytes where 24 are expected`);
    await refused(t, `${length} bytes`, shorter(field, length), 'zip-format', message);
  }
  const absent = bytes.slice();
  absent.set([0x75, 0x78], field);
  await refused(t, 'none', absent, 'zip-format', /zip64 field of 0 bytes where 24 are expected/);
  // In the local header: sizes that refer to the field, and a field that only has the offset.
  const local = shorter(fieldAt(0), 8);
  const [crc, size] = [view.getUint32(directory + 16, true), 0xffffffff];
  for (const [at, value] of [
    [14, crc],
    [18, size],
    [22, size],
  ]) {
    new DataView(local.buffer).setUint32(at, value, true);
  }
  await refused(t, 'a local header without sizes', local, 'zip-format', /extra field|zip64 field/);
});

t.test('programs, which hold a pickle too', async (t) => {
  const data = new Uint8Array(20);
  const deflated = { method: 8 };
  const cases: readonly (readonly [string, RegExp, ...Entry[]])[] = [
    [
      'TorchScript',
      /TorchScript.*state_dict/,
      ['a/code/__torch__.py', data, deflated],
      ['a/constants.pkl', data],
    ],
    ['an exported program', /exported program.*state_dict/, ['a/models/model.json', data, deflated]],
    ['a package', /package of code/, ['a/.data/extern_modules', data]],
  ];
  for (const [what, message, ...entries] of cases) {
    const bytes = await zipEntries(['a/data.pkl', EMPTY_DICT], ...entries);
    await refused(t, what, bytes, 'not-a-checkpoint', message);
  }
  await refused(t, 'arrays', await zipEntries(['w.npy', data], ['b.npy', data]), 'not-a-checkpoint', /\.npz/);
});
