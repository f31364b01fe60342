/** Changes the backend of the open model. */
import { type Choice, type RunningBackend, useBackend } from './backends.js';
import { reopenModel } from './library.js';

/** Makes a backend the current one, and reloads the open model on it. */
async function switchBackend(choice: Choice): Promise<RunningBackend> {
  const running = await useBackend(choice);
  await reopenModel();
  return running;
}

export const calls = { switchBackend };
