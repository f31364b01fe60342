/** CUDA's short vectors, with its alignments. */
#pragma once

#define DEFINE_VECTORS(type, name, pairAlignment, quadAlignment)              \
  struct __attribute__((aligned(pairAlignment))) name##2 {                    \
    type x, y;                                                                \
  };                                                                          \
  struct name##3 {                                                            \
    type x, y, z;                                                             \
  };                                                                          \
  struct __attribute__((aligned(quadAlignment))) name##4 {                    \
    type x, y, z, w;                                                          \
  };                                                                          \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; }            \
  inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; } \
  inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }

DEFINE_VECTORS(signed char, char, 2, 4)
DEFINE_VECTORS(unsigned char, uchar, 2, 4)
DEFINE_VECTORS(int, int, 8, 16)
DEFINE_VECTORS(unsigned, uint, 8, 16)
DEFINE_VECTORS(float, float, 8, 16)
DEFINE_VECTORS(double, double, 16, 16)
DEFINE_VECTORS(long long, longlong, 16, 16)
DEFINE_VECTORS(unsigned long long, ulonglong, 16, 16)

#undef DEFINE_VECTORS

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
