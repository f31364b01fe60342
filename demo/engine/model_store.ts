/**
 * Converted models that are kept. A folder is a model once its entry is there, which is written last; a folder without
 * one is being written by a page, which holds a lock of its name, or is left of one that was closed.
 */
import type { FolderInspection, Inspection } from 'tfjs-grootvl/converters';
import { type Folders, openFolders } from './folders.js';
import type { ModelSummary } from './summary.js';

/** No file of a model is stored under this name: theirs are encoded, since a shard may lie in a folder. */
const ENTRY = '@model';

/** What is known of a stored model. */
export interface StoredModel {
  readonly summary: ModelSummary;
  /** What its checkpoint held. Absent for models that were converted elsewhere. */
  readonly inspection?: Inspection | FolderInspection;
  /** What was given and is not part of the model, with the reason. */
  readonly leftOut: Inspection['ignored'];
}

/** A model that is being written. */
export interface Draft {
  readonly id: string;
  write(file: string, bytes: Uint8Array): Promise<void>;
  commit(model: StoredModel): Promise<void>;
  /** Removes what was written; nothing after `commit`. */
  end(): Promise<void>;
}

export class ModelStore {
  private constructor(private readonly folders: Folders) {}

  static async open(): Promise<ModelStore> {
    const store = new ModelStore(await openFolders('models'));
    await store.removeUnfinished();
    return store;
  }

  /** Whether models are there at the next visit. */
  get areKept(): boolean {
    return this.folders.areKept;
  }

  /** The latest first. */
  async list(): Promise<ModelSummary[]> {
    const models = await Promise.all((await this.folders.names()).map((id) => this.find(id)));
    return models
      .flatMap((model) => (model ? [model.summary] : []))
      .sort((a, b) => (b.savedAt ?? 0) - (a.savedAt ?? 0));
  }

  /** Undefined where there is no such model, or it is being written. */
  async find(id: string): Promise<StoredModel | undefined> {
    const entry = await this.folders.read(id, ENTRY);
    if (!entry) return undefined;
    try {
      return JSON.parse(await entry.text());
    } catch {
      return undefined; // the page was closed while it was written
    }
  }

  read(id: string, file: string): Promise<Blob | undefined> {
    return this.folders.read(id, encodeURIComponent(file));
  }

  /** The files of a model by their names. */
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
        // A browser may hold files of a page that is just closing: they are removed the next time.
        if (free && !(await this.find(id))) await this.folders.remove(id).catch(() => undefined);
      });
    }
  }
}

function lockOf(id: string): string {
  return `models/${id}`;
}

/** @returns what releases it; it goes with the page as well */
function lock(id: string): Promise<() => void> {
  return new Promise((resolve) => {
    if (!navigator.locks) return resolve(() => undefined); // where there is no file system either
    void navigator.locks.request(lockOf(id), () => new Promise<void>((release) => resolve(release)));
  });
}
