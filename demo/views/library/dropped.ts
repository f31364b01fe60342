/** Converts the files of a drop or of a file dialog to the engine's input. */
import type { IntakeSource } from '../../state/library.js';

interface Named {
  readonly path: string;
  readonly file: File;
}

/** More than a model's folder has: the engine refuses this number. */
const MOST = 2001;
const WEIGHTS = /\.(pth|pt|bin|safetensors|ckpt)$/i;

/** Must be called during the event: dropped items are inaccessible after it. */
export function filesOfDrop({ items }: DataTransfer): Promise<IntakeSource> {
  const dropped = [...items].filter(({ kind }) => kind === 'file');
  const entries = dropped.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  return sourceOf(entries.filter((entry) => entry !== null));
}

async function sourceOf(entries: readonly (FileSystemEntry | File)[]): Promise<IntakeSource> {
  const [first] = entries;
  const files: Named[] = [];
  if (entries.length === 1 && isFolder(first)) {
    await collect(first, '', files);
    return { name: first.name, files };
  }
  for (const entry of entries) {
    if (entry instanceof File) files.push({ path: entry.name, file: entry });
    else await collect(entry, entry.name, files);
  }
  return { name: nameOf(files), files };
}

/** For `<input type="file">`, which may select a folder. */
export function filesOfInput(list: FileList): IntakeSource {
  const files = [...list];
  const folder = files[0]?.webkitRelativePath.split('/')[0];
  const named = files.map((file) => ({
    path: file.webkitRelativePath.replace(/^[^/]*\//, '') || file.name,
    file,
  }));
  const visible = named.filter(({ path }) => !/(^|\/)\./.test(path));
  return { name: folder || nameOf(visible), files: visible };
}

/** Files given together are named after their weights. */
function nameOf(files: readonly Named[]): string {
  return (files.find(({ path }) => WEIGHTS.test(path)) ?? files[0])?.path ?? 'The folder';
}

function isFolder(entry: FileSystemEntry | File): entry is FileSystemDirectoryEntry {
  return 'isDirectory' in entry && entry.isDirectory;
}

/** Hidden files, such as git's, are not part of a model. */
async function collect(entry: FileSystemEntry, path: string, files: Named[]): Promise<void> {
  if (files.length >= MOST) return;
  if (!isFolder(entry)) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    files.push({ path, file });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // Entries are returned in batches, the last of which is empty.
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (part.length === 0) return;
    for (const inner of part) {
      if (!inner.name.startsWith('.'))
        await collect(inner, path ? `${path}/${inner.name}` : inner.name, files);
    }
  }
}
