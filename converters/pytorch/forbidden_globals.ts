// Python names whose purpose is to run code or to access the system, each with the reason, in one table. A pickle that names one
// of them is refused even if it does not call it. Sources: the documentation of the standard library, and the lists of public
// pickle scanners (picklescan, fickling, modelscan).

interface Group {
  readonly reason: string;
  /** Modules with all their members, or single names: `os`, `torch.load`. */
  readonly paths: string;
}

const GROUPS: readonly Group[] = [
  {
    reason: 'runs program text',
    paths:
      'builtins.eval builtins.exec builtins.execfile builtins.compile builtins.apply builtins.breakpoint ' +
      'builtins.__build_class__ runpy code codeop bdb pdb cmd timeit profile cProfile pstats trace doctest unittest ' +
      'test.support test.libregrtest pydoc symtable lib2to3 IPython ipykernel jupyter idlelib ' +
      'types.CodeType types.FunctionType types.LambdaType types.MethodType types.new_class types.prepare_class ' +
      'pandas.eval pandas.core.computation numexpr numpy.testing numpy.f2py torch.fx.graph torch.fx.graph_module ' +
      'torch.fx.interpreter torch.fx.experimental torch.fx._symbolic_trace torch.fx._lazy_graph_module torch._dynamo ' +
      'torch._inductor torch.compile torch.onnx torch.jit torch.utils.benchmark torch.utils.bottleneck ' +
      'torch.utils._config_module torch.testing._internal torch._C._jit torch._C.CompilationUnit torch._sources ' +
      'torch.library rlcompleter rexec compiler py_compile compileall modulefinder hotshot _lsprof new.code ' +
      'new.function new.instancemethod new.classobj six.exec_ scipy.weave gettext.c2py dataclasses._create_fn ' +
      'dataclasses.make_dataclass typing.get_type_hints typing._eval_type typing.ForwardRef._evaluate ' +
      'annotationlib _interpreters _xxsubinterpreters _testcapi _testinternalcapi _testmultiphase',
  },
  {
    reason: 'loads modules',
    paths:
      'builtins.__import__ builtins.__loader__ builtins.__spec__ builtins.reload importlib imp zipimport pkgutil ' +
      'zipapp types.ModuleType site sitecustomize usercustomize venv ensurepip pip setuptools distutils pkg_resources ' +
      'numpy.distutils torch._utils._import_dotted_name torch.package torch._C.import_ir_module ' +
      'torch._C._import_ir_module_from_buffer torch._C.import_ir_module_from_buffer _imp _frozen_importlib ' +
      '_frozen_importlib_external imputil ihooks new.module six.moves.reload_module hydra.utils hydra._internal ' +
      'transformers.dynamic_module_utils mmengine.utils.import_modules_from_strings ' +
      'mmcv.utils.import_modules_from_strings',
  },
  {
    reason: 'starts processes or reaches the operating system',
    paths:
      'os posix nt subprocess _posixsubprocess _winapi winreg _winreg msvcrt pty tty sys commands popen2 pexpect sh ' +
      'plumbum psutil platform.popen platform._syscmd_file platform._syscmd_ver platform._syscmd_uname ' +
      'platform._syscmd_processor multiprocessing threading _thread concurrent asyncio signal _signal sched atexit ' +
      'faulthandler gc weakref.finalize resource pwd grp crypt getpass curses readline tkinter turtle ' +
      'torch.multiprocessing torch.utils.collect_env torch.utils.data.datapipes torch.distributed.rpc ' +
      'torch.distributed.run torch.distributed.launch torch.distributed.launcher torch.distributed.elastic ' +
      'builtins.input builtins.raw_input builtins.exit builtins.quit builtins.help builtins.print ' +
      'thread _dummy_thread dummy_threading fcntl termios syslog spwd nis os2 riscos ce winsound ossaudiodev mailcap ' +
      '_osx_support _aix_support _pyrepl _bootsubprocess uuid._get_command_stdout uuid._popen tracemalloc ' +
      'gevent eventlet twisted ptyprocess invoke git.cmd django.core.management torch.utils.hipify torch.utils.model_dump',
  },
  {
    reason: 'loads pickles or other serialised programs',
    paths:
      'pickle _pickle cPickle pickletools marshal shelve dill cloudpickle joblib jsonpickle yaml torch.load ' +
      'torch.serialization.load torch.serialization._load torch.serialization._legacy_load ' +
      'torch.storage._load_from_bytes torch.storage.UntypedStorage._load_from_bytes numpy.load numpy.loads ' +
      'numpy.lib.npyio numpy.lib._npyio_impl numpy.lib.format pandas.read_pickle torch.export.load torch._export ' +
      'torch._weights_only_unpickler torch.utils.show_pickle keras.models keras.saving keras.src.saving ' +
      'tensorflow.keras.models tensorflow.saved_model copyreg.pickle copyreg.constructor copyreg.add_extension ' +
      'copyreg.remove_extension',
  },
  {
    reason: 'reads or writes files',
    paths:
      'builtins.open builtins.file io.open io.open_code io.FileIO io.OpenWrapper io.TextIOWrapper io.BufferedReader ' +
      'io.BufferedWriter io.BufferedRandom codecs.open shutil tempfile glob fileinput linecache mmap sqlite3 dbm fsspec ' +
      'gzip.open bz2.open lzma.open logging.config logging.handlers logging.FileHandler ' +
      'logging.basicConfig numpy.save numpy.savez numpy.savez_compressed numpy.savetxt numpy.loadtxt numpy.genfromtxt ' +
      'numpy.fromfile numpy.fromregex numpy.memmap numpy.DataSource numpy.lib._datasource pandas.io pandas.read_csv ' +
      'pandas.read_table pandas.read_json pandas.read_html pandas.read_xml pandas.read_sql pandas.read_hdf ' +
      'pandas.read_excel pandas.read_parquet pandas.read_feather torch.save torch.from_file torch.serialization.save ' +
      'torch._C.PyTorchFileReader torch._C.PyTorchFileWriter torch.serialization._open_file ' +
      'torch.serialization._open_file_like torch.serialization._open_zipfile_reader ' +
      'torch.serialization._open_zipfile_writer _pyio _sqlite3 gzip.GzipFile bz2.BZ2File lzma.LZMAFile tarfile ' +
      'zipfile bsddb anydbm dumbdbm numpy.core.memmap numpy._core.memmap tensorflow.io.read_file ' +
      'tensorflow.io.write_file tensorflow.raw_ops torchvision.io.read_file torchvision.io.write_file ' +
      'torchvision.io.image.read_file torchvision.io.image.write_file',
  },
  {
    reason: 'reaches the network',
    paths:
      'socket _socket socketserver ssl _ssl select selectors http urllib urllib2 urllib3 httplib httplib2 ftplib ' +
      'smtplib telnetlib poplib imaplib nntplib xmlrpc xmlrpclib cgi wsgiref requests aiohttp httpx websockets paramiko ' +
      'fabric boto3 botocore s3fs gcsfs huggingface_hub webbrowser antigravity torch.hub torch.utils.model_zoo ' +
      'torchvision.datasets.utils asyncore asynchat smtpd nltk.download',
  },
  {
    reason: 'loads native code',
    paths:
      'ctypes _ctypes cffi _cffi_backend numpy.ctypeslib torch.utils.cpp_extension torch.ops torch.classes torch._ops ' +
      'torch._classes',
  },
  {
    reason: 'reaches into other objects by name',
    paths:
      'builtins.globals builtins.locals builtins.vars builtins.setattr builtins.delattr operator.attrgetter ' +
      'operator.methodcaller operator.call inspect.currentframe inspect.stack inspect.trace inspect.getattr_static ' +
      'inspect.getmembers string.Formatter.get_field string.Formatter.vformat string.Formatter.format',
  },
];

/** Plain data and objects in the modules above. */
const DATA: ReadonlySet<string> = new Set([
  'torch._dynamo.eval_frame.OptimizedModule',
  'urllib.parse.ParseResult',
  'urllib.parse.SplitResult',
]);

const REASONS: ReadonlyMap<string, string> = new Map(
  GROUPS.flatMap(({ reason, paths }) => paths.split(' ').map((path): [string, string] => [path, reason])),
);

/** Second names of modules: Python 2's, and the C parts of standard modules. */
const ALIASES: Readonly<Record<string, string>> = {
  __builtin__: 'builtins',
  __builtins__: 'builtins',
  _io: 'io',
  _operator: 'operator',
  _codecs: 'codecs',
  copy_reg: 'copyreg',
};

/** Modules that are reachable through other modules, as attributes or vendored copies (`gevent.subprocess`). */
const CARRIED: ReadonlySet<string> = new Set(
  'os posix nt subprocess builtins __builtin__ __builtins__ importlib marshal cPickle ctypes pty pdb'.split(
    ' ',
  ),
);

/** Attributes through which a path from a harmless object reaches modules, globals and code. */
const WALKS: ReadonlySet<string> = new Set([
  ...CARRIED,
  ...(
    'sys runpy pickle socket shutil multiprocessing __globals__ __dict__ __class__ __bases__ __base__ __mro__ ' +
    '__subclasses__ __code__ __closure__ __func__ __self__ __getattribute__ __loader__ __spec__ __import__ ' +
    '__reduce__ __reduce_ex__ func_globals func_code f_globals f_locals gi_frame tb_frame'
  ).split(' '),
]);

/** Functions that run code, whatever module they are named in: a module also exposes what it imports. */
const RUNNERS: ReadonlySet<string> = new Set(
  (
    'eval exec execfile system popen popen2 popen3 popen4 Popen check_output check_call getoutput getstatusoutput ' +
    'spawn spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe posix_spawn posix_spawnp execl execle ' +
    'execlp execlpe execv execve execvp execvpe fork forkpty startfile runstring run_code _run_code import_module ' +
    'load_library loads write_text write_bytes rmtree unlink urlopen urlretrieve exec_ execWrapper exec_module ' +
    'load_module run_string runcode runsource runcall runctx run_path run_module pipepager pipe_pager tempfilepager ' +
    'start_new_thread fork_exec dlopen LoadLibrary create_subprocess_shell create_subprocess_exec open open_code ' +
    'fromfile tofile read_text read_bytes touch rmdir from_pretrained load_model _file2dict _read_output ' +
    '_read_cmd_output _find_build_tool _get_command_stdout'
  ).split(' '),
);

function canonical(module: string): string {
  // `six` exposes the modules of both Python versions under its own names.
  const plain = module.replace(/^six\.moves\./, '');
  const root = plain.split('.')[0];
  return Object.hasOwn(ALIASES, root) ? ALIASES[root] + plain.slice(root.length) : plain;
}

/** Whether an attribute path leads to code: modules import others under names such as `_os`. */
function walksToCode(attributes: readonly string[]): boolean {
  const through = attributes.slice(0, -1).some((part) => REASONS.has(part));
  return through || attributes.some((part) => WALKS.has(part) || WALKS.has(part.replace(/^_+/, '')));
}

/**
 * Why a pickle that names `name` of `module` is refused; undefined for all other names. `name` may be an attribute path, `a.b`.
 * Look-alike letters (full-width ones, ligatures) count as the letters that they normalise to.
 */
export function forbiddenReason(module: string, name: string): string | undefined {
  const attributes = name.normalize('NFKC').split('.');
  const modules = canonical(module.normalize('NFKC')).split('.');
  const path = [...modules, ...attributes].join('.');
  if (DATA.has(path)) return undefined;
  for (let end = path.indexOf('.'); end >= 0; end = path.indexOf('.', end + 1)) {
    const reason = REASONS.get(path.slice(0, end));
    if (reason !== undefined) return reason;
  }
  const whole = REASONS.get(path);
  if (whole !== undefined) return whole;
  // torch's compiler functions share this prefix.
  if (path.startsWith('torch._C._jit_')) return REASONS.get('torch._C._jit');
  const carried = modules.slice(1).some((part) => CARRIED.has(part));
  return carried || walksToCode(attributes) ? 'leads to code or to the system' : undefined;
}

/** Why a call of `name` is refused although naming it is not; undefined for all other names. */
export function forbiddenCallReason(name: string): string | undefined {
  const last = name.slice(name.lastIndexOf('.') + 1).normalize('NFKC');
  return RUNNERS.has(last) ? 'runs code or reaches the system, wherever it was taken from' : undefined;
}
