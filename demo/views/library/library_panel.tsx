import { opened } from '../../state/library.js';

/** The models that the page knows. */
export function LibraryPanel() {
  const model = opened.value;
  return (
    <>
      <h2>Models</h2>
      {model && (
        <p>
          {model.title}: {model.architecture}, {model.parameters.toLocaleString('en')} parameters
        </p>
      )}
    </>
  );
}
