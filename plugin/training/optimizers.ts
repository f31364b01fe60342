/** PyTorch optimisers that tfjs lacks or implements differently. */
import {
  dispose,
  engine,
  keep,
  type NamedTensorMap,
  Optimizer,
  type Tensor,
  tidy,
  type Variable,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { options as checkOptions, number } from '../models/checks.js';
import { runOp } from '../ops/kernels.js';
import { AdamWStep, MomentumStep } from '../ops/optimizer_steps.js';
import { parameterName } from './parameter_names.js';
import { type Selection, selects } from './selection.js';

/** Parameters with other settings; the first group that matches a parameter applies. */
export interface ParameterGroup {
  readonly parameters: Selection;
  /** Factor of the learning rate; default 1. */
  readonly learningRate?: number;
  /** Replaces the optimiser's weight decay. */
  readonly weightDecay?: number;
}

/** Named tensors as in tfjs's optimisers. */
interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

/** Options that {@link AdamW} and {@link Momentum} share. */
export interface DecayOptions {
  readonly learningRate: number;
  /** Default 0. */
  readonly weightDecay?: number;
  /** Which parameters decay, by PyTorch name; default all. See {@link decayedParameters}. */
  readonly decays?: (name: string) => boolean;
  readonly groups?: readonly ParameterGroup[];
}

const POSITIVE = number(0, Number.MAX_VALUE);
const FRACTION = number(0, 1);

/** Settings of one parameter's update in one step. */
interface Update {
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** An optimiser with parameter groups, whose state is keyed by PyTorch parameter name. */
abstract class GroupedOptimizer extends Optimizer {
  /** May be set before every step. */
  learningRate: number;
  /** Number of updates so far. */
  protected steps = 0;
  private readonly weightDecay: number;
  private readonly decays: (name: string) => boolean;
  private readonly groups: readonly ParameterGroup[];
  /** State of each parameter, in the order of the slots. */
  private readonly state = new Map<string, readonly Tensor[]>();

  constructor(
    protected readonly slots: readonly string[],
    { learningRate, weightDecay = 0, decays = () => true, groups = [] }: DecayOptions,
  ) {
    super();
    this.learningRate = learningRate;
    this.weightDecay = weightDecay;
    this.decays = decays;
    this.groups = groups;
  }

  /** @param gradients by variable name, as returned by `Trainable.gradients` and tf.variableGrads */
  applyGradients(gradients: NamedTensorMap | NamedTensor[]): void {
    const list = Array.isArray(gradients)
      ? gradients
      : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
    const variables = engine().registeredVariables;
    this.steps++;
    tidy(() => {
      for (const { name, tensor } of list) {
        if (!tensor) continue; // not on the path to the loss
        const variable = variables[name];
        if (!variable)
          throw new Error(`${this.getClassName()}: there is no variable ${name} for a gradient of this name`);
        this.applyTo(variable, tensor);
      }
    });
    this.incrementIterations();
  }

  private applyTo(variable: Variable, gradient: Tensor): void {
    const parameter = parameterName(variable);
    const before = this.state.get(parameter) ?? [];
    const [value, ...after] = this.update(variable, gradient, before, this.updateOf(parameter));
    variable.assign(value);
    dispose(before as Tensor[]);
    this.state.set(
      parameter,
      this.slots.map((_, i) => keep(after[i])),
    );
  }

  /**
   * Returns the new value of a variable, and its new state, which may have more tensors than there are slots.
   * @param state empty at the first update
   */
  protected abstract update(
    value: Variable,
    gradient: Tensor,
    state: readonly Tensor[],
    update: Update,
  ): readonly Tensor[];

  private updateOf(parameter: string): Update {
    const group = this.groups.find(({ parameters }) => selects(parameters, parameter));
    const weightDecay = group?.weightDecay ?? this.weightDecay;
    return {
      learningRate: this.learningRate * (group?.learningRate ?? 1),
      weightDecay: this.decays(parameter) ? weightDecay : 0,
    };
  }

  /** Returns the state by parameter name, preceded by the number of updates. */
  override async getWeights(): Promise<NamedTensor[]> {
    const state = [...this.state].flatMap(([parameter, tensors]) =>
      tensors.map((tensor, i) => ({ name: `${parameter}/${this.slots[i]}`, tensor })),
    );
    return [await this.saveIterations(), ...state];
  }

  /** Continues from the result of {@link getWeights}. The tensors remain owned by the caller. */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    const state = await this.extractIterations(weights);
    this.steps = this.iterations;
    this.forget();
    const byName = new Map(state.map(({ name, tensor }) => [name, tensor]));
    for (const name of byName.keys()) {
      const parameter = name.slice(0, name.lastIndexOf('/'));
      if (this.state.has(parameter)) continue;
      const tensors = this.slots.map((slot) => byName.get(`${parameter}/${slot}`));
      if (!tensors.every((tensor) => tensor !== undefined)) {
        throw new Error(
          `${this.getClassName()}: the state of ${parameter} is not whole, expected ${this.slots.join(' and ')}`,
        );
      }
      this.state.set(
        parameter,
        tidy(() => tensors.map((tensor) => keep((tensor as Tensor).clone()))),
      );
    }
  }

  /** Frees the state. */
  override dispose(): void {
    super.dispose();
    this.forget();
  }

  private forget(): void {
    dispose([...this.state.values()].flat());
    this.state.clear();
  }
}

export interface AdamWOptions extends DecayOptions {
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999. */
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly epsilon?: number;
}

/** Adam with decoupled weight decay (I. Loshchilov and F. Hutter, 2019), like torch.optim.AdamW. */
export class AdamW extends GroupedOptimizer {
  static readonly className = 'AdamW';
  private readonly beta1: number;
  private readonly beta2: number;
  private readonly epsilon: number;

  constructor(options: AdamWOptions) {
    checkOptions(options, 'AdamW', {
      learningRate: POSITIVE,
      beta1: FRACTION,
      beta2: FRACTION,
      epsilon: POSITIVE,
      weightDecay: POSITIVE,
    });
    super(['m', 'v'], options);
    this.beta1 = options.beta1 ?? 0.9;
    this.beta2 = options.beta2 ?? 0.999;
    this.epsilon = options.epsilon ?? 1e-8;
  }

  protected update(
    value: Variable,
    gradient: Tensor,
    [m = zerosLike(gradient), v = zerosLike(gradient)]: readonly Tensor[],
    { learningRate, weightDecay }: Update,
  ): readonly Tensor[] {
    const { beta1, beta2, epsilon, steps } = this;
    return runOp(
      AdamWStep,
      { value, gradient, m, v },
      {
        beta1,
        beta2,
        epsilon,
        keep: 1 - learningRate * weightDecay,
        rate: learningRate / (1 - beta1 ** steps),
        correction: 1 / Math.sqrt(1 - beta2 ** steps),
      },
    );
  }

  getConfig() {
    const { learningRate, beta1, beta2, epsilon } = this;
    return { learningRate, beta1, beta2, epsilon };
  }
}

export interface MomentumOptions extends DecayOptions {
  /** Default 0: none. */
  readonly momentum?: number;
  /** Default false. */
  readonly nesterov?: boolean;
}

/** Stochastic gradient descent like torch.optim.SGD: weight decay is added to the gradient. */
export class Momentum extends GroupedOptimizer {
  static readonly className = 'MomentumSGD';
  private readonly momentum: number;
  private readonly nesterov: boolean;

  constructor(options: MomentumOptions) {
    checkOptions(options, 'Momentum', { learningRate: POSITIVE, momentum: FRACTION, weightDecay: POSITIVE });
    super(options.momentum ? ['velocity'] : [], options);
    this.momentum = options.momentum ?? 0;
    this.nesterov = options.nesterov ?? false;
  }

  protected update(
    value: Variable,
    gradient: Tensor,
    [velocity]: readonly Tensor[],
    { learningRate, weightDecay }: Update,
  ): readonly Tensor[] {
    const { momentum, nesterov } = this;
    return runOp(
      MomentumStep,
      { value, gradient, velocity },
      { momentum, nesterov, decay: weightDecay, rate: learningRate },
    );
  }

  getConfig() {
    const { learningRate, momentum, nesterov } = this;
    return { learningRate, momentum, nesterov };
  }
}
