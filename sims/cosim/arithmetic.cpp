// Sweeps one generated arithmetic unit over operands and compares every result with what the C library says: fmaf for the
// multiply-add, + and * of float and a search through all values of the narrow format for the way out.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#if __has_include("Varchmodel_multiply_add.h")
#include "Varchmodel_multiply_add.h"
#define MULTIPLY_ADD
using Unit = Varchmodel_multiply_add;
#else
#include "Varchmodel_requantizer.h"
using Unit = Varchmodel_requantizer;
#endif
#include "verilated.h"

namespace {

struct Format { uint32_t bits, exponent_bits, has_infinity, saturates; };
struct Sweep {
  Format x, y;
  uint64_t x_begin, x_end, x_step;  // every x of these,
  uint64_t y_begin, y_count;    // with so many y, from y_begin on or (y_random) drawn,
  uint64_t y_random;
  const uint32_t* addends;      // with each of these addends
  uint64_t addend_count;
  uint64_t drawn;               // and so many drawn ones
  uint64_t seed;
  uint64_t compared, wrong;     // out; the first wrong one:
  uint32_t at_x, at_y, at_addend, got, wanted;
};

float number(uint32_t bits) { float value; std::memcpy(&value, &bits, 4); return value; }
uint32_t pattern(float value) { uint32_t bits; std::memcpy(&bits, &value, 4); return std::isnan(value) ? 0x7FC00000u : bits; }

struct Random {
  uint64_t state;
  uint64_t next() { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return state * 0x2545F4914F6CDD1Dull >> 16; }
};

// The value of a narrow pattern, by definition: sign, 2^exponent, 1.mantissa or 0.mantissa.
float widened(uint32_t bits, const Format& f) {
  if (f.bits == 32) return number(bits);
  const int digits = f.bits - 1 - f.exponent_bits, bias = (1 << (f.exponent_bits - 1)) - 1;
  const uint32_t mantissa = bits & ((1u << digits) - 1), field = bits >> digits & ((1u << f.exponent_bits) - 1);
  const float sign = bits >> (f.bits - 1) & 1 ? -1.0f : 1.0f;
  if (field + 1 == 1u << f.exponent_bits) {
    if (f.has_infinity) return mantissa ? NAN : sign * INFINITY;
    if (mantissa + 1 == 1u << digits) return NAN;
  }
  const int lead = field ? 1 << digits : 0;
  return sign * std::ldexp(float(lead + int(mantissa)), std::max(int(field), 1) - bias - digits);
}

// Values of a narrow format from zero up to its largest, with the infinity, if any, where the next one would be.
struct Narrow {
  Format f;
  std::vector<double> values;
  explicit Narrow(const Format& format) : f(format) {
    for (uint32_t bits = 0;; ++bits) {
      const float value = widened(bits, f);
      if (!std::isfinite(value)) break;
      values.push_back(value);
    }
    values.push_back(2 * values.back() - values[values.size() - 2]);  // the largest, and one more step
  }
  uint32_t nan() const { return f.bits == 16 ? 0x7FC0u : f.has_infinity ? 0x7Eu : 0x7Fu; }
  uint32_t nearest(float wide) const {
    if (std::isnan(wide)) return nan();
    const double size = std::fabs(double(wide));
    const uint32_t sign = std::signbit(wide) ? 1u << (f.bits - 1) : 0, last = values.size() - 1;
    uint32_t above = std::lower_bound(values.begin(), values.end(), size) - values.begin(), best;
    if (above > last) best = last;
    else if (above == 0 || values[above] == size) best = above;
    else {
      const double up = values[above] - size, down = size - values[above - 1];
      best = up < down || (up == down && above % 2 == 0) ? above : above - 1;
    }
    if (best == last && f.saturates) --best;
    return sign | best;
  }
};

void compare(Sweep& s, uint32_t x, uint32_t y, uint32_t addend, uint32_t got, uint32_t wanted) {
  ++s.compared;
  if (got == wanted) return;
  if (!s.wrong++) { s.at_x = x; s.at_y = y; s.at_addend = addend; s.got = got; s.wanted = wanted; }
}

// An addend that matters: any, of the product's size, or the product's negative give or take a few units in the last place.
uint32_t drawn_addend(Random& random, float product) {
  const uint64_t r = random.next();
  const uint32_t any = uint32_t(r >> 8), near = pattern(product);
  switch (r & 3) {
    case 0: return any;
    case 1: return (near & 0x7F800000u) + ((any % 61) << 23) - (30u << 23) ^ (any & 0x807FFFFFu);
    default: return (near ^ 0x80000000u) + (any >> 8 & ((1u << (any & 15)) - 1)) - ((1u << (any & 15)) >> 1);
  }
}

// Of the way out, what ends beside a tie of the narrow format, so that each earlier rounding decides the last one.
// An fp32 value halfway between two narrow ones:
uint32_t tie(uint32_t value, const Format& f) {
  const uint32_t half = 1u << (22 - (f.bits - 1 - f.exponent_bits));
  return (value & ~(half - 1)) | half;
}
// A bias of about half a unit in the value's last place, often exactly that:
uint32_t drawn_bias(Random& random, uint32_t value) {
  const uint64_t r = random.next();
  const uint32_t field = value >> 23 & 0xFF, below = 23 + uint32_t(r >> 2 & 3);
  const uint32_t mantissa = r & 1 ? 0 : uint32_t(r >> 8) & 0x7FFFFF;
  return uint32_t(r & 2) << 30 | (field > below ? field - below : 0) << 23 | mantissa;
}
// A scale: a power of two, one whose product is about a tie, any.
uint32_t drawn_scale(Random& random, float sum, const Format& f) {
  const uint64_t r = random.next();
  const uint32_t any = uint32_t(r >> 8);
  if (r & 1) return (any & 0x80000000u) + ((127 - 20 + any % 40) << 23);
  return r & 2 ? pattern(number(tie(any, f)) / sum) : any;
}

}  // namespace

extern "C" {

void* unit_open() { return new Unit; }
void unit_close(void* unit) { delete static_cast<Unit*>(unit); }

#ifdef MULTIPLY_ADD
void unit_sweep(void* handle, Sweep* request) {
  Unit& unit = *static_cast<Unit*>(handle);
  Sweep& s = *request;
  Random random{s.seed * 0x9E3779B97F4A7C15ull + 1};
  std::vector<float> xs(1ull << s.x.bits), ys(1ull << s.y.bits);
  for (uint32_t i = 0; i < xs.size(); ++i) xs[i] = widened(i, s.x);
  for (uint32_t i = 0; i < ys.size(); ++i) ys[i] = widened(i, s.y);
  for (uint64_t x = s.x_begin; x < s.x_end; x += s.x_step)
    for (uint64_t j = 0; j < s.y_count; ++j) {
      const uint32_t y = s.y_random ? random.next() & (ys.size() - 1) : s.y_begin + j;
      const float product = xs[x] * ys[y];
      unit.x = x;
      unit.y = y;
      for (uint64_t i = 0; i < s.addend_count + s.drawn; ++i) {
        const uint32_t addend = i < s.addend_count ? s.addends[i] : drawn_addend(random, product);
        unit.addend = addend;
        unit.eval();
        compare(s, x, y, addend, unit.result, pattern(std::fmaf(xs[x], ys[y], number(addend))));
      }
    }
}
#else
// x: the value; y: upper half of the bias; addend: the scale.  y_count and the addends as above; y_random draws all 32 bits of
// the bias and the lower half of the value, in every second pair so that the value is a tie and the bias half its last place.
void unit_sweep(void* handle, Sweep* request) {
  Unit& unit = *static_cast<Unit*>(handle);
  Sweep& s = *request;
  Random random{s.seed * 0x9E3779B97F4A7C15ull + 1};
  const Narrow narrow(s.y);
  unit.enable = 1;
  for (uint64_t x = s.x_begin; x < s.x_end; x += s.x_step)
    for (uint64_t j = 0; j < s.y_count; ++j) {
      const uint32_t any = uint32_t(x << 16 | (random.next() & 0xFFFF)), halfway = tie(any, s.y);
      const uint32_t value = !s.y_random ? x : j & 1 ? halfway : any;
      const uint32_t bias = !s.y_random ? uint32_t(s.y_begin + j) << 16 : j & 1 ? drawn_bias(random, value)
                                                                              : drawn_addend(random, number(value));
      const float sum = number(pattern(number(value) + number(bias)));
      for (uint64_t i = 0; i < s.addend_count + s.drawn; ++i) {
        const uint32_t scale = i < s.addend_count ? s.addends[i] : drawn_scale(random, sum, s.y);
        unit.value = value;
        unit.parameters[0] = bias;
        unit.parameters[1] = scale;
        unit.clk = 0;
        unit.eval();
        unit.clk = 1;
        unit.eval();
        compare(s, value, bias, scale, unit.result, narrow.nearest(sum * number(scale)));
      }
    }
}
#endif
}
