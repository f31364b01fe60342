/** Two trees side by side, the expected and the actual one, with the edges marked that only one of them has. */
import type { TreePair } from '../judgement.js';
import { escapeHtml } from './html_text.js';

const SIZE = 340;
const MARGIN = 14;

type Point = readonly [number, number];

export function drawTrees(pair: TreePair): string {
  const key = ([u, v]: readonly [number, number]) => `${Math.min(u, v)}-${Math.max(u, v)}`;
  const [expected, given] = [new Set(pair.expected.map(key)), new Set(pair.given.map(key))];
  const points = pair.width ? gridPoints(pair.numVertices, pair.width) : layeredPoints(pair);
  const scale = fit(points);
  const draw = (edges: TreePair['expected'], other: ReadonlySet<string>, style: string) => {
    const differs = (edge: readonly [number, number]) => !other.has(key(edge));
    // Marked edges last, so that they are on top.
    const sorted = [...edges].sort((a, b) => Number(differs(a)) - Number(differs(b)));
    const lines = sorted.map(([u, v]) => {
      const [[x1, y1], [x2, y2]] = [scale(points[u]), scale(points[v])];
      const marked = differs([u, v]);
      return (
        `<line class="${marked ? style : 'common'}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}">` +
        `<title>${u} – ${v}${marked ? ', only here' : ''}</title></line>`
      );
    });
    const radius = Math.max(1.2, Math.min(4, 60 / Math.sqrt(pair.numVertices)));
    const dots = points.map((point, v) => {
      const [x, y] = scale(point);
      return `<circle class="${v === 0 ? 'first' : 'vertex'}" cx="${x}" cy="${y}" r="${(v === 0 ? 1.5 : 0.6) * radius}"/>`;
    });
    return `<svg class="tree" viewBox="0 0 ${SIZE} ${SIZE}" role="img">${lines.join('')}${dots.join('')}</svg>`;
  };
  const only = (mine: ReadonlySet<string>, other: ReadonlySet<string>) =>
    [...mine].filter((edge) => !other.has(edge)).length;
  return (
    `<div class="trees"><figure>${draw(pair.expected, given, 'missing')}<figcaption>reference: ` +
    `<span class="swatch missing"></span>${only(expected, given)} edges only here</figcaption></figure>` +
    `<figure>${draw(pair.given, expected, 'extra')}<figcaption>${escapeHtml(pair.caption)}: ` +
    `<span class="swatch extra"></span>${only(given, expected)} edges only here</figcaption></figure></div>`
  );
}

function gridPoints(numVertices: number, width: number): Point[] {
  return Array.from({ length: numVertices }, (_, v) => [v % width, Math.floor(v / width)]);
}

/** Levels of the reference from vertex 0, from top to bottom. */
function layeredPoints({ numVertices, expected }: TreePair): Point[] {
  const neighbours = Array.from({ length: numVertices }, () => [] as number[]);
  for (const [u, v] of expected) {
    neighbours[u].push(v);
    neighbours[v].push(u);
  }
  const points: Point[] = Array.from({ length: numVertices }, () => [0, 0]);
  const seen = new Set([0]);
  for (let level = [0], y = 0; level.length > 0; y++) {
    const next: number[] = [];
    level.forEach((v, i) => {
      points[v] = [(i + 0.5) / level.length, y];
      for (const u of neighbours[v]) {
        if (seen.has(u)) continue;
        seen.add(u);
        next.push(u);
      }
    });
    level = next;
  }
  return points;
}

/** Maps points to the drawing; each axis is scaled separately unless the points are a grid. */
function fit(points: readonly Point[]): (point: Point) => Point {
  const axis = (i: 0 | 1) => {
    const values = points.map((point) => point[i]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const span = high - low || 1;
    return (value: number) => Number((MARGIN + ((value - low) / span) * (SIZE - 2 * MARGIN)).toFixed(1));
  };
  const [x, y] = [axis(0), axis(1)];
  return ([a, b]) => [x(a), y(b)];
}
