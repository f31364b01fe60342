/**
 * The float64 operations that the cosine needs, in integers: WGSL has no float64, and guarantees neither the last bits of
 * roots and quotients nor denormals. A double is its 53 bits as vec2(low, high) and an exponent; all here are positive and
 * normal.
 */
export const FLOAT64 = `
struct Double { bits: vec2<u32>, exponent: i32 } // bits * 2^exponent

fn doubled(a: vec2<u32>) -> vec2<u32> { return vec2(a.x << 1, (a.y << 1) | (a.x >> 31)); }
fn isLess(a: vec2<u32>, b: vec2<u32>) -> bool { return a.y < b.y || (a.y == b.y && a.x < b.x); }
fn minus(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return vec2(a.x - b.x, a.y - b.y - u32(a.x < b.x)); }
fn plusOne(a: vec2<u32>) -> vec2<u32> { return vec2(a.x + 1, a.y + u32(a.x == 0xffffffff)); }
fn isZero(a: vec2<u32>) -> bool { return (a.x | a.y) == 0; }
fn shiftedRight(a: vec2<u32>, by: u32) -> vec2<u32> {
  if (by == 0) { return a; }
  if (by >= 32) { return vec2(a.y >> (by - 32), 0); }
  return vec2((a.x >> by) | (a.y << (32 - by)), a.y >> by);
}
/** To the nearest, of two the even one. by is from 1 to 63. */
fn roundedRight(a: vec2<u32>, by: u32, hasRemainder: bool) -> vec2<u32> {
  let kept = shiftedRight(a, by);
  let half = shiftedRight(a, by - 1).x & 1;
  let isAbove = hasRemainder || any(minus(a, shiftedLeft(shiftedRight(a, by - 1), by - 1)) != vec2(0u));
  if (half == 1 && (isAbove || (kept.x & 1) == 1)) { return plusOne(kept); }
  return kept;
}
fn shiftedLeft(a: vec2<u32>, by: u32) -> vec2<u32> {
  if (by == 0) { return a; }
  if (by >= 32) { return vec2(0, a.x << (by - 32)); }
  return vec2(a.x << by, (a.y << by) | (a.x >> (32 - by)));
}
fn wideProduct(a: u32, b: u32) -> vec2<u32> {
  let low = (a & 0xffff) * (b & 0xffff);
  let middle = (a >> 16) * (b & 0xffff) + (low >> 16);
  let other = (a & 0xffff) * (b >> 16) + (middle & 0xffff);
  return vec2((low & 0xffff) | (other << 16), (a >> 16) * (b >> 16) + (middle >> 16) + (other >> 16));
}
/** Of a float32 that is positive and finite: 24 bits, and the exponent. */
fn parts(value: u32) -> vec2<i32> {
  let field = value >> 23;
  if (field != 0) { return vec2(i32((value & 0x7fffff) | 0x800000), i32(field) - 150); }
  let up = countLeadingZeros(value) - 8;
  return vec2(i32(value << up), -149 - i32(up));
}

/** The root of a float32, digit by digit to 54 bits; it is never half way between two of 53. */
fn rootOf(value: u32) -> Double {
  let given = parts(value);
  let isOdd = u32(given.y & 1);
  let radicand = u32(given.x) << (2 - isOdd); // 25 or 26 bits, and an even exponent
  let exponent = given.y - 2 + i32(isOdd);
  var rest = vec2(0u);
  var root = vec2(0u);
  for (var i = 0u; i < 54; i++) {
    let digits = select(0, (radicand >> (24 - 2 * min(i, 12))) & 3, i < 13);
    rest = doubled(doubled(rest)) | vec2(digits, 0);
    let trial = doubled(doubled(root)) | vec2(1, 0);
    root = doubled(root);
    if (!isLess(rest, trial)) {
      rest = minus(rest, trial);
      root.x |= 1;
    }
  }
  return Double(shiftedRight(plusOne(root), 1), exponent / 2 - 40);
}

fn largerOf(a: Double, b: Double) -> Double {
  if (a.exponent != b.exponent) { if (a.exponent < b.exponent) { return b; } return a; }
  if (isLess(a.bits, b.bits)) { return b; }
  return a;
}

fn productOf(a: Double, b: Double) -> Double {
  let low = wideProduct(a.bits.x, b.bits.x);
  let first = wideProduct(a.bits.x, b.bits.y);
  let second = wideProduct(a.bits.y, b.bits.x);
  let high = wideProduct(a.bits.y, b.bits.y);
  // 106 bits in four words.
  var word1 = low.y + first.x;
  var carry = u32(word1 < first.x);
  word1 += second.x;
  carry += u32(word1 < second.x);
  var word2 = first.y + second.y; // 21 bits each
  word2 += carry;
  let sum2 = word2 + high.x;
  let word3 = high.y + u32(sum2 < high.x);
  word2 = sum2;
  let shift = select(52u, 53u, (word3 >> 9) != 0);
  // The upper 64 bits below 2^106, and whether anything is left below them.
  let upper = vec2((word1 >> 10) | (word2 << 22), (word2 >> 10) | (word3 << 22));
  let hasRemainder = low.x != 0 || (word1 & 0x3ff) != 0;
  let bits = roundedRight(upper, shift - 42, hasRemainder);
  return normalized(bits, a.exponent + b.exponent + i32(shift));
}

/** After rounding up to 2^53. */
fn normalized(bits: vec2<u32>, exponent: i32) -> Double {
  if ((bits.y >> 21) != 0) { return Double(vec2(0, 1u << 20), exponent + 1); }
  return Double(bits, exponent);
}

/** The quotient of a float32 and a double, rounded to a double and that to a float32: its bits. */
fn quotientOf(dividend: u32, divisor: Double) -> u32 {
  let given = parts(dividend);
  var rest = shiftedLeft(vec2(u32(given.x), 0), 29);
  var exponent = given.y - 29 - divisor.exponent;
  if (isLess(rest, divisor.bits)) {
    rest = doubled(rest);
    exponent -= 1;
  }
  var quotient = vec2(0u);
  for (var i = 0; i < 54; i++) {
    quotient = doubled(quotient);
    if (!isLess(rest, divisor.bits)) {
      rest = minus(rest, divisor.bits);
      quotient.x |= 1;
    }
    rest = doubled(rest);
  }
  let rounded = normalized(roundedRight(quotient, 1, !isZero(rest)), exponent);
  exponent = rounded.exponent; // of the first bit
  if (exponent > 127) { return 0x7f800000; }
  let lost = 29 + max(0, -126 - exponent);
  if (lost > 53) { return 0; }
  let bits = roundedRight(rounded.bits, u32(lost), false).x;
  if (exponent < -126) { return bits; }
  return (u32(exponent + 126) << 23) + bits; // the first bit adds one to the exponent
}
`;
