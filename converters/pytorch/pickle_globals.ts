// Which names a pickle may mention, and which of them it may "call". Nothing is ever looked up or called: an allowed
// call is a few lines of ours, a harmless one stays a description, every other is refused. Unknown means refused.

import { CheckpointError, quote } from './errors.js';

/** Modules that run code, load code, or reach files, processes and the network; all their submodules too. */
const EXECUTION_MODULES: ReadonlySet<string> = new Set(
  (
    'os posix nt posixpath ntpath subprocess _posixsubprocess sys runpy importlib imp zipimport pkgutil zipapp ' +
    'pty tty socket _socket socketserver ssl select selectors shutil tempfile glob fileinput linecache io _io ' +
    'ctypes _ctypes cffi _cffi_backend mmap multiprocessing threading _thread concurrent asyncio signal _signal ' +
    'sched queue atexit faulthandler gc weakref inspect types ast dis symtable code codeop bdb pdb cmd pydoc trace ' +
    'timeit profile cProfile pstats doctest unittest test site sitecustomize usercustomize venv ensurepip pip ' +
    'setuptools distutils pkg_resources webbrowser antigravity idlelib tkinter turtle curses readline ' +
    'pickle _pickle cPickle pickletools marshal shelve dill cloudpickle joblib jsonpickle yaml commands popen2 ' +
    'operator _operator functools _functools http urllib urllib2 httplib ftplib smtplib telnetlib poplib imaplib ' +
    'nntplib xmlrpc xmlrpclib cgi wsgiref requests aiohttp httpx paramiko fsspec sqlite3 dbm logging platform ' +
    'resource pwd grp crypt getpass locale gettext builtin_function lib2to3 IPython ipykernel jupyter'
  ).split(' '),
);

/** Parts of torch and numpy that load programs, files or further pickles. */
const EXECUTION_PATHS: readonly string[] = [
  'torch.hub',
  'torch.jit',
  'torch.package',
  'torch.utils.cpp_extension',
  'torch.utils.model_zoo',
  'torch.utils.data',
  'torch.utils.bottleneck',
  'torch.utils.collect_env',
  'torch.multiprocessing',
  'torch.distributed',
  'torch.fx',
  'torch._C',
  'torch._dynamo',
  'torch._inductor',
  'torch.onnx',
  'torch.ops',
  'torch.classes',
  'torch.load',
  'torch.save',
  'torch.compile',
  'torch.serialization.load',
  'torch.storage._load_from_bytes',
  'numpy.load',
  'numpy.save',
  'numpy.fromfile',
  'numpy.memmap',
  'numpy.testing',
  'numpy.distutils',
  'numpy.f2py',
  'numpy.ctypeslib',
];

const BUILTINS: ReadonlySet<string> = new Set(['builtins', '__builtin__', '__builtins__']);

/** Names of builtins that are types of data. All others (eval, exec, getattr, open, ...) are refused at sight. */
const BUILTIN_TYPES: ReadonlySet<string> = new Set(
  'set frozenset list dict tuple int long float complex bool str unicode bytes bytearray slice range xrange object'.split(
    ' ',
  ),
);

/**
 * Constructors of plain data whose call is kept as an inert object: numpy scalars and arrays (a checkpoint's best
 * accuracy), dates, paths, counters, sparse and quantised tensors, and pickle's own way to make an object without
 * calling its class. Add a path here only if its Python meaning is "a value made of these arguments".
 */
const HARMLESS_CALLS: ReadonlySet<string> = new Set([
  'numpy.core.multiarray.scalar',
  'numpy.core.multiarray._reconstruct',
  'numpy._core.multiarray.scalar',
  'numpy._core.multiarray._reconstruct',
  'numpy.dtype',
  'numpy.ndarray',
  '_codecs.encode',
  'collections.defaultdict',
  'collections.Counter',
  'collections.deque',
  'datetime.datetime',
  'datetime.date',
  'datetime.time',
  'datetime.timedelta',
  'datetime.timezone',
  'pathlib.Path',
  'pathlib.PurePath',
  'pathlib.PosixPath',
  'pathlib.PurePosixPath',
  'pathlib.WindowsPath',
  'pathlib.PureWindowsPath',
  'copyreg._reconstructor',
  'copy_reg._reconstructor',
  'decimal.Decimal',
  'fractions.Fraction',
  'uuid.UUID',
  'torch.device',
  'torch.serialization._get_layout',
  'torch._utils._rebuild_sparse_tensor',
  'torch._utils._rebuild_qtensor',
  'torch._utils._rebuild_meta_tensor_no_storage',
]);

/** Module and class names as Python writes them; the pickle text may hold anything. */
const IDENTIFIER_PATH = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/;

/**
 * Lets a name pass, or refuses it at sight, called or not.
 * @throws CheckpointError 'forbidden-global' for anything that could run code, 'pickle-format' for a malformed name
 */
export function checkGlobal(module: string, name: string, offset: number): void {
  const path = `${module}.${name}`;
  if (!IDENTIFIER_PATH.test(module) || !IDENTIFIER_PATH.test(name)) {
    throw new CheckpointError(
      'pickle-format',
      `the pickle names ${quote(path)}, which is not a Python name`,
      offset,
    );
  }
  const root = module.split('.')[0];
  const forbidden =
    EXECUTION_MODULES.has(root) ||
    (BUILTINS.has(module) ? !BUILTIN_TYPES.has(name) : BUILTINS.has(root)) ||
    EXECUTION_PATHS.some((prefix) => path === prefix || path.startsWith(`${prefix}.`)) ||
    // Before protocol 4 a name is a plain attribute of its module; a dotted one reaches through other objects.
    name.includes('.');
  if (forbidden) {
    throw new CheckpointError(
      'forbidden-global',
      `the pickle names ${quote(path)}, which can run code: the file is refused, and nothing in it was executed`,
      offset,
    );
  }
}

/** Whether a call of this name is kept as an inert object. */
export function isHarmlessCall(path: string): boolean {
  return HARMLESS_CALLS.has(path);
}

/** The name of a builtin type, whatever the Python version calls its module; undefined for everything else. */
export function builtinType(module: string, name: string): string | undefined {
  return BUILTINS.has(module) && BUILTIN_TYPES.has(name) ? name : undefined;
}

/** @throws CheckpointError 'refused-call', always */
export function refuseCall(path: string, offset: number): never {
  throw new CheckpointError(
    'refused-call',
    `the pickle asks for a call of ${quote(path)}, which is not on the list of allowed ones: nothing was executed; ` +
      'save a plain state dict (torch.save(model.state_dict(), ...)) instead',
    offset,
  );
}
