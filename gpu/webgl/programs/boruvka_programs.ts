import type { PointProgram } from '../point_drawer.js';

/**
 * Converts a weight to two integers in the order of spanning trees: -0 equals +0, NaN comes after +Infinity. The order of
 * the bits is that of the numbers once those of negative numbers are inverted; nothing is computed in floats, because a GPU
 * may flush denormals.
 */
export const WEIGHT_KEYS: PointProgram = {
  variableNames: ['weights'],
  uniforms: [],
  code: `
    int invocation(int point) {
      int bits = floatBitsToInt(texelOf(weights, point).x);
      int magnitude = bits & 0x7fffffff;
      int key = magnitude == 0 ? 0 : bits ^ ((bits >> 31) & 0x7fffffff);
      if (magnitude > 0x7f800000) key = 0x7fffffff;
      value0 = vec4(key >> 16, key & 0xffff, 0, 0);
      return point;
    }
  `,
};

/*
 * The forest of the components, by vertex: (edge by which the vertex was attached, vertex to which it is attached), -1 at
 * the root of a component. Every vertex that is no longer a root has added one edge to the spanning tree.
 */

/**
 * For each component the first edge that leaves it, (edge, component at its other end), at the component's root: one point
 * for each end of an edge, of which the depth test keeps that of the smallest rank. A component without any keeps -1.
 */
export const NEAREST_EDGES: PointProgram = {
  variableNames: ['graph', 'ranks', 'forest'],
  uniforms: ['edges', 'vertices'],
  nearestWins: true,
  code: `
    int rootOf(int batchStart, int vertex) {
      for (int step = 0; step < vertices; step++) {
        int above = int(texelOf(forest, batchStart + vertex).y);
        if (above < 0) break;
        vertex = above;
      }
      return vertex;
    }

    int invocation(int point) {
      int edge = (point / 2) % edges;
      int batch = (point / 2) / edges;
      vec4 ends = texelOf(graph, edge);
      if (point % 2 == 1) ends.xy = ends.yx;
      int component = rootOf(batch * vertices, int(ends.x));
      int beyond = rootOf(batch * vertices, int(ends.y));
      if (component == beyond) return NOWHERE;
      value0.xy = vec2(edge, beyond);
      nearness = texelOf(ranks, batch * edges + edge).x / 16777216.0;
      return batch * vertices + component;
    }
  `,
};

/**
 * Every component is attached to the one at the other end of its edge; if two chose the same edge, only the larger vertex
 * is. Every vertex then climbs up to `steps` further: with the square root of V, no climb of the next round is longer.
 */
export const JOIN_COMPONENTS: PointProgram = {
  variableNames: ['forest', 'nearest'],
  uniforms: ['vertices', 'steps'],
  code: `
    int above(int batchStart, int vertex) {
      int known = int(texelOf(forest, batchStart + vertex).y);
      if (known >= 0) return known;
      vec2 own = texelOf(nearest, batchStart + vertex).xy;
      if (own.x < 0.0) return -1;
      int beyond = int(own.y);
      return texelOf(nearest, batchStart + beyond).x == own.x && vertex < beyond ? -1 : beyond;
    }

    int invocation(int point) {
      int vertex = point % vertices;
      int batchStart = point - vertex;
      float edge = texelOf(forest, point).x;
      int at = above(batchStart, vertex);
      if (edge < 0.0 && at >= 0) edge = texelOf(nearest, point).x;
      for (int step = 0; step < steps && at >= 0; step++) {
        int next = above(batchStart, at);
        if (next < 0) break;
        at = next;
      }
      value0.xy = vec2(edge, at);
      return point;
    }
  `,
};

/** 1 for each edge of the spanning tree. */
export const CHOSEN_EDGES: PointProgram = {
  variableNames: ['forest'],
  uniforms: ['edges', 'vertices'],
  code: `
    int invocation(int point) {
      int edge = int(texelOf(forest, point).x);
      value0.x = 1.0;
      return edge < 0 ? NOWHERE : (point / vertices) * edges + edge;
    }
  `,
};
