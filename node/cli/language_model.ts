/** Loads language models for commands. */
import { Option } from 'commander';
import type { GrootL } from '../../plugin/index.js';
import { modelSource } from './inputs.js';
import { withAdapter } from './inspect.js';

export const ATTACHED = new Option('--lora <dir>', 'folder of a LoRA adapter (PEFT) to attach to the model');

/** Loads a converted language model, and attaches an adapter if one is given. */
export async function loadLanguageModel(dir: string, lora?: string): Promise<GrootL> {
  const { GrootL } = await import('../../plugin/index.js');
  const { readAdapter } = await import('../../converters/index.js');
  const source = await modelSource(dir, { streamWeights: true });
  return withAdapter(lora, async (directory) => {
    const adapter = directory && (await readAdapter(directory));
    const model = await GrootL.load(source);
    try {
      if (adapter) await model.attach(adapter);
      return model;
    } catch (error) {
      model.dispose();
      throw error;
    }
  });
}
