/** Reads COCO annotation files (`instances_val2017.json` and similar). They are untrusted: everything in them is checked. */
import { checkPolygon, encodePolygons } from '../image/fill_polygons.js';
import { type RunLengths, runsOfOnes } from '../image/mask.js';
import { MAX_INPUT_PIXELS } from '../image/rgb_image.js';
import { parseBoundedJson } from '../models/bounded_json.js';
import {
  type Check,
  integer,
  listOf,
  number,
  oneOf,
  optional,
  record,
  refuse,
  text,
} from '../models/checks.js';
import type { CocoAnnotation } from './coco_matching.js';

/** More than any dataset has. */
const MOST = {
  images: 2 ** 22,
  categories: 2 ** 16,
  annotations: 2 ** 24,
  polygons: 2 ** 16,
  numbers: 2 ** 20,
};

export interface CocoCategory {
  readonly id: number;
  readonly name: string;
}

/** An image and its annotated objects. */
export interface CocoImage {
  readonly id: number;
  /** Relative to the folder of the images. */
  readonly fileName: string;
  readonly width: number;
  readonly height: number;
  /** Polygons are rasterised on each call, because the masks of all images together need much memory. */
  annotations(): CocoAnnotation[];
}

export interface CocoDataset {
  /** By ascending id, as are images: pycocotools' order. */
  readonly categories: readonly CocoCategory[];
  readonly images: readonly CocoImage[];
  /** Objects in all images, including crowds. */
  readonly annotations: number;
  /** Number of objects with a segmentation. */
  readonly masks: number;
}

type Segmentation = RunLengths | readonly (readonly number[])[];

/** As stored in the file. */
interface StoredAnnotation {
  readonly image_id: number;
  readonly category_id: number;
  readonly bbox: readonly [number, number, number, number];
  readonly area?: number;
  readonly iscrowd?: 0 | 1;
  readonly segmentation?: Segmentation;
}

interface StoredImage {
  readonly id: number;
  readonly file_name: string;
  readonly width: number;
  readonly height: number;
}

const SIDE = integer(1, 65_535);
const COORDINATE = number(-(2 ** 24), 2 ** 24);
const LENGTH = number(0, 2 ** 24);

const box: Check = (value, name) => {
  listOf(COORDINATE, 4, 4)(value, name);
  for (const i of [2, 3]) LENGTH((value as number[])[i], `${name}[${i}]`);
};

/** A relative path that does not leave the folder, so that an untrusted list opens only images of the folder. */
const insideFolder: Check = (value, name) => {
  text(4096)(value, name);
  const parts = (value as string).split(/[/\\]/);
  const leadsOut = parts.includes('..') || parts[0] === '' || /^[a-z]:/i.test(parts[0]);
  if (leadsOut || (value as string).includes('\0')) {
    refuse(value, name, 'a file below the folder of the images');
  }
};

const FILE = record({
  images: listOf(
    record({ id: integer(0), file_name: insideFolder, width: SIDE, height: SIDE }),
    0,
    MOST.images,
  ),
  categories: listOf(record({ id: integer(0), name: text(1000) }), 0, MOST.categories),
  annotations: listOf(
    record({
      image_id: integer(0),
      category_id: integer(0),
      bbox: box,
      area: optional(number(0, 2 ** 32)),
      iscrowd: optional(oneOf(0, 1)),
    }),
    0,
    MOST.annotations,
  ),
});

/**
 * Reads and checks an annotation file; polygons are rasterised on demand.
 * @param name of the file, for errors
 * @throws {Error} one line that names the file and the position in it: not an annotation file, a duplicate id, an unknown
 *   image or category, an invalid box, polygon or run-length encoding, run lengths for another size than the image's, no
 *   objects.
 */
export function readCocoAnnotations(name: string, content: string): CocoDataset {
  const file = parseBoundedJson(content, name);
  FILE(file, name);
  const { images, categories, annotations } = file as {
    images: StoredImage[];
    categories: CocoCategory[];
    annotations: StoredAnnotation[];
  };
  const imagesById = byId(`${name}: images`, images);
  const categoriesById = byId(`${name}: categories`, categories);
  const objects = new Map<number, StoredAnnotation[]>(images.map(({ id }) => [id, []]));
  let masks = 0;
  for (const [i, annotation] of annotations.entries()) {
    const { image_id, category_id, segmentation } = annotation;
    const place = `${name}: annotations[${i}]`;
    const image = imagesById.get(image_id);
    if (!image) throw new Error(`${place} is of the image ${image_id}, which is not among the images`);
    if (!categoriesById.has(category_id)) {
      throw new Error(`${place} is of the category ${category_id}, which is not among the categories`);
    }
    if (hasMask(segmentation)) {
      checkSegmentation(`${place}.segmentation`, segmentation, image);
      masks++;
    }
    objects.get(image_id)?.push(annotation);
  }
  if (annotations.length === 0) throw new Error(`${name}: no annotations, expected at least one object`);
  return {
    categories: [...categories].sort((a, b) => a.id - b.id),
    images: [...images]
      .sort((a, b) => a.id - b.id)
      .map((image) => ({
        id: image.id,
        fileName: image.file_name,
        width: image.width,
        height: image.height,
        annotations: () => (objects.get(image.id) ?? []).map((each) => withRunLengths(each, image)),
      })),
    annotations: annotations.length,
    masks,
  };
}

function byId<Item extends { readonly id: number }>(list: string, items: readonly Item[]): Map<number, Item> {
  const found = new Map<number, Item>();
  for (const item of items) {
    if (found.has(item.id)) throw new Error(`${list}: the id ${item.id} occurs twice`);
    found.set(item.id, item);
  }
  return found;
}

/** Tools write an empty list for objects that only have a box. */
function hasMask(segmentation: unknown): boolean {
  const isEmpty = Array.isArray(segmentation) && segmentation.length === 0;
  return segmentation !== undefined && segmentation !== null && !isEmpty;
}

function checkSegmentation(place: string, value: unknown, { width, height }: StoredImage): void {
  try {
    if (Array.isArray(value)) {
      listOf(listOf(COORDINATE, 0, MOST.numbers), 1, MOST.polygons)(value, 'it');
      for (const polygon of value) checkPolygon(polygon, { width, height });
      return;
    }
    record({ size: listOf(SIDE, 2, 2), counts: countsOf(width * height) })(value, 'it');
    const { size } = value as RunLengths;
    if (size[0] !== height || size[1] !== width) {
      throw new Error(`run lengths of [${size}] pixels, the image has [${height},${width}]`);
    }
    runsOfOnes(value as RunLengths);
  } catch (error) {
    throw new Error(`${place}: ${(error as Error).message}`);
  }
}

/** Run lengths as numbers, or compressed to text. */
function countsOf(pixels: number): Check {
  const most = 2 * Math.min(pixels, MAX_INPUT_PIXELS) + 1;
  return (value, name) => {
    if (typeof value === 'string') text(7 * most)(value, name);
    else listOf(integer(0), 0, most)(value, name);
  };
}

function withRunLengths(annotation: StoredAnnotation, image: StoredImage): CocoAnnotation {
  const { image_id, category_id, bbox, area, iscrowd, segmentation } = annotation;
  const given = { image_id, category_id, bbox, area, iscrowd };
  if (!segmentation || !hasMask(segmentation)) return given;
  return {
    ...given,
    segmentation: isPolygons(segmentation) ? encodePolygons(segmentation, image) : segmentation,
  };
}

function isPolygons(segmentation: Segmentation): segmentation is readonly (readonly number[])[] {
  return Array.isArray(segmentation);
}
