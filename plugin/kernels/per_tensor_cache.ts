/**
 * Caches what is computed from a tensor for as long as its backend keeps the tensor's values: packed weights, the tables of
 * a tree. Tensors are immutable, and assigning to a variable replaces its data, so that a value never becomes stale.
 */
import type { KernelBackend, TensorInfo } from '@tensorflow/tfjs-core';

/** What a value is computed from. Tensors of different shapes may share data, so the shape is part of the key. */
type Source = Pick<TensorInfo, 'dataId' | 'shape'>;

interface Entry<Value> {
  readonly sources: readonly Source[];
  readonly name: string;
  readonly value: Value;
}

export class PerTensorCache<Value> {
  /** By the data of each source. */
  private readonly entries = new Map<object, Entry<Value>[]>();

  /** @param free called with a value as soon as `backend` disposes of the values of one of its sources. */
  constructor(
    backend: KernelBackend,
    private readonly free: (value: Value) => void,
  ) {
    onDisposal(backend, (dataId) => this.release(dataId));
  }

  /**
   * Returns the value called `name` of the tensors `sources`, in their shapes; a new one is allocated by `make` and then
   * initialised by `fill`. If either throws, the value is freed and nothing is cached.
   */
  get(sources: readonly Source[], name: string, make: () => Value, fill?: (value: Value) => void): Value {
    const known = this.entryOf(sources, name);
    if (known) return known.value;
    const value = make();
    try {
      fill?.(value);
    } catch (error) {
      this.free(value);
      throw error;
    }
    const entry = {
      sources: sources.map(({ dataId, shape }) => ({ dataId, shape: [...shape] })),
      name,
      value,
    };
    for (const dataId of new Set(sources.map((source) => source.dataId))) {
      const ofTensor = this.entries.get(dataId);
      if (ofTensor) ofTensor.push(entry);
      else this.entries.set(dataId, [entry]);
    }
    return value;
  }

  /** Returns the value called `name` if it exists. */
  find(sources: readonly Source[], name: string): Value | undefined {
    return this.entryOf(sources, name)?.value;
  }

  private entryOf(sources: readonly Source[], name: string): Entry<Value> | undefined {
    return this.entries
      .get(sources[0].dataId)
      ?.find((entry) => entry.name === name && areSame(entry.sources, sources));
  }

  private release(dataId: object): void {
    const gone = this.entries.get(dataId);
    if (!gone) return;
    this.entries.delete(dataId);
    for (const entry of gone) {
      for (const { dataId: other } of entry.sources) {
        const left = this.entries.get(other)?.filter((one) => one !== entry);
        if (left?.length) this.entries.set(other, left);
        else this.entries.delete(other);
      }
      this.free(entry.value);
    }
  }
}

function areSame(some: readonly Source[], others: readonly Source[]): boolean {
  return some.length === others.length && some.every((one, i) => isSame(one, others[i]));
}

function isSame(one: Source, other: Source): boolean {
  return (
    one.dataId === other.dataId &&
    one.shape.length === other.shape.length &&
    one.shape.every((extent, axis) => extent === other.shape[axis])
  );
}

type Listener = (dataId: object) => void;

/** A backend that reports when the values of a tensor are disposed of, as our own do. */
interface TellsDisposal {
  onDispose(listener: Listener): void;
}

/** Registers a callback for when a backend disposes of the values of a tensor. */
export function onDisposal(backend: KernelBackend & Partial<TellsDisposal>, listener: Listener): void {
  if (backend.onDispose) {
    backend.onDispose(listener);
    return;
  }
  // tfjs's backends do not report it, so their one function for it is wrapped.
  const disposeData = backend.disposeData.bind(backend);
  backend.disposeData = (dataId, force) => {
    const gone = disposeData(dataId, force);
    if (gone) listener(dataId);
    return gone;
  };
}
