import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { ModelSummary } from '../../engine/library.js';
import { library, open, opened, remove, rename, showReport, zip } from '../../state/library.js';
import { formatBytes, formatCount } from '../format.js';

/** All models, with the actions for each. */
export function ModelList() {
  return (
    <ul class="models">
      {library.value?.models.map((model) => (
        <Row key={model.id} model={model} />
      ))}
    </ul>
  );
}

function Row({ model }: { readonly model: ModelSummary }) {
  const { id, title, architecture, parameters, bytes, family, savedAt, isBundled } = model;
  const isOpen = opened.value?.id === id;
  const date = savedAt === undefined ? '' : `, ${new Date(savedAt).toLocaleDateString()}`;
  return (
    <li>
      <button
        type="button"
        class="model"
        aria-pressed={isOpen}
        disabled={family === 'none'}
        onClick={() => open(id)}
      >
        <span class="title">{title}</span>
        <span class="muted">
          {architecture}, {formatCount(parameters)} parameters, {formatBytes(bytes)}
          {date}
        </span>
        {family === 'none' && <span class="muted">Nothing in this page runs it; it can be downloaded.</span>}
      </button>
      {!isBundled && <Actions model={model} />}
    </li>
  );
}

function Actions({ model: { id, title } }: { readonly model: ModelSummary }) {
  const isRenamed = useSignal(false);
  const isDeleted = useSignal(false);
  if (isRenamed.value) return <Renaming id={id} title={title} onDone={() => (isRenamed.value = false)} />;
  const what = <span class="visually-hidden"> {title}</span>;
  return (
    <div class="actions">
      <button type="button" onClick={() => showReport(id)}>
        Report{what}
      </button>
      <button type="button" onClick={() => (isRenamed.value = true)}>
        Rename{what}
      </button>
      <button type="button" onClick={() => download(id, title)}>
        Download{what}
      </button>
      <button type="button" onClick={() => (isDeleted.value = true)}>
        Delete{what}
      </button>
      {isDeleted.value && (
        <Deletion title={title} onDelete={() => remove(id)} onDone={() => (isDeleted.value = false)} />
      )}
    </div>
  );
}

interface RenamingProps {
  readonly id: string;
  readonly title: string;
  readonly onDone: () => void;
}

function Renaming({ id, title, onDone }: RenamingProps) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.select(), []);
  const onSubmit = (event: Event) => {
    event.preventDefault();
    const name = field.current?.value.trim();
    if (name) void rename(id, name);
    onDone();
  };
  return (
    <form class="actions" onSubmit={onSubmit} onKeyDown={({ key }) => key === 'Escape' && onDone()}>
      <input ref={field} aria-label={`New name of ${title}`} defaultValue={title} maxLength={80} required />
      <button type="submit">Rename</button>
      <button type="button" onClick={onDone}>
        Cancel
      </button>
    </form>
  );
}

interface DeletionProps {
  readonly title: string;
  readonly onDelete: () => void;
  readonly onDone: () => void;
}

function Deletion({ title, onDelete, onDone }: DeletionProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const onClose = () => {
    if (dialog.current?.returnValue === 'delete') onDelete();
    onDone();
  };
  return (
    <dialog ref={dialog} aria-label={`Delete ${title}`} onClose={onClose}>
      <form method="dialog">
        <p>Delete {title} from this browser?</p>
        <div class="actions">
          <button type="submit" value="cancel">
            Cancel
          </button>
          <button type="submit" value="delete" class="danger">
            Delete
          </button>
        </div>
      </form>
    </dialog>
  );
}

async function download(id: string, title: string): Promise<void> {
  const blob = await zip(id);
  if (!blob) return;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = `${title.replace(/[^\w.-]+/g, '_')}.zip`;
  link.click();
  // The browser reads the blob only after asking where to save it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
