/** The exponential moving average of trained parameters and running statistics. */
import { add, dispose, keep, mul, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { number } from '../models/checks.js';
import type { Trainable } from './trainable.js';

export class MovingAverage {
  private readonly averages: Map<string, Tensor>;
  private isSwapped = false;

  /**
   * Starts at the current values of the parameters.
   * @param decay from 0 to 1, such as 0.9999
   */
  constructor(
    private readonly trainable: Pick<Trainable, 'parameters'>,
    readonly decay: number,
  ) {
    number(0, 1)(decay, 'MovingAverage: decay');
    this.averages = new Map(
      [...trainable.parameters].map(([name, { variable }]) => [name, keep(tidy(() => variable.clone()))]),
    );
  }

  /** average = decay * average + (1 - decay) * value */
  update(): void {
    if (this.isSwapped)
      throw new Error('MovingAverage.update: the averages are swapped in; swap() them back first');
    for (const [name, { variable }] of this.trainable.parameters) {
      this.replace(name, (average) => add(mul(average, this.decay), mul(variable, 1 - this.decay)));
    }
  }

  /** Exchanges the averages with the values of the model, to evaluate or save them; call it again to restore. */
  swap(): void {
    this.isSwapped = !this.isSwapped;
    for (const [name, { variable }] of this.trainable.parameters) {
      this.replace(name, (average) => {
        const value = variable.clone();
        variable.assign(average);
        return value;
      });
    }
  }

  /** The averages by PyTorch parameter name. They remain owned by this object. */
  tensors(): Record<string, Tensor> {
    return Object.fromEntries(this.averages);
  }

  /** Continues from the result of {@link MovingAverage.tensors}. The tensors remain owned by the caller. */
  restore(tensors: Readonly<Record<string, Tensor>>): void {
    for (const name of this.averages.keys()) {
      if (!tensors[name]) throw new Error(`MovingAverage.restore: there is no ${name}`);
      this.replace(name, () => tensors[name].clone());
    }
  }

  dispose(): void {
    dispose([...this.averages.values()]);
    this.averages.clear();
  }

  private replace(name: string, value: (average: Tensor) => Tensor): void {
    const average = this.averages.get(name) as Tensor;
    const next = keep(tidy(() => value(average)));
    average.dispose();
    this.averages.set(name, next);
  }
}
