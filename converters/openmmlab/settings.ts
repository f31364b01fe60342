/**
 * Settings of a segmenter or detector that its weights do not determine: resizing, class names, thresholds. Options of the
 * conversion take precedence over the checkpoint, and the checkpoint over the defaults of the libraries.
 */
import {
  type Check,
  integer,
  listOf,
  nullable,
  number,
  problemOf,
  text,
} from '../../plugin/models/checks.js';
import { type Colour, type DensePreprocessing, SIDE } from '../../plugin/models/dense_metadata.js';
import type { ModelSettings, Setting } from '../architectures/architecture.js';
import { ArchitectureError } from '../errors.js';
import type { Checkpoint } from '../pytorch/checkpoint.js';
import type { DenseOptions } from './dense_options.js';
import { TrainingConfig } from './training_config.js';

/** Settings of any dense prediction model. */
export interface DenseSettings extends ModelSettings {
  readonly preprocessing: DensePreprocessing;
  readonly classNames: readonly string[] | null;
  readonly palette: readonly Colour[] | null;
}

/** Mean of ImageNet's training images, RGB, 0..255. */
const MEAN = [123.675, 116.28, 103.53];
const DEVIATION = [58.395, 57.12, 57.375];

const NAMES = listOf(text(1000), 0, 1_000_000);
const COLOURS = listOf(listOf(integer(0, 255), 3, 3), 0, 1_000_000);
const MULTIPLE = integer(1, 1024);
/** For values 0..255. */
const MEANS = listOf(number(-1000, 1000), 3, 3);
const DEVIATIONS = listOf(number(1e-3, 1000), 3, 3);
export const PAIR = listOf(SIDE, 2, 2);

/** @throws {ArchitectureError} for options that do not apply to this kind of model */
export function refuseOptions<Options extends object>(
  options: Options,
  names: readonly (keyof Options & string)[],
  isFor: string,
): void {
  const given = names.find((name) => options[name] !== undefined);
  if (given !== undefined) throw new ArchitectureError(`${given} was given, which is for ${isFor}`);
}

/** Chooses values and records the source of each. */
export class SettingsReader {
  readonly report: Setting[] = [];
  readonly config: TrainingConfig;

  constructor(checkpoint: Checkpoint) {
    this.config = new TrainingConfig(checkpoint);
  }

  /**
   * @param option given by the caller
   * @param stored in the checkpoint; undefined if missing
   * @throws {ArchitectureError} if an option is out of bounds; an out-of-bounds value in a checkpoint gives way to the default
   */
  choose<T>(
    name: string,
    check: Check,
    option: T | undefined,
    stored: unknown,
    usual: T,
    where = this.config.where,
  ): T {
    if (option !== undefined) {
      const problem = problemOf(check, option, name);
      if (problem !== undefined) throw new ArchitectureError(problem);
      this.report.push({ name, value: option, from: 'options' });
      return option;
    }
    const problem = stored === undefined ? undefined : problemOf(check, stored, `${where}: ${name}`);
    if (stored !== undefined && problem === undefined) {
      this.report.push({ name, value: stored, from: 'checkpoint' });
      return stored as T;
    }
    const note = problem ?? this.config.problem;
    const why = note === undefined ? {} : { note: problem ?? `${where}: ${note}` };
    this.report.push({ name, value: usual, from: 'default', ...why });
    return usual;
  }

  /** Records a setting in the checkpoint that the model does not support. */
  note(name: string, value: unknown, note: string): void {
    this.report.push({ name, value, from: 'default', note: `${this.config.where}: ${note}` });
  }

  /** Preprocessing of images. @throws {ArchitectureError} for images that are not RGB */
  preprocessing(
    options: DenseOptions,
    usual: { scale: readonly [number, number]; padTo: number },
  ): DensePreprocessing {
    const { config } = this;
    const toRgb = config.transform(/^Normalize$/, 'to_rgb') ?? config.preprocessor('bgr_to_rgb');
    if (toRgb === false) {
      throw new ArchitectureError(
        `${config.where}: the model takes images in the order BGR (to_rgb is False), expected RGB`,
      );
    }
    if (config.transform(/^Resize$/, 'keep_ratio') === false) {
      this.note('keepRatio', true, 'keep_ratio is False, and images are resized with their ratio kept');
    }
    const resizes = config.hasTransform(ALIGNING);
    const scale = pairOf(config.transform(/^(Resize|MultiScaleFlipAug|AlignResize)$/, 'img_scale', 'scale'));
    const mean = this.choose('mean', MEANS, undefined, this.normalization('mean'), MEAN);
    const deviation = this.choose('deviation', DEVIATIONS, undefined, this.normalization('std'), DEVIATION);
    return {
      scale: this.choose('scale', PAIR, options.scale, scale, usual.scale),
      keepRatio: true,
      resampling: 'opencv-bilinear',
      channels: 'RGB',
      range: [0, 255],
      mean: mean.map((value) => value / 255),
      deviation: deviation.map((value) => value / 255),
      multipleOf: this.choose(
        'multipleOf',
        nullable(MULTIPLE),
        options.multipleOf,
        resizes ? (config.transform(ALIGNING, 'size_divisor') ?? 32) : undefined,
        null,
      ),
      padTo: this.choose('padTo', MULTIPLE, options.padTo, this.padding(), usual.padTo),
    };
  }

  /**
   * Class names and their colours. @throws {ArchitectureError} if the given number differs from the number of the model's classes
   */
  classes(
    classes: number,
    given: { readonly classNames?: readonly string[]; readonly palette?: readonly Colour[] },
  ): Pick<DenseSettings, 'classNames' | 'palette'> {
    if (given.classNames && given.classNames.length !== classes) {
      throw new ArchitectureError(
        `${given.classNames.length} class names were given, the model has ${classes} classes`,
      );
    }
    const { classNames, palette } = this.config;
    const each =
      (items: Check, what: string): Check =>
      (value, name) => {
        items(value, name);
        const { length } = value as unknown[];
        if (length !== classes)
          throw new Error(`${name} has ${length} ${what}, expected one for each of ${classes} classes`);
      };
    return {
      classNames: this.choose<readonly string[] | null>(
        'classNames',
        each(NAMES, 'names'),
        given.classNames,
        classNames?.value,
        null,
        classNames?.where,
      ),
      palette: this.choose<readonly Colour[] | null>(
        'palette',
        each(COLOURS, 'colours'),
        given.palette,
        palette?.value,
        null,
        palette?.where,
      ),
    };
  }

  private normalization(name: 'mean' | 'std'): unknown {
    return this.config.transform(/^Normalize$/, name) ?? this.config.preprocessor(name);
  }

  private padding(): unknown {
    const { config } = this;
    return (
      config.transform(/^Pad$/, 'size_divisor') ??
      config.preprocessor('test_cfg', 'size_divisor') ??
      config.preprocessor('pad_size_divisor')
    );
  }
}

/** Transforms that resize to multiples of `size_divisor`. */
const ALIGNING = /^(ResizeToMultiple|AlignResize|AlignedResize)$/;

/** The long side first; the first if there are several pairs. */
function pairOf(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  if (Array.isArray(value[0])) return pairOf(value[0]);
  return value.length === 2 && value.every((side) => typeof side === 'number')
    ? [Math.max(...value), Math.min(...value)]
    : value;
}
