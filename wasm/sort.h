// Stable radix sort by 32-bit keys, lowest digit first.
#pragma once
#include <cstdint>
#include <cstring>

constexpr int DIGIT_BITS = 11;
constexpr int DIGITS = 1 << DIGIT_BITS;

struct Entry {
  uint32_t key;
  int32_t index;
};

// Sorts by one digit, from `from` to `to`.
static void sort_by_digit(const Entry* from, Entry* to, int count, int shift, uint32_t* starts) {
  memset(starts, 0, DIGITS * sizeof(uint32_t));
  for (int i = 0; i < count; i++) starts[(from[i].key >> shift) & (DIGITS - 1)]++;
  uint32_t next = 0;
  for (int digit = 0; digit < DIGITS; digit++) {
    const uint32_t own = starts[digit];
    starts[digit] = next;
    next += own;
  }
  for (int i = 0; i < count; i++) to[starts[(from[i].key >> shift) & (DIGITS - 1)]++] = from[i];
}

// Sorts the entries of `from` ascending by key into `to`; `from` is overwritten. `starts` is scratch memory of DIGITS.
static void sort_by_key(Entry* from, Entry* to, int count, uint32_t* starts) {
  sort_by_digit(from, to, count, 0, starts);
  sort_by_digit(to, from, count, DIGIT_BITS, starts);
  sort_by_digit(from, to, count, 2 * DIGIT_BITS, starts);
}
