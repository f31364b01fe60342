// Hostile pickles and tensors in them, made by hand. Each must be refused with a one-line CheckpointError with the right code and
// the right offset; none may be executed, hang, or exhaust memory.

import t from 'tap';
import type { CheckpointErrorCode } from './errors.js';
import { MAX_EXPANDED_ELEMENTS, MAX_NESTING } from './limits.js';
import { StoredTensor } from './tensor.js';
import { Assembler } from './testing/assembler.js';
import { open, PICKLE_OFFSET, refused, zipOf } from './testing/attack.js';
import {
  MadeGlobal,
  MadeObject,
  MadeTensor,
  type Picklable,
  torchLegacyBytes,
  torchZipBytes,
} from './testing/torch_writer.js';

t.test('pickles that run code', async (t) => {
  const reduce = (module: string, name: string, argument: string): Uint8Array =>
    new Assembler().global(module, name).unicode(argument).op('TUPLE1', 'REDUCE').stop();
  for (const [module, name] of [
    ['os', 'system'],
    ['posix', 'system'],
    ['nt', 'system'],
    ['subprocess', 'Popen'],
    ['subprocess', 'check_output'],
    ['builtins', 'eval'],
    ['builtins', 'exec'],
    ['__builtin__', 'eval'],
    ['__builtin__', 'execfile'],
    ['builtins', 'getattr'],
    ['builtins', '__import__'],
    ['builtins', 'open'],
    ['builtins', 'print'],
    ['runpy', '_run_code'],
    ['importlib', 'import_module'],
    ['pty', 'spawn'],
    ['socket', 'create_connection'],
    ['shutil', 'rmtree'],
    ['ctypes', 'CDLL'],
    ['multiprocessing.util', 'spawnv_passfds'],
    ['webbrowser', 'open'],
    ['code', 'InteractiveInterpreter'],
    ['pickle', 'loads'],
    ['marshal', 'loads'],
    ['sys', 'exit'],
    ['torch.hub', 'load'],
    ['torch.jit', 'load'],
    ['torch', 'load'],
    ['torch.serialization', 'load'],
    ['torch.storage', '_load_from_bytes'],
    ['numpy.testing._private.utils', 'runstring'],
    ['_frozen_importlib_external', 'SourceFileLoader'],
    ['_imp', 'create_dynamic'],
    ['_interpreters', 'exec'],
    ['_osx_support', '_read_output'],
    ['_pyio', 'open'],
    ['thread', 'start_new_thread'],
    ['fcntl', 'ioctl'],
    ['copy_reg', 'add_extension'],
    ['new', 'code'],
    ['six', 'exec_'],
    ['py_compile', 'compile'],
    ['uuid', '_get_command_stdout'],
    ['inspect', 'currentframe'],
    ['torch.export', 'load'],
    ['numpy.core.memmap', 'memmap'],
    ['tarfile', 'TarFile'],
    ['gevent.subprocess', 'Popen'],
    ['vendored.os', 'remove'],
    ['\uff4f\uff53', 'system'],
    ['builtins', '\uff45val'],
    ['operator', 'attrgetter'],
    ['collections', 'OrderedDict.fromkeys'],
  ]) {
    const code = 'forbidden-global';
    const shown = `${module}.${name}`.replace(/[^ -~]/g, (c) => `\\\\u${c.charCodeAt(0).toString(16)}`);
    const path = new RegExp(`"${shown}".*nothing in it was executed`);
    await refused(
      t,
      `${module}.${name}`,
      await zipOf(reduce(module, name, 'echo')),
      code,
      path,
      PICKLE_OFFSET + 2,
    );
  }
  // Paths through harmless objects, with the opcodes of protocol 4: a name may be dotted, getattr may be called.
  const walk = (module: string, name: string): Uint8Array =>
    new Assembler(4).unicode(module).unicode(name).op('STACK_GLOBAL', 'EMPTY_TUPLE', 'REDUCE').stop();
  for (const [module, name] of [
    ['torch.serialization', 'os.system'],
    ['torch', 'serialization.os'],
    ['torch', 'hub.load'],
    ['numpy', 'testing._private.utils.runstring'],
    ['collections', 'OrderedDict.__subclasses__'],
    ['collections', 'OrderedDict.__init__.__globals__'],
    ['builtins', 'eval.__call__'],
    ['six.moves.builtins', 'exec'],
    ['myproject.utils', 'system'],
    ['_operator', 'methodcaller'],
    ['_io', 'FileIO'],
    ['types', 'CodeType'],
    ['pathlib', 'Path.write_text'],
    ['pathlib', 'PosixPath.touch'],
    ['random', '_os.remove'],
    ['threading', '_sys.exit'],
    ['somewhere', 'code.Interpreter'],
    ['numpy', 'core.records.fromfile'],
    ['string', 'Formatter.get_field'],
    ['typing', 'ForwardRef._evaluate'],
  ]) {
    const path = new RegExp(`"${module}.${name}".*nothing in it was executed`);
    await refused(t, `${module} ${name}`, await zipOf(walk(module, name)), 'forbidden-global', path);
  }
  const attributes: readonly (readonly [string, string, readonly string[]])[] = [
    ['torch', 'serialization', ['os']],
    ['collections', 'OrderedDict', ['__class__']],
    ['collections', 'OrderedDict', ['fromkeys', '__globals__']],
    ['torch', 'storage', ['_load_from_bytes']],
    ['torch', 'nn', ['utils', 'subprocess']],
  ];
  for (const [module, name, steps] of attributes) {
    const assembler = new Assembler();
    for (let i = 0; i < steps.length; i++) assembler.global('builtins', 'getattr').op('MARK');
    assembler.global(module, name);
    for (const step of steps) assembler.unicode(step).op('TUPLE', 'REDUCE');
    const what = `getattr ${name} ${steps.join(' ')}`;
    await refused(t, what, await zipOf(assembler.stop()), 'forbidden-global', /nothing in it was executed/);
  }
  const called = new Assembler().global('builtins', 'getattr').op('MARK').global('a', 'B').unicode('system');
  called.op('TUPLE', 'REDUCE').unicode('ls').op('TUPLE1', 'REDUCE');
  await refused(t, 'a call of an attribute', await zipOf(called.stop()), 'forbidden-global', /a\.B\.system/);
  const wrapped = new Assembler()
    .global('functools', 'partial')
    .global('os', 'system')
    .op('TUPLE1', 'REDUCE');
  await refused(t, 'within a partial', await zipOf(wrapped.stop()), 'forbidden-global', /os\.system/);
  for (const [opcode, assembler] of [
    ['INST', new Assembler(0).op('MARK').unicode('ls').op('INST').text('os\nsystem\n')],
    ['OBJ', new Assembler(1).op('MARK').global('os', 'system').unicode('ls').op('OBJ')],
    ['NEWOBJ_EX', new Assembler(4).global('os', 'system').op('EMPTY_TUPLE', 'EMPTY_DICT', 'NEWOBJ_EX')],
  ] as const) {
    await refused(t, opcode, await zipOf(assembler.stop()), 'forbidden-global', /os\.system/);
  }
  const mention = new Assembler().global('os', 'system').stop();
  await refused(t, 'only named', await zipOf(mention), 'forbidden-global', /os\.system/);
  const newObject = new Assembler().global('subprocess', 'Popen').unicode('ls').op('TUPLE1', 'NEWOBJ').stop();
  await refused(t, 'NEWOBJ', await zipOf(newObject), 'forbidden-global', /Popen/);
  const borrowed = new Assembler().global('tensorflow', 'load_library').op('EMPTY_TUPLE', 'NEWOBJ').stop();
  await refused(t, 'NEWOBJ of a runner', await zipOf(borrowed), 'forbidden-global', /load_library/);
  const build = new Assembler().global('some.module', 'function').op('EMPTY_DICT', 'BUILD').stop();
  await refused(t, 'BUILD on a name', await zipOf(build), 'pickle-format', /attributes/);
  const items = new Assembler().global('some.module', 'Table').unicode('k').unicode('v').op('SETITEM').stop();
  await refused(t, 'SETITEM on a name', await zipOf(items), 'pickle-format', /entries/);
  const dict = new Assembler().op('EMPTY_DICT', 'EMPTY_TUPLE', 'REDUCE').stop();
  await refused(t, 'a call of a dict', await zipOf(dict), 'pickle-format', /not a global/);
  const rebuilt = new Assembler()
    .global('torch._utils', '_rebuild_tensor_v2')
    .op('EMPTY_TUPLE', 'NEWOBJ')
    .stop();
  await refused(t, 'NEWOBJ of a function', await zipOf(rebuilt), 'pickle-format', /not a class/);
  const indirect = new Assembler()
    .global('torch._tensor', '_rebuild_from_type_v2')
    .op('MARK')
    .global('a', 'b');
  indirect.op('NONE', 'EMPTY_TUPLE', 'NONE', 'TUPLE', 'REDUCE');
  await refused(t, 'a call in a call', await zipOf(indirect.stop()), 'tensor-format');
  const hostile = torchLegacyBytes(
    new MadeObject(new MadeGlobal('os', 'system'), { args: ['echo'], call: true }),
  );
  await refused(t, 'a legacy file', hostile, 'forbidden-global', /os\.system/);
});

t.test('opcodes that are refused by name', async (t) => {
  for (const [opcode, name] of [
    [0x82, 'EXT1'],
    [0x83, 'EXT2'],
    [0x84, 'EXT4'],
    [0x97, 'NEXT_BUFFER'],
    [0x98, 'READONLY_BUFFER'],
    [0xff, '0xff'],
  ] as const) {
    const pickle = new Assembler().op('NONE').uint8(opcode).stop();
    await refused(t, name, await zipOf(pickle), 'pickle-opcode', new RegExp(name), PICKLE_OFFSET + 3);
  }
  for (const protocol of [6, 200]) {
    const pickle = new Assembler(protocol).op('NONE').stop();
    const message = new RegExp(`protocol ${protocol}; save it again with the default protocol 2`);
    await refused(t, `protocol ${protocol}`, await zipOf(pickle), 'pickle-opcode', message, PICKLE_OFFSET);
  }
});

t.test('malformed pickles', async (t) => {
  const broken: readonly (readonly [string, Assembler, CheckpointErrorCode])[] = [
    ['a mark below the bottom', new Assembler().op('NONE', 'OBJ'), 'pickle-format'],
    ['an object of nothing', new Assembler().op('MARK', 'OBJ'), 'pickle-format'],
    ['a name of numbers', new Assembler(4).int(1).int(2).op('STACK_GLOBAL'), 'pickle-format'],
    ['a name too long', new Assembler(4).unicode('a').unicode('b'.repeat(300)).op('STACK_GLOBAL'), 'limit'],
    [
      'additions to a frozenset',
      new Assembler(4).op('MARK', 'FROZENSET', 'MARK', 'ADDITEMS'),
      'pickle-format',
    ],
    ['a list in a set', new Assembler(4).op('EMPTY_SET', 'MARK', 'EMPTY_LIST', 'ADDITEMS'), 'pickle-format'],
    [
      'a frame of 2^60 bytes',
      new Assembler(4)
        .op('FRAME')
        .uint64(2n ** 60n)
        .op('NONE'),
      'truncated',
    ],
    ['bytes of 2^60', new Assembler(4).op('BINBYTES8').uint64(2n ** 60n), 'limit'],
    ['a text of 2^60 bytes', new Assembler(4).op('BINUNICODE8').uint64(2n ** 60n), 'limit'],
    ['an integer of letters', new Assembler(0).op('INT').text('0x10\n'), 'pickle-format'],
    ['an integer of 10,000 digits', new Assembler(0).op('LONG').text(`${'9'.repeat(10_000)}L\n`), 'limit'],
    ['a float of letters', new Assembler(0).op('FLOAT').text('1e\n'), 'pickle-format'],
    ['an unclosed string', new Assembler(0).op('STRING').text("'abc\n"), 'pickle-format'],
    ['a string that ends in an escape', new Assembler(0).op('STRING').text("'abc\\'\n"), 'pickle-format'],
    ['a memo index of letters', new Assembler(0).op('NONE', 'PUT').text('a\n'), 'pickle-format'],
    ['a memo index of 15 digits', new Assembler(0).op('NONE', 'PUT').text('999999999999999\n'), 'limit'],
    ['a persistent id of another program', new Assembler(0).op('PERSID').text('x\n'), 'tensor-format'],
    ['a line without an end', new Assembler(0).op('UNICODE').text('abc'), 'truncated'],
    ['an empty stack', new Assembler(), 'pickle-format'],
    ['values left over', new Assembler().op('NONE', 'NONE'), 'pickle-format'],
    ['an open mark', new Assembler().op('MARK', 'NONE'), 'pickle-format'],
    ['a memo entry never made', new Assembler().op('BINGET').uint8(7), 'pickle-format'],
    ['a tuple across a mark', new Assembler().op('NONE', 'MARK', 'TUPLE1'), 'pickle-format'],
    ['appending to a dict', new Assembler().op('EMPTY_DICT', 'NONE', 'APPEND'), 'pickle-format'],
    ['a key without a value', new Assembler().op('EMPTY_DICT', 'MARK', 'NONE', 'SETITEMS'), 'pickle-format'],
    ['a list as a key', new Assembler().op('EMPTY_DICT', 'EMPTY_LIST', 'NONE', 'SETITEM'), 'pickle-format'],
    [
      'a tuple of a list as a key',
      new Assembler().op('EMPTY_DICT', 'EMPTY_LIST', 'TUPLE1', 'NONE', 'SETITEM'),
      'pickle-format',
    ],
    ['a protocol midway', new Assembler().op('PROTO').uint8(2), 'pickle-format'],
    ['a persistent id of text', new Assembler().unicode('storage').op('BINPERSID'), 'tensor-format'],
    ['text that is not UTF-8', new Assembler().op('BINUNICODE').uint32(1).uint8(0xff), 'pickle-format'],
    ['a global that is not a name', new Assembler().global('o s', 'sys\u202etem'), 'pickle-format'],
    ['a text longer than the file', new Assembler().op('BINUNICODE').uint32(1000), 'truncated'],
    ['a text of 4 GB', new Assembler().op('BINUNICODE').uint32(0xffffffff), 'limit'],
    ['bytes of 4 GB', new Assembler().op('BINBYTES').uint32(0xffffffff), 'limit'],
    ['an integer of 4 GB', new Assembler().op('LONG4').uint32(0xffffffff), 'limit'],
    ['a memo index of 4 billion', new Assembler().op('NONE', 'LONG_BINPUT').uint32(0xffffffff), 'limit'],
    ['an endless name', new Assembler().op('GLOBAL').text('a'.repeat(1000)), 'limit'],
  ];
  for (const [what, assembler, code] of broken) await refused(t, what, await zipOf(assembler.stop()), code);
  const after = new Assembler().op('EMPTY_DICT').op('STOP', 'NONE');
  await refused(
    t,
    'data after STOP',
    await zipOf(after.build()),
    'pickle-format',
    /1 bytes follow/,
    PICKLE_OFFSET + 4,
  );
});

t.test('bombs', async (t) => {
  // 60 lists, each with ten references to the one before: 10^60 values if copied, 61 if shared.
  const laughs = new Assembler().op('MARK', 'EMPTY_LIST', 'BINPUT').uint8(0);
  for (let level = 0; level < 60; level++) {
    laughs
      .op('EMPTY_LIST', 'BINPUT')
      .uint8(level + 1)
      .op('MARK');
    for (let copy = 0; copy < 10; copy++) laughs.op('BINGET').uint8(level);
    laughs.op('APPENDS');
  }
  const { root } = await open(await zipOf(laughs.op('LIST').stop()));
  t.equal(Array.isArray(root) && root.length, 61, 'shared values are not copied');

  const deep = (levels: number): Uint8Array => {
    const assembler = new Assembler().op('NONE');
    for (let level = 0; level < levels; level++) assembler.op('TUPLE1');
    return assembler.stop();
  };
  await t.resolves(open(await zipOf(deep(MAX_NESTING - 1))), 'nesting up to the limit');
  await refused(t, 'deep nesting', await zipOf(deep(MAX_NESTING + 1)), 'limit', /nests/);
  await refused(t, 'very deep nesting', await zipOf(deep(400_000)), 'limit', /nests/);
  const self = new Assembler().op('EMPTY_LIST', 'BINPUT').uint8(0).op('BINGET').uint8(0).op('APPEND');
  await refused(t, 'a list that holds itself', await zipOf(self.stop()), 'pickle-format', /holds itself/);
  const parent = new Assembler()
    .global('omegaconf', 'DictConfig')
    .op('EMPTY_TUPLE', 'NEWOBJ', 'BINPUT')
    .uint8(0);
  parent.op('EMPTY_DICT').unicode('_parent').op('BINGET').uint8(0).op('SETITEM', 'BUILD');
  await t.resolves(open(await zipOf(parent.stop())), 'an inert object may know its parent');

  const marks = new Assembler().raw(new Uint8Array(100_000).fill(0x28));
  await refused(t, 'marks', await zipOf(marks.stop()), 'limit', /open containers/);
  const stack = new Assembler().raw(new Uint8Array(200_000).fill(0x4e));
  await refused(t, 'stack', await zipOf(stack.stop()), 'limit', /stack/);
  const objects = new Assembler().op('EMPTY_LIST', 'MARK');
  for (let batch = 0; batch < 1000; batch++)
    objects.raw(new Uint8Array(1000).fill(0x7d)).op('APPENDS', 'MARK');
  await refused(t, 'a million dicts', await zipOf(objects.stop()), 'limit', /objects/);
  const opcodes = new Assembler().op('EMPTY_LIST');
  opcodes.raw(new Uint8Array(6_000_000).map((_, i) => (i % 2 === 0 ? 0x4e : 0x30)));
  await refused(t, 'six million opcodes', await zipOf(opcodes.stop()), 'limit', /opcodes/);
  const copies = new Assembler().global('builtins', 'list').op('BINPUT').uint8(0).op('MARK');
  copies.raw(new Uint8Array(50_000).fill(0x4e)).op('TUPLE', 'TUPLE1', 'BINPUT').uint8(1).op('REDUCE');
  for (let i = 0; i < 100; i++) copies.op('POP', 'BINGET').uint8(0).op('BINGET').uint8(1).op('REDUCE');
  await refused(t, 'copies of a list', await zipOf(copies.stop()), 'limit', /copied/);
  const texts = new Assembler().global('_codecs', 'encode').op('BINPUT').uint8(0);
  texts
    .unicode('a'.repeat(4 << 20))
    .unicode('latin1')
    .op('TUPLE2', 'BINPUT')
    .uint8(1)
    .op('REDUCE');
  for (let i = 0; i < 20; i++) texts.op('POP', 'BINGET').uint8(0).op('BINGET').uint8(1).op('REDUCE');
  await refused(t, 'copies of a text', await zipOf(texts.stop()), 'limit', /encoded texts/);
});

t.test('values that other readers get wrong', async (t) => {
  const list = new Assembler().op('EMPTY_LIST', 'MARK');
  const integers = [
    -1n,
    -128n,
    127n,
    128n,
    255n,
    -255n,
    -(2n ** 63n),
    2n ** 53n - 1n,
    2n ** 53n,
    -(2n ** 70n),
    0n,
  ];
  for (const value of integers) list.long(value);
  list.op('LONG1').uint8(0).op('APPENDS');
  const { root } = await open(await zipOf(list.stop()));
  const expected = integers.map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value));
  t.same(root, [...expected, 0], "LONG1 is two's complement");

  const keys = ['__proto__', 'constructor', 'toString'];
  const checkpoint = await open(await torchZipBytes(new Map(keys.map((key) => [key, 'polluted']))));
  t.ok(checkpoint.root instanceof Map);
  t.same([...(checkpoint.root as Map<string, string>).keys()], keys, 'a key __proto__ is a key');
  t.equal(({} as Record<string, unknown>).polluted, undefined);

  const state = new Map<Picklable, Picklable>([['__proto__', new Map([['x', 1]])]]);
  const inert = await open(
    await torchZipBytes(new MadeObject(new MadeGlobal('argparse', 'Namespace'), { state })),
  );
  t.same(inert.inertGlobals, ['argparse.Namespace (1)']);
  const numpy = new MadeObject(new MadeGlobal('numpy.core.multiarray', 'scalar'), {
    args: [1.5],
    call: true,
  });
  t.same((await open(await torchZipBytes([numpy, numpy]))).inertGlobals, [
    'numpy.core.multiarray.scalar (2)',
  ]);
});

t.test('tensors that lie', async (t) => {
  const storage = { dtype: 'float32', elements: 8, bytes: new Uint8Array(32) } as const;
  const tensor = (shape: number[], strides: number[], offset = 0): Promise<Uint8Array> =>
    torchZipBytes([new MadeTensor(storage, shape, strides, offset)]);
  const code = 'tensor-bounds';
  await refused(t, 'shape beyond the storage', await tensor([3, 3], [3, 1]), code, /value 9 .* has 8/);
  await refused(t, 'offset beyond the storage', await tensor([2], [1], 7), code, /value 9/);
  await refused(t, 'a huge offset', await tensor([1], [1], 2 ** 53 - 1), code);
  await refused(t, 'huge strides', await tensor([2, 2], [2 ** 52, 2 ** 52]), code);
  await refused(t, 'sizes that overflow', await tensor([2 ** 32, 2 ** 32], [1, 1]), code);
  await refused(t, 'zero strides', await tensor([2 ** 30], [0]), code, /unfolds 8 stored values/);
  await refused(
    t,
    'zero strides beyond 2^53',
    await tensor([2 ** 40, 2 ** 40, 2 ** 40], [0, 0, 0]),
    code,
    /unfolds/,
  );
  await refused(t, 'one too many', await tensor([MAX_EXPANDED_ELEMENTS + 1], [0]), code);
  await refused(t, 'a negative size', await tensor([-1], [1]), 'tensor-format');
  await refused(t, 'a negative stride', await tensor([2], [-1], 1), 'tensor-format');
  await refused(t, 'a negative offset', await tensor([1], [1], -1), 'tensor-format');
  await refused(t, 'a fraction', await tensor([1.5], [1]), 'tensor-format');
  await refused(t, 'sizes without strides', await tensor([2, 2], [1]), 'tensor-format');
  await refused(
    t,
    'too many sizes',
    await tensor(new Array(65).fill(1), new Array(65).fill(1)),
    'tensor-format',
  );
  const wide = { ...storage, elements: 2 ** 40 };
  await refused(
    t,
    'a storage that claims more',
    await torchZipBytes([new MadeTensor({ ...wide, bytes: storage.bytes }, [1])]),
    'storage-size',
  );
  const missing = await zipOf(rebuilt('9', 8), [32]);
  await refused(t, 'a storage that is not there', missing, 'storage-size', /"9", the zip has none/);
  await refused(
    t,
    'a storage of another size',
    await zipOf(rebuilt('0', 9), [32]),
    'storage-size',
    /36 bytes .* has 32/,
  );
  await refused(
    t,
    'a storage name that climbs',
    await zipOf(rebuilt('../data.pkl', 8), [32]),
    'storage-size',
  );

  const { root } = await open(await tensor([MAX_EXPANDED_ELEMENTS], [0]));
  const expanded = (root as StoredTensor[])[0];
  t.ok(expanded instanceof StoredTensor);
  t.equal((await expanded.readFloat32()).length, MAX_EXPANDED_ELEMENTS, 'small expanded views are read');
});

/** A list of one tensor [1] in a storage with the given key and claimed size. */
function rebuilt(key: string, elements: number): Uint8Array {
  const assembler = new Assembler()
    .op('EMPTY_LIST')
    .global('torch._utils', '_rebuild_tensor_v2')
    .op('MARK', 'MARK');
  assembler.unicode('storage').global('torch', 'FloatStorage').unicode(key).unicode('cpu').int(elements);
  assembler.op('TUPLE', 'BINPERSID').int(0).int(1).op('TUPLE1').int(1).op('TUPLE1', 'NEWFALSE');
  return assembler
    .global('collections', 'OrderedDict')
    .op('EMPTY_TUPLE', 'REDUCE', 'TUPLE', 'REDUCE', 'APPEND')
    .stop();
}
