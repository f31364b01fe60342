import './library.css';
import { library } from '../../state/library.js';
import { formatBytes } from '../format.js';
import { DropArea } from './drop_area.js';
import { IntakeForm } from './intake_form.js';
import { ModelList } from './model_list.js';
import { Report } from './report.js';

/** The available models, and how to add one. */
export function LibraryPanel() {
  return (
    <div class="library">
      <h2>Models</h2>
      <ModelList />
      <StorageLine />
      <Report />
      <h2>Add a model</h2>
      <IntakeForm />
      <DropArea />
    </div>
  );
}

function StorageLine() {
  if (!library.value) return null;
  const { models, areKept, usedBytes, allowedBytes } = library.value;
  const added = models.filter(({ isBundled }) => !isBundled);
  if (!areKept) {
    return (
      <p class="muted">
        This window keeps no files, as private windows do: models that you add are gone when it is closed.
      </p>
    );
  }
  if (added.length === 0) return null;
  const bytes = added.reduce((sum, model) => sum + model.bytes, 0);
  return (
    <p class="muted">
      {formatBytes(bytes)} of models kept in this browser
      {usedBytes !== undefined &&
        allowedBytes !== undefined &&
        `; this page uses ${formatBytes(usedBytes)} of ${formatBytes(allowedBytes)}`}
      .
    </p>
  );
}
