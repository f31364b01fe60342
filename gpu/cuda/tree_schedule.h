/**
 * The part of a tree in breadth-first order that scans need: computed once by tree_schedule, and kept with the tree.
 */
#pragma once

/** 2 V + 4 numbers per image. The same number is in tree_schedule.ts. */
struct Schedule {
  int levels;
  /** The maximum number of vertices in two consecutive levels. */
  int widest;
  /** [levels + 1] the position at which a level starts; V at the end. */
  const int* starts;
  /** [V + 1] the children of position i have the positions children[i] to children[i + 1] - 1. */
  const int* children;

  __device__ Schedule(const int* schedules, size_t image, int numVertices) {
    const int* const at = schedules + image * (2 * (size_t)numVertices + 4);
    levels = at[0];
    widest = at[1];
    starts = at + 2;
    children = starts + numVertices + 1;
  }
};
