/**
 * Stored converted models. A folder is a model once its entry exists, which is written last; a folder without an entry is being
 * written by a page, which holds a lock of its name, or was left by a page that has been closed.
 */
import type { FolderInspection, Inspection } from 'tfjs-grootvl/converters';
import { type Folders, openFolders } from './folders.js';
import type { ModelSummary } from './summary.js';

/** No file of a model has this name: their names are encoded, since shards may be in subfolders. */
const ENTRY = '@model';

/** Information about a stored model. */
export interface StoredModel {
  readonly summary: ModelSummary;
  /** Contents of its checkpoint. Absent for models that were converted elsewhere. */
  readonly inspection?: Inspection | FolderInspection;
  /** Given files or tensors that are not part of the model, with the reason. */
  readonly leftOut: Inspection['ignored'];
}

/** A model that is being written. */
export interface Draft {
  readonly id: string;
  write(file: string, bytes: Uint8Array): Promise<void>;
  commit(model: StoredModel): Promise<void>;
  /** Removes what was written; no effect after `commit`. */
  end(): Promise<void>;
}

export class ModelStore {
  private constructor(private readonly folders: Folders) {}

  static async open(): Promise<ModelStore> {
    const store = new ModelStore(await openFolders('models'));
    await store.removeUnfinished();
    return store;
  }

  /** Whether models are kept until the next visit. */
  get areKept(): boolean {
    return this.folders.areKept;
  }

  /** The newest first. */
  async list(): Promise<ModelSummary[]> {
    const models = await Promise.all((await this.folders.names()).map((id) => this.find(id)));
    return models
      .flatMap((model) => (model ? [model.summary] : []))
      .sort((a, b) => (b.savedAt ?? 0) - (a.savedAt ?? 0));
  }

  /** Undefined if the model does not exist or is still being written. */
  async find(id: string): Promise<StoredModel | undefined> {
    const entry = await this.folders.read(id, ENTRY);
    if (!entry) return undefined;
    try {
      return JSON.parse(await entry.text());
    } catch {
      return undefined; // the page was closed while writing it
    }
  }

  read(id: string, file: string): Promise<Blob | undefined> {
    return this.folders.read(id, encodeURIComponent(file));
  }

  /** The files of a model by name. */
  async files(id: string): Promise<Map<string, Blob>> {
    const files = await this.folders.files(id);
    files.delete(ENTRY);
    return new Map([...files].map(([name, file]) => [decodeURIComponent(name), file]));
  }

  async rename(id: string, title: string): Promise<void> {
    const model = await this.find(id);
    if (!model) throw new Error('there is no such model any more');
    await this.writeEntry(id, { ...model, summary: { ...model.summary, title } });
  }

  remove(id: string): Promise<void> {
    return this.folders.remove(id);
  }

  async draft(): Promise<Draft> {
    const id = crypto.randomUUID();
    const release = await lock(id);
    let isOpen = true;
    return {
      id,
      write: (file, bytes) => this.folders.write(id, encodeURIComponent(file), bytes),
      commit: async (model) => {
        await this.writeEntry(id, model);
        isOpen = false;
      },
      end: async () => {
        if (isOpen && (await this.folders.names()).includes(id)) await this.folders.remove(id);
        release();
      },
    };
  }

  private writeEntry(id: string, model: StoredModel): Promise<void> {
    return this.folders.write(id, ENTRY, new TextEncoder().encode(JSON.stringify(model)));
  }

  private async removeUnfinished(): Promise<void> {
    for (const id of await this.folders.names()) {
      if (await this.find(id)) continue;
      await navigator.locks.request(lockOf(id), { ifAvailable: true }, async (free) => {
        // A browser may still hold files of a page that is closing: they are removed the next time.
        if (free && !(await this.find(id))) await this.folders.remove(id).catch(() => undefined);
      });
    }
  }
}

function lockOf(id: string): string {
  return `models/${id}`;
}

/** @returns a function that releases the lock, which is also released with the page */
function lock(id: string): Promise<() => void> {
  return new Promise((resolve) => {
    if (!navigator.locks) return resolve(() => undefined); // missing where there is no file system either
    void navigator.locks.request(lockOf(id), () => new Promise<void>((release) => resolve(release)));
  });
}
