// Data beside weights: objects of any Python program, in every pickle protocol. None of it makes a file unreadable; unknown names
// and calls are kept as data and listed.

import t from 'tap';
import type { Checkpoint } from './checkpoint.js';
import { OP } from './pickle_opcodes.js';
import { FrozenSet, InertGlobal, InertObject, PickleTuple, type PickleValue } from './pickle_values.js';
import { StoredTensor } from './tensor.js';
import { Assembler } from './testing/assembler.js';
import { open, zipOf } from './testing/attack.js';
import {
  MadeGlobal,
  MadeObject,
  MadeOrderedDict,
  madeDict,
  madeTensor,
  type Picklable,
  torchLegacyBytes,
  torchZipBytes,
} from './testing/torch_writer.js';

/** A value as text for comparison: names with #, objects with @, tuples in parentheses. */
function show(value: PickleValue): string {
  const list = (values: Iterable<PickleValue>): string => [...values].map(show).join(',');
  const pairs = (map: ReadonlyMap<PickleValue, PickleValue>): string =>
    [...map].map(([key, item]) => `${show(key)}:${show(item)}`).join(',');
  if (value instanceof InertGlobal) return `#${value.path}`;
  if (value instanceof InertObject) {
    const [items, own] = [value.items.size > 0 ? `{${pairs(value.items)}}` : '', value.list.length > 0];
    const state = value.state === undefined ? '' : `=${show(value.state)}`;
    return `@${value.class}(${list(value.args)})${items}${own ? `[${list(value.list)}]` : ''}${state}`;
  }
  if (value instanceof Map) return `{${pairs(value)}}`;
  if (value instanceof Set) return `${value instanceof FrozenSet ? 'frozen' : ''}<${list(value)}>`;
  if (value instanceof PickleTuple) return `(${list(value.items)})`;
  if (Array.isArray(value)) return `[${list(value)}]`;
  if (value instanceof Uint8Array) return `b${[...value].join(' ')}`;
  if (value instanceof StoredTensor) return `tensor[${value.shape}]`;
  return Object.is(value, -0) ? '-0' : JSON.stringify(typeof value === 'bigint' ? `${value}n` : value);
}

const rootOf = async (pickle: Uint8Array): Promise<PickleValue> => (await open(await zipOf(pickle))).root;

t.test('every protocol, as CPython 3.11 writes it', async (t) => {
  // A dict of numbers, strings, bytes, sets, an OrderedDict, an enum member, a dict subclass (twice) and an object.
  const pickles = [
    'KGRwMApWaW50cwpwMQoobHAyCkkwCmFJMjU1CmFJNjU1MzYKYUktMQphSS0yMTQ3NDgzNjQ4CmFMMjE0NzQ4MzY0OEwK' +
      'YUwxMTgwNTkxNjIwNzE3NDExMzAzNDI0TAphTC05MjIzMzcyMDM2ODU0Nzc1ODA4TAphc1ZmbG9hdHMKcDMKKGxwNApG' +
      'MS41CmFGLTAuMAphRmluZgphRjFlLTMwMAphc1ZmbGFncwpwNQooSTAxCkkwMApOdHA2CnNWdGV4dApwNwpWR3L232Vc' +
      'dTAwMGFcdTAwNWMgXHU2NWU1IFxVMDAwMWY2MDAKcDgKc1ZieXRlcwpwOQpjX2NvZGVjcwplbmNvZGUKcDEwCihWXHUw' +
      'MDAw/wpwMTEKVmxhdGluMQpwMTIKdHAxMwpScDE0CnNWc2V0CnAxNQpjX19idWlsdGluX18Kc2V0CnAxNgooKGxwMTcK' +
      'STEKYXRwMTgKUnAxOQpzVmZyb3plbgpwMjAKKGRwMjEKY19fYnVpbHRpbl9fCmZyb3plbnNldApwMjIKKChscDIzCkky' +
      'CmF0cDI0ClJwMjUKSTMKc3NWb2QKcDI2CmNjb2xsZWN0aW9ucwpPcmRlcmVkRGljdApwMjcKKHRScDI4ClZhCnAyOQpJ' +
      'MQpzc1ZlbnVtCnAzMApjX19tYWluX18KUGhhc2UKcDMxCihWdHJhaW4KcDMyCnRwMzMKUnAzNApzVmNvbmZpZwpwMzUK' +
      'Y2NvcHlfcmVnCl9yZWNvbnN0cnVjdG9yCnAzNgooY19fbWFpbl9fCkNvbmZpZwpwMzcKY19fYnVpbHRpbl9fCmRpY3QK' +
      'cDM4CihkcDM5ClZscgpwNDAKRjAuNQpzdHA0MQpScDQyCnNWYWdhaW4KcDQzCmc0MgpzVnBvaW50CnA0NApnMzYKKGNf' +
      'X21haW5fXwpQb2ludApwNDUKY19fYnVpbHRpbl9fCm9iamVjdApwNDYKTnRwNDcKUnA0OAooZHA0OQpWeApwNTAKSTEK' +
      'c2JzVm5lc3QKcDUxCihscDUyCihscDUzCmEoZHA1NAphKHRhKGxwNTUKKEkxCkkyCkkzCkk0CnRwNTYKYWFzLg==',
    'fXEAKFgEAAAAaW50c3EBXXECKEsAS/9KAAABAEr/////SgAAAIBMMjE0NzQ4MzY0OEwKTDExODA1OTE2MjA3MTc0MTEz' +
      'MDM0MjRMCkwtOTIyMzM3MjAzNjg1NDc3NTgwOEwKZVgGAAAAZmxvYXRzcQNdcQQoRz/4AAAAAAAAR4AAAAAAAAAAR3/w' +
      'AAAAAAAARwGlbh/C+PNZZVgFAAAAZmxhZ3NxBShJMDEKSTAwCk50cQZYBAAAAHRleHRxB1gSAAAAR3LDtsOfZQpcIOaX' +
      'pSDwn5iAcQhYBQAAAGJ5dGVzcQljX2NvZGVjcwplbmNvZGUKcQooWAMAAAAAw79xC1gGAAAAbGF0aW4xcQx0cQ1ScQ5Y' +
      'AwAAAHNldHEPY19fYnVpbHRpbl9fCnNldApxEChdcRFLAWF0cRJScRNYBgAAAGZyb3plbnEUfXEVY19fYnVpbHRpbl9f' +
      'CmZyb3plbnNldApxFihdcRdLAmF0cRhScRlLA3NYAgAAAG9kcRpjY29sbGVjdGlvbnMKT3JkZXJlZERpY3QKcRspUnEc' +
      'WAEAAABhcR1LAXNYBAAAAGVudW1xHmNfX21haW5fXwpQaGFzZQpxHyhYBQAAAHRyYWlucSB0cSFScSJYBgAAAGNvbmZp' +
      'Z3EjY2NvcHlfcmVnCl9yZWNvbnN0cnVjdG9yCnEkKGNfX21haW5fXwpDb25maWcKcSVjX19idWlsdGluX18KZGljdApx' +
      'Jn1xJ1gCAAAAbHJxKEc/4AAAAAAAAHN0cSlScSpYBQAAAGFnYWlucStoKlgFAAAAcG9pbnRxLGgkKGNfX21haW5fXwpQ' +
      'b2ludApxLWNfX2J1aWx0aW5fXwpvYmplY3QKcS5OdHEvUnEwfXExWAEAAAB4cTJLAXNiWAQAAABuZXN0cTNdcTQoXXE1' +
      'fXE2KV1xNyhLAUsCSwNLBHRxOGFldS4=',
    'gAJ9cQAoWAQAAABpbnRzcQFdcQIoSwBL/0oAAAEASv////9KAAAAgIoFAAAAgACKCQAAAAAAAAAAQIoIAAAAAAAAAIBl' +
      'WAYAAABmbG9hdHNxA11xBChHP/gAAAAAAABHgAAAAAAAAABHf/AAAAAAAABHAaVuH8L481llWAUAAABmbGFnc3EFiIlO' +
      'h3EGWAQAAAB0ZXh0cQdYEgAAAEdyw7bDn2UKXCDml6Ug8J+YgHEIWAUAAABieXRlc3EJY19jb2RlY3MKZW5jb2RlCnEK' +
      'WAMAAAAAw79xC1gGAAAAbGF0aW4xcQyGcQ1ScQ5YAwAAAHNldHEPY19fYnVpbHRpbl9fCnNldApxEF1xEUsBYYVxElJx' +
      'E1gGAAAAZnJvemVucRR9cRVjX19idWlsdGluX18KZnJvemVuc2V0CnEWXXEXSwJhhXEYUnEZSwNzWAIAAABvZHEaY2Nv' +
      'bGxlY3Rpb25zCk9yZGVyZWREaWN0CnEbKVJxHFgBAAAAYXEdSwFzWAQAAABlbnVtcR5jX19tYWluX18KUGhhc2UKcR9Y' +
      'BQAAAHRyYWlucSCFcSFScSJYBgAAAGNvbmZpZ3EjY19fbWFpbl9fCkNvbmZpZwpxJCmBcSVYAgAAAGxycSZHP+AAAAAA' +
      'AABzWAUAAABhZ2FpbnEnaCVYBQAAAHBvaW50cShjX19tYWluX18KUG9pbnQKcSkpgXEqfXErWAEAAAB4cSxLAXNiWAQA' +
      'AABuZXN0cS1dcS4oXXEvfXEwKV1xMShLAUsCSwNLBHRxMmFldS4=',
    'gAN9cQAoWAQAAABpbnRzcQFdcQIoSwBL/0oAAAEASv////9KAAAAgIoFAAAAgACKCQAAAAAAAAAAQIoIAAAAAAAAAIBl' +
      'WAYAAABmbG9hdHNxA11xBChHP/gAAAAAAABHgAAAAAAAAABHf/AAAAAAAABHAaVuH8L481llWAUAAABmbGFnc3EFiIlO' +
      'h3EGWAQAAAB0ZXh0cQdYEgAAAEdyw7bDn2UKXCDml6Ug8J+YgHEIWAUAAABieXRlc3EJQwIA/3EKWAMAAABzZXRxC2Ni' +
      'dWlsdGlucwpzZXQKcQxdcQ1LAWGFcQ5ScQ9YBgAAAGZyb3plbnEQfXERY2J1aWx0aW5zCmZyb3plbnNldApxEl1xE0sC' +
      'YYVxFFJxFUsDc1gCAAAAb2RxFmNjb2xsZWN0aW9ucwpPcmRlcmVkRGljdApxFylScRhYAQAAAGFxGUsBc1gEAAAAZW51' +
      'bXEaY19fbWFpbl9fClBoYXNlCnEbWAUAAAB0cmFpbnEchXEdUnEeWAYAAABjb25maWdxH2NfX21haW5fXwpDb25maWcK' +
      'cSApgXEhWAIAAABscnEiRz/gAAAAAAAAc1gFAAAAYWdhaW5xI2ghWAUAAABwb2ludHEkY19fbWFpbl9fClBvaW50CnEl' +
      'KYFxJn1xJ1gBAAAAeHEoSwFzYlgEAAAAbmVzdHEpXXEqKF1xK31xLCldcS0oSwFLAksDSwR0cS5hZXUu',
    'gASViwEAAAAAAAB9lCiMBGludHOUXZQoSwBL/0oAAAEASv////9KAAAAgIoFAAAAgACKCQAAAAAAAAAAQIoIAAAAAAAA' +
      'AIBljAZmbG9hdHOUXZQoRz/4AAAAAAAAR4AAAAAAAAAAR3/wAAAAAAAARwGlbh/C+PNZZYwFZmxhZ3OUiIlOh5SMBHRl' +
      'eHSUjBJHcsO2w59lClwg5pelIPCfmICUjAVieXRlc5RDAgD/lIwDc2V0lI+UKEsBkIwGZnJvemVulH2UKEsCkZRLA3OM' +
      'Am9klIwLY29sbGVjdGlvbnOUjAtPcmRlcmVkRGljdJSTlClSlIwBYZRLAXOMBGVudW2UjAhfX21haW5fX5SMBVBoYXNl' +
      'lJOUjAV0cmFpbpSFlFKUjAZjb25maWeUaBeMBkNvbmZpZ5STlCmBlIwCbHKURz/gAAAAAAAAc4wFYWdhaW6UaCCMBXBv' +
      'aW50lGgXjAVQb2ludJSTlCmBlH2UjAF4lEsBc2KMBG5lc3SUXZQoXZR9lCldlChLAUsCSwNLBHSUYWV1Lg==',
    'gAWViwEAAAAAAAB9lCiMBGludHOUXZQoSwBL/0oAAAEASv////9KAAAAgIoFAAAAgACKCQAAAAAAAAAAQIoIAAAAAAAA' +
      'AIBljAZmbG9hdHOUXZQoRz/4AAAAAAAAR4AAAAAAAAAAR3/wAAAAAAAARwGlbh/C+PNZZYwFZmxhZ3OUiIlOh5SMBHRl' +
      'eHSUjBJHcsO2w59lClwg5pelIPCfmICUjAVieXRlc5RDAgD/lIwDc2V0lI+UKEsBkIwGZnJvemVulH2UKEsCkZRLA3OM' +
      'Am9klIwLY29sbGVjdGlvbnOUjAtPcmRlcmVkRGljdJSTlClSlIwBYZRLAXOMBGVudW2UjAhfX21haW5fX5SMBVBoYXNl' +
      'lJOUjAV0cmFpbpSFlFKUjAZjb25maWeUaBeMBkNvbmZpZ5STlCmBlIwCbHKURz/gAAAAAAAAc4wFYWdhaW6UaCCMBXBv' +
      'aW50lGgXjAVQb2ludJSTlCmBlH2UjAF4lEsBc2KMBG5lc3SUXZQoXZR9lCldlChLAUsCSwNLBHSUYWV1Lg==',
  ];
  for (const [protocol, base64] of pickles.entries()) {
    const root = await rootOf(Uint8Array.from(Buffer.from(base64, 'base64')));
    t.ok(root instanceof Map);
    const values = root as ReadonlyMap<PickleValue, PickleValue>;
    const shown = new Map([...values].map(([key, value]) => [key, show(value)]));
    const title = `protocol ${protocol}: `;
    const ints = '[0,255,65536,-1,-2147483648,2147483648,"1180591620717411303424n","-9223372036854775808n"]';
    t.equal(shown.get('ints'), ints, `${title}integers`);
    t.same(values.get('floats'), [1.5, -0, Number.POSITIVE_INFINITY, 1e-300], `${title}floats`);
    t.equal(shown.get('flags'), '(true,false,null)', `${title}truth values`);
    t.equal(values.get('text'), 'Gr\u00f6\u00dfe\n\\ \u65e5 \u{1f600}', `${title}text`);
    t.equal(shown.get('bytes'), 'b0 255', `${title}bytes`);
    t.equal(shown.get('set'), '<1>', `${title}a set`);
    t.equal(shown.get('frozen'), '{frozen<2>:3}', `${title}a frozenset as a key`);
    t.equal(shown.get('od'), '{"a":1}', `${title}an OrderedDict`);
    t.equal(shown.get('enum'), '@__main__.Phase("train")', `${title}an enum member`);
    t.match(shown.get('config'), /^@__main__\.Config\(.*\)\{"lr":0\.5\}$/, `${title}a dict subclass`);
    t.equal(values.get('config'), values.get('again'), `${title}one object, not two`);
    t.match(shown.get('point'), /^@__main__\.Point\(.*\)=\{"x":1\}$/, `${title}an object`);
    t.equal(shown.get('nest'), '[[],{},(),[(1,2,3,4)]]', `${title}containers`);
  }
});

t.test('opcodes that Python itself no longer writes', async (t) => {
  const strings = new Assembler(0).op('MARK').op('STRING').text("'a\\x41\\101\\n\\'\\\\'\n");
  strings.op('STRING').text('"\\xff"\n').op('UNICODE').text('\\u0041\\U0001f600\n').op('LONG').text('12L\n');
  strings.op('INT').text('01\n').op('FLOAT').text('-inf\n').op('LIST');
  t.equal(show(await rootOf(strings.stop())), '["aAA\\n\'\\\\",b255,"A\u{1f600}",12,true,null]');
  const made = new Assembler(0).op('MARK', 'MARK').int(1).op('INST').text('some.module\nThing\n');
  made.op('MARK').global('some.module', 'Other').int(2).op('OBJ', 'LIST');
  t.equal(show(await rootOf(made.stop())), '[@some.module.Thing(1),@some.module.Other(2)]', 'INST and OBJ');
  const memo = new Assembler(0).unicode('a').op('PUT').text('7\n').op('POP', 'GET').text('7\n');
  t.equal(await rootOf(memo.stop()), 'a', 'PUT and GET');
  const keywords = new Assembler(4).unicode('some.module').unicode('Thing').op('STACK_GLOBAL', 'EMPTY_TUPLE');
  keywords.op('EMPTY_DICT').unicode('k').int(1).op('SETITEM', 'NEWOBJ_EX');
  t.equal(show(await rootOf(keywords.stop())), '@some.module.Thing({"k":1})', 'NEWOBJ_EX');
  const surrogate = new Assembler().op('BINUNICODE').uint32(4).raw([0x61, 0xed, 0xb2, 0x80]);
  t.equal(await rootOf(surrogate.stop()), 'a\ufffd', 'a lone surrogate, as in names of files');
});

t.test('tensors in every protocol and both containers', async (t) => {
  const weight = madeTensor('float32', [2], new Float32Array([1, -2]));
  const root = new Map<Picklable, Picklable>([['w', weight]]);
  const read = async (bytes: Uint8Array): Promise<Checkpoint> => {
    const checkpoint = await open(bytes);
    const tensor = (checkpoint.root as ReadonlyMap<PickleValue, PickleValue>).get('w');
    t.ok(tensor instanceof StoredTensor);
    t.same(await (tensor as StoredTensor).read(), new Float32Array([1, -2]));
    return checkpoint;
  };
  for (const protocol of [2, 3, 4, 5]) {
    t.equal((await read(await torchZipBytes(root, { protocol }))).format, 'zip', `zip, protocol ${protocol}`);
    const legacy = await read(torchLegacyBytes(root, { protocol }));
    t.equal(legacy.format, 'legacy', `legacy, protocol ${protocol}`);
  }
  // Persistent ids in protocol 0 are not tuples: torch's appear as Python's str of them.
  const text = new Assembler(null)
    .op('MARK')
    .unicode('w')
    .global('torch._utils', '_rebuild_tensor_v2')
    .op('MARK');
  text.op('PERSID').text("('storage', <class 'torch.FloatStorage'>, '0', 'cpu', 2)\n");
  text.op('INT').text('0\n').op('MARK').int(2).op('TUPLE', 'MARK').int(1).op('TUPLE').op('INT').text('00\n');
  const old = await open(await zipOf(text.op('NONE', 'TUPLE', 'REDUCE', 'DICT').stop(), [8]));
  t.equal(show(old.root), '{"w":tensor[2]}', 'protocol 0');
  // The start of a legacy file in protocols 0 and 4, as Python 3 writes it.
  for (const start of ['L119547037146038801333356L\n.', '\x80\x04\x95\r\0\0\0\0\0\0\0']) {
    const magic = start.startsWith('L') ? '' : '\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.';
    const plain = torchLegacyBytes(root).subarray(15);
    const bytes = new Uint8Array([...Buffer.from(start + magic, 'latin1'), ...plain]);
    t.equal((await read(bytes)).format, 'legacy', JSON.stringify(start));
  }
});

t.test('objects of other programs beside the weights', async (t) => {
  const named = (module: string, name: string) => new MadeGlobal(module, name);
  const call = (module: string, name: string, ...args: Picklable[]) =>
    new MadeObject(named(module, name), { args, call: true });
  const getattr = (object: Picklable, name: string) => call('__builtin__', 'getattr', object, name);
  const history = named('mmengine.logging.history_buffer', 'HistoryBuffer');
  const cases: readonly (readonly [what: string, value: Picklable, listed: readonly string[]])[] = [
    [
      'a history buffer of mmengine',
      new MadeObject(history, {
        state: madeDict({ _statistics_methods: madeDict({ min: getattr(history, 'min') }) }),
      }),
      [`${history.module}.HistoryBuffer (1)`, `${history.module}.HistoryBuffer.min (1)`],
    ],
    ['an enum member', call('project.phases', 'Phase', 'train'), ['project.phases.Phase (1)']],
    ['an enum member of Python 3.11', getattr(named('project', 'Phase'), 'eval'), ['project.Phase.eval (1)']],
    [
      'functools.partial',
      new MadeObject(named('functools', 'partial'), {
        args: [named('torch.nn', 'LayerNorm')],
        call: true,
        state: 1,
      }),
      ['functools.partial (1)', 'torch.nn.LayerNorm (1)'],
    ],
    ['a namespace', call('types', 'SimpleNamespace'), ['types.SimpleNamespace (1)']],
    ['a function of torch._C', named('torch._C._nn', 'gelu'), ['torch._C._nn.gelu (1)']],
    [
      'a method of torch._C',
      getattr(named('torch._C', '_VariableFunctionsClass'), 'relu'),
      ['torch._C._VariableFunctionsClass.relu (1)'],
    ],
    ['a builtin function', named('__builtin__', 'max'), ['__builtin__.max (1)']],
    [
      'a path of Python 3.13',
      call('pathlib._local', 'PosixPath', 'a', 'b'),
      ['pathlib._local.PosixPath (1)'],
    ],
    [
      'a type hint',
      call('_operator', 'getitem', named('typing', 'Optional'), 1),
      ['_operator.getitem (1)', 'typing.Optional (1)'],
    ],
    ['a logger', call('logging', 'getLogger', 'train'), ['logging.getLogger (1)']],
    ['a compiled expression', call('re', '_compile', 'a+', 32), ['re._compile (1)']],
    ['an unknown call', call('project.lr', 'make_schedule', 1), ['project.lr.make_schedule (1)']],
    ['a name in another alphabet', call('projekt', 'Gr\u00f6\u00dfe'), ['"projekt.Gr\\u00f6\\u00dfe" (1)']],
    [
      'the result of a call, called',
      new MadeObject(named('project', 'f'), { args: [call('project', 'g')], call: true }),
      ['project.g (1)', 'project.f (1)'],
    ],
    [
      'a random state',
      call('numpy.random._pickle', '__randomstate_ctor', 'MT19937'),
      ['numpy.random._pickle.__randomstate_ctor (1)'],
    ],
    [
      'a default dict',
      call('collections', 'defaultdict', named('__builtin__', 'list')),
      ['collections.defaultdict (1)'],
    ],
    [
      'containers of what only Python can walk through',
      [call('__builtin__', 'list', call('collections', 'deque')), call('__builtin__', 'set', 'abc')],
      ['collections.deque (1)', '__builtin__.list (1)', '__builtin__.set (1)'],
    ],
    [
      'a dict of another object',
      call('collections', 'OrderedDict', call('a', 'B')),
      ['a.B (1)', 'collections.OrderedDict (1)'],
    ],
    ['a device', call('torch', 'device', 'cuda', 0), ['torch.device (1)']],
    [
      'a compiled module',
      new MadeObject(named('torch._dynamo.eval_frame', 'OptimizedModule')),
      ['torch._dynamo.eval_frame.OptimizedModule (1)'],
    ],
  ];
  const weights = new MadeOrderedDict(new Map([['w', madeTensor('float32', [1], new Float32Array([5]))]]));
  for (const [what, value, listed] of cases) {
    const root = madeDict({ model: weights, other: value });
    for (const bytes of [await torchZipBytes(root), torchLegacyBytes(root)]) {
      const checkpoint = await open(bytes).catch((error: Error) => error.message);
      if (typeof checkpoint === 'string') {
        t.fail(`${what}: ${checkpoint}`);
        continue;
      }
      t.same(checkpoint.inertGlobals, listed, `${what} (${checkpoint.format})`);
      t.match(show(checkpoint.root), /"model":\{"w":tensor\[1\]\}/, `${what}: the weights are read`);
    }
  }
});

t.test('an optimizer whose state is keyed by parameters', async (t) => {
  const weight = madeTensor('float32', [1], new Float32Array([5]));
  const moment = madeTensor('float32', [1], new Float32Array([6]));
  const state = new Map<Picklable, Picklable>([
    [weight, new Map<Picklable, Picklable>([['exp_avg', moment]])],
  ]);
  const optimizer = new MadeObject(new MadeGlobal('torch.optim.adamw', 'AdamW'), {
    state: new Map<Picklable, Picklable>([['state', state]]),
  });
  const { root } = await open(await torchZipBytes([optimizer]));
  t.equal(show(root), '[@torch.optim.adamw.AdamW()={"state":{tensor[1]:{"exp_avg":tensor[1]}}}]');
});

t.test('state dicts of classes derived from OrderedDict and dict', async (t) => {
  const entries = new Map([['w', madeTensor('float32', [1], new Float32Array([5]))]]);
  for (const call of [true, false]) {
    const state = new MadeObject(new MadeGlobal('project.utils', 'StateDict'), { call, entries });
    const { root, inertGlobals } = await open(await torchZipBytes(state));
    t.ok(root instanceof InertObject);
    t.equal(show(root), '@project.utils.StateDict(){"w":tensor[1]}', call ? 'called' : 'made');
    t.same(inertGlobals, ['project.utils.StateDict (1)']);
  }
});

t.test('BUILD with any state', async (t) => {
  const states: readonly Picklable[] = [null, 5, 'text', [1], new Map(), new Map([['a', 1]])];
  for (const state of states) {
    const object = new MadeObject(new MadeGlobal('a', 'B'), { state });
    await t.resolves(open(await torchZipBytes([object])), JSON.stringify(state));
  }
});

t.test('the class of a whole module in a legacy file', async (t) => {
  const body = new Assembler()
    .op('MARK')
    .unicode('module')
    .global('models', 'Net')
    .unicode('net.py')
    .unicode('class');
  body.op('TUPLE', 'BINPERSID', 'EMPTY_TUPLE', 'NEWOBJ', 'EMPTY_DICT', 'BUILD');
  const empty = torchLegacyBytes(null);
  // The object is the fourth pickle of the file, here `None`: PROTO 2, NONE, STOP.
  const none = [OP.PROTO, 2, OP.NONE, OP.STOP];
  const at = empty.findIndex((_, i) => none.every((byte, k) => empty[i + k] === byte));
  const bytes = new Uint8Array([
    ...empty.subarray(0, at),
    ...body.stop(),
    ...empty.subarray(at + none.length),
  ]);
  t.equal(show((await open(bytes)).root), '@models.Net()={}');
});
