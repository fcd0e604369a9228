// Drives one element or one lane of the attention engine pin by pin: a row of inputs a cycle, a row of outputs.
#include <cstdint>

#if __has_include("Varchmodel_attention_pe.h")
#include "Varchmodel_attention_pe.h"
using Unit = Varchmodel_attention_pe;
#define PINS_IN(X) X(shift) X(control_in) X(seen) X(x_in) X(q_in) X(down_in)
#define PINS_OUT(X) X(down_out)
#else
#include "Varchmodel_attention_lane.h"
using Unit = Varchmodel_attention_lane;
#define PINS_IN(X) X(shift) X(out_shift) X(control_in) X(arriving) X(wanted)
#define PINS_OUT(X) X(up) X(out)
#endif
#include "verilated.h"

extern "C" {

void* unit_open() {
  auto* unit = new Unit;
  for (unit->rst = 1; unit->rst; unit->rst = 0) {
    unit->clk = 0;
    unit->eval();
    unit->clk = 1;
    unit->eval();
  }
  return unit;
}
void unit_close(void* unit) { delete static_cast<Unit*>(unit); }

// Rows of inputs and of outputs, a 64-bit word a pin; outputs are those before the cycle's edge.
void unit_run(void* handle, uint64_t cycles, const uint64_t* in, uint64_t* out) {
  Unit& unit = *static_cast<Unit*>(handle);
  for (uint64_t t = 0; t < cycles; ++t) {
#define SET(pin) unit.pin = *in++;
    PINS_IN(SET)
    unit.clk = 0;
    unit.eval();
#define GET(pin) *out++ = unit.pin;
    PINS_OUT(GET)
    unit.clk = 1;
    unit.eval();
  }
}
}
