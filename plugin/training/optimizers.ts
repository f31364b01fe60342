/** Optimisers of PyTorch that tfjs lacks, or does otherwise. */
import {
  add,
  dispose,
  engine,
  keep,
  mul,
  type NamedTensorMap,
  Optimizer,
  sub,
  type Tensor,
  tidy,
  type Variable,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { options as checkOptions, number } from '../models/checks.js';
import { runOp } from '../ops/kernels.js';
import { AdamWStep } from '../ops/optimizer_steps.js';
import { parameterName } from './parameter_names.js';
import { type Selection, selects } from './selection.js';

/** Parameters that are updated in another way; the first group that names a parameter counts. */
export interface ParameterGroup {
  readonly parameters: Selection;
  /** What the learning rate is multiplied by; default 1. */
  readonly learningRate?: number;
  /** In place of the optimiser's. */
  readonly weightDecay?: number;
}

/** As tfjs's optimisers take and give them. */
interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

/** What {@link AdamW} and {@link Momentum} have in common. */
export interface DecayOptions {
  readonly learningRate: number;
  /** Default 0. */
  readonly weightDecay?: number;
  /** Which parameters decay, by their names in PyTorch; default all. See {@link decayedParameters}. */
  readonly decays?: (name: string) => boolean;
  readonly groups?: readonly ParameterGroup[];
}

const POSITIVE = number(0, Number.MAX_VALUE);
const FRACTION = number(0, 1);

/** How one parameter is updated at one step. */
interface Update {
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** An optimiser with parameter groups, whose state is known by the names of parameters in PyTorch. */
abstract class GroupedOptimizer extends Optimizer {
  /** May be set before every step. */
  learningRate: number;
  /** Updates so far. */
  protected steps = 0;
  private readonly weightDecay: number;
  private readonly decays: (name: string) => boolean;
  private readonly groups: readonly ParameterGroup[];
  /** By parameter and slot: `levels.0.norm.0.bias/m`. */
  private readonly state = new Map<string, Tensor>();

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

  /** @param gradients by the names of variables, as `Trainable.gradients` and tf.variableGrads give them */
  applyGradients(gradients: NamedTensorMap | NamedTensor[]): void {
    const list = Array.isArray(gradients)
      ? gradients
      : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
    const variables = engine().registeredVariables;
    this.steps++;
    for (const { name, tensor } of list) {
      if (!tensor) continue; // not in the path to the loss
      const variable = variables[name];
      if (!variable)
        throw new Error(`${this.getClassName()}: there is no variable ${name} for a gradient of this name`);
      tidy(() => {
        const parameter = parameterName(variable);
        const before = this.slots.map((slot) => this.state.get(`${parameter}/${slot}`));
        const { value, state } = this.update(variable, tensor, before, this.updateOf(parameter));
        variable.assign(value);
        this.slots.forEach((slot, i) => {
          before[i]?.dispose();
          this.state.set(`${parameter}/${slot}`, keep(state[i]));
        });
      });
    }
    this.incrementIterations();
  }

  /** The new value of a variable, and what is remembered of it. @param state undefined at its first update */
  protected abstract update(
    value: Variable,
    gradient: Tensor,
    state: readonly (Tensor | undefined)[],
    update: Update,
  ): { readonly value: Tensor; readonly state: readonly Tensor[] };

  private updateOf(parameter: string): Update {
    const group = this.groups.find(({ parameters }) => selects(parameters, parameter));
    const weightDecay = group?.weightDecay ?? this.weightDecay;
    return {
      learningRate: this.learningRate * (group?.learningRate ?? 1),
      weightDecay: this.decays(parameter) ? weightDecay : 0,
    };
  }

  /** What is remembered, by the names of parameters, with the number of updates first. */
  override async getWeights(): Promise<NamedTensor[]> {
    const state = [...this.state].map(([name, tensor]) => ({ name, tensor }));
    return [await this.saveIterations(), ...state];
  }

  /** Continues from what {@link getWeights} gave. The tensors stay the caller's. */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    const state = await this.extractIterations(weights);
    this.steps = this.iterations;
    dispose([...this.state.values()]);
    this.state.clear();
    for (const { name, tensor } of state) this.state.set(name, keep(tidy(() => tensor.clone())));
  }

  /** Frees what is remembered. */
  override dispose(): void {
    super.dispose();
    dispose([...this.state.values()]);
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

/** Adam with decoupled weight decay (I. Loshchilov and F. Hutter, 2019), as torch.optim.AdamW. */
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
    [m = zerosLike(gradient), v = zerosLike(gradient)]: readonly (Tensor | undefined)[],
    { learningRate, weightDecay }: Update,
  ) {
    const { beta1, beta2, epsilon, steps } = this;
    const [updated, mean, variance] = runOp(
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
    return { value: updated, state: [mean, variance] };
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

/** Stochastic gradient descent as torch.optim.SGD: weight decay is added to the gradient. */
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
    [before]: readonly (Tensor | undefined)[],
    { learningRate, weightDecay }: Update,
  ) {
    const { momentum, nesterov } = this;
    const decayed = weightDecay === 0 ? gradient : add(gradient, mul(value, weightDecay));
    if (momentum === 0) return { value: sub(value, mul(decayed, learningRate)), state: [] };
    const velocity = before ? add(mul(before, momentum), decayed) : decayed.clone();
    const step = nesterov ? add(decayed, mul(velocity, momentum)) : velocity;
    return { value: sub(value, mul(step, learningRate)), state: [velocity] };
  }

  getConfig() {
    const { learningRate, momentum, nesterov } = this;
    return { learningRate, momentum, nesterov };
  }
}
