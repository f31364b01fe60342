/** Persistent folders of files: in the browser's private file system, or in memory if there is none. */

/** Named folders, each with named files. Names are created or validated by this program. */
export interface Folders {
  /** Whether they are kept until the next visit. */
  readonly areKept: boolean;
  names(): Promise<string[]>;
  /** Writes a file, replacing one of the same name. */
  write(folder: string, file: string, bytes: Uint8Array): Promise<void>;
  /** Undefined if the file does not exist. */
  read(folder: string, file: string): Promise<Blob | undefined>;
  files(folder: string): Promise<Map<string, Blob>>;
  remove(folder: string): Promise<void>;
}

/** Private windows of some browsers have no file system. */
export async function openFolders(name: string): Promise<Folders> {
  try {
    const root = await navigator.storage.getDirectory();
    return new StoredFolders(await root.getDirectoryHandle(name, { create: true }));
  } catch {
    return new FoldersInMemory();
  }
}

/** The part of the worker-only API that is used here. */
interface SyncAccess {
  write(bytes: Uint8Array, options: { at: number }): number;
  flush(): void;
  close(): void;
}

declare global {
  interface FileSystemFileHandle {
    createSyncAccessHandle(): Promise<SyncAccess & { truncate(size: number): void }>;
  }
  interface FileSystemDirectoryHandle {
    entries(): AsyncIterableIterator<[string, FileSystemDirectoryHandle | FileSystemFileHandle]>;
  }
}

/** Files that are being opened. Chromium never answers if it collects the handle of one meanwhile. */
const opening = new Set<FileSystemFileHandle>();

class StoredFolders implements Folders {
  readonly areKept = true;

  constructor(private readonly root: FileSystemDirectoryHandle) {}

  async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const [name] of this.root.entries()) names.push(name);
    return names;
  }

  async write(folder: string, file: string, bytes: Uint8Array): Promise<void> {
    const directory = await this.root.getDirectoryHandle(folder, { create: true });
    const handle = await directory.getFileHandle(file, { create: true });
    opening.add(handle);
    const access = await handle.createSyncAccessHandle().finally(() => opening.delete(handle));
    try {
      access.truncate(0);
      for (let at = 0; at < bytes.length; ) at += access.write(bytes.subarray(at), { at });
      access.flush();
    } finally {
      access.close();
    }
  }

  async read(folder: string, file: string): Promise<Blob | undefined> {
    try {
      const directory = await this.root.getDirectoryHandle(folder);
      return await (await directory.getFileHandle(file)).getFile();
    } catch (error) {
      if ((error as Error).name === 'NotFoundError') return undefined;
      throw error;
    }
  }

  async files(folder: string): Promise<Map<string, Blob>> {
    const files = new Map<string, Blob>();
    const directory = await this.root.getDirectoryHandle(folder);
    for await (const [name, handle] of directory.entries()) {
      if ('getFile' in handle) files.set(name, await handle.getFile());
    }
    return files;
  }

  async remove(folder: string): Promise<void> {
    await this.root.removeEntry(folder, { recursive: true });
  }
}

class FoldersInMemory implements Folders {
  readonly areKept = false;
  private readonly folders = new Map<string, Map<string, Blob>>();

  async names(): Promise<string[]> {
    return [...this.folders.keys()];
  }

  async write(folder: string, file: string, bytes: Uint8Array): Promise<void> {
    const files = this.folders.get(folder) ?? new Map<string, Blob>();
    this.folders.set(folder, files.set(file, new Blob([bytes.slice()])));
  }

  async read(folder: string, file: string): Promise<Blob | undefined> {
    return this.folders.get(folder)?.get(file);
  }

  async files(folder: string): Promise<Map<string, Blob>> {
    return new Map(this.folders.get(folder));
  }

  async remove(folder: string): Promise<void> {
    this.folders.delete(folder);
  }
}
