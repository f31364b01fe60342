import { useSignal, useSignalEffect } from '@preact/signals';
import { error } from '../../state/engine.js';
import { isImage } from '../../state/images.js';
import { add } from '../../state/library.js';
import { lookAtFile } from '../../state/look.js';
import { filesOfDrop } from './dropped.js';

/**
 * Accepts drops anywhere on the page, unless an element has handled them: images are selected, anything else is added as a model.
 */
export function DropArea() {
  const isOver = useSignal(false);
  useSignalEffect(() => {
    const listening = new AbortController();
    const on = (type: 'dragover' | 'dragleave' | 'drop', listener: (event: DragEvent) => void) =>
      window.addEventListener(type, listener, { signal: listening.signal });
    on('dragover', (event) => {
      if (event.defaultPrevented || !event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = 'copy';
      isOver.value = true;
    });
    on('dragleave', ({ relatedTarget }) => {
      if (!relatedTarget) isOver.value = false;
    });
    on('drop', (event) => {
      isOver.value = false;
      if (event.defaultPrevented || !event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      void take(event.dataTransfer);
    });
    return () => listening.abort();
  });
  if (!isOver.value) return null;
  return (
    <div class="drop-area">
      <p>Drop a checkpoint, the folder of a model, or an image</p>
    </div>
  );
}

async function take(data: DataTransfer): Promise<void> {
  const [first, ...more] = data.files;
  if (first && more.length === 0 && isImage(first)) return lookAtFile(first);
  try {
    await add(await filesOfDrop(data));
  } catch (reason) {
    error.value = `what was dropped cannot be read: ${(reason as Error).message}`;
  }
}
