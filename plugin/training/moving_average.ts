/** The exponential moving average of what is trained, running statistics too. */
import { add, dispose, keep, mul, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { number } from '../models/checks.js';
import type { Trainable } from './trainable.js';

export class MovingAverage {
  private readonly averages: Map<string, Tensor>;
  private isSwapped = false;

  /** Starts at the values that the parameters have now. @param decay from 0 to 1, such as 0.9999 */
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

  /** Exchanges the averages with the values of the model: to evaluate or save them, and back again. */
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

  /** The averages by the names of parameters in PyTorch. They stay this object's. */
  tensors(): Record<string, Tensor> {
    return Object.fromEntries(this.averages);
  }

  /** Continues from what {@link tensors} gave. The tensors stay the caller's. */
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
