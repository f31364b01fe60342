/** The model of a run, which every worker must have. */
import { identifyModel, type ModelIdentity } from '../model_digest.js';
import type { Run } from './run.js';

/** Characters of a digest in a message. */
const SHOWN = 12;

export class RunModel {
  private constructor(
    private readonly run: Pick<Run, 'name' | 'spec'>,
    private readonly model: string,
    private identity: ModelIdentity,
  ) {}

  /**
   * @param model where this worker has it
   * @throws {Error} one line, if it differs from the model that the run was added with
   */
  static async verify(run: Pick<Run, 'name' | 'spec'>, model: string): Promise<RunModel> {
    const identity = await identifyModel(model);
    const { digest } = run.spec;
    if (identity.digest === digest) return new RunModel(run, model, identity);
    throw new Error(
      `the model ${model} is not that of the run '${run.name}': its SHA-256 is ${shown(identity.digest)}, ` +
        `expected ${shown(digest)} of ${run.spec.model}`,
    );
  }

  /** @throws {Error} one line, if its files have changed since */
  async check(): Promise<void> {
    if (await this.identity.isUntouched()) return;
    const { digest } = this.run.spec;
    const now = await identifyModel(this.model).catch((error: Error) => error);
    if (!(now instanceof Error) && now.digest === digest) {
      this.identity = now;
      return;
    }
    const found = now instanceof Error ? now.message : `its SHA-256 is ${shown(now.digest)}`;
    throw new Error(
      `the model ${this.model} was changed while the run '${this.run.name}' was worked on (${found}, expected ` +
        `${shown(digest)}): the batches that were begun are given back; restore the model, or begin a run of the new one`,
    );
  }
}

function shown(digest: string): string {
  return `${digest.slice(0, SHOWN)}...`;
}
