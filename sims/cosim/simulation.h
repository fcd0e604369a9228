// What the harnesses share: the job that Python hands over, how it ended, clock and waveform of one simulated top module.
#pragma once
#include <cstdint>
#include <memory>

#include "verilated.h"
#ifdef ARCHMODEL_WAVES
#include "verilated_vcd_c.h"
#endif

enum Status { kDone = 0, kRefused = 1, kStuck = 2, kTooLong = 3, kBadAddress = 4, kTraceFull = 5, kBusRule = 6, kOverrun = 7 };
constexpr int kLanes = 8;

struct Job {
  const uint32_t* header;
  const uint32_t* streams[4];
  uint32_t lengths[4];  // instructions
  uint32_t stream_count;  // the unit behind the last stream takes the header
  uint8_t* memory;
  uint64_t memory_beats, base;  // base: byte address of the memory on a bus
  uint32_t port_bytes, latency, interval, stall_length;
  const uint8_t* stall_request;
  const uint8_t* stall_response;
  uint64_t max_cycles, patience;
  uint64_t* events;  // cycle * 8 + unit * 2 + (1 for an end)
  uint64_t event_capacity;
  uint64_t event_count;
  uint64_t cycles;

  bool holds_request(uint64_t t) const { return stall_length && stall_request[t % stall_length]; }
  bool holds_response(uint64_t t) const { return stall_length && stall_response[t % stall_length]; }

  // False when the trace has no room; `moved` tells whether a command began or ended.
  bool record(uint64_t t, uint32_t begins, uint32_t finishes, bool* moved) {
    for (int unit = 0; unit < 3; ++unit) {
      const uint64_t starts = begins >> unit & 1, ends = finishes >> unit & 1;
      if (event_count + starts + ends > event_capacity) return false;
      if (starts) events[event_count++] = t * 8 + unit * 2;
      if (ends) events[event_count++] = (t + 1) * 8 + unit * 2 + 1;
      if (starts || ends) *moved = true;
    }
    return true;
  }
};

struct Beat { uint64_t ready; uint64_t address; bool last; };

template <class Top>
struct Simulation {
  VerilatedContext context;
  std::unique_ptr<Top> top;
  uint64_t time = 0;
#ifdef ARCHMODEL_WAVES
  std::unique_ptr<VerilatedVcdC> waves;
#endif
  explicit Simulation(const char* file) : top(new Top{&context, "top"}) {
#ifdef ARCHMODEL_WAVES
    if (!file || !*file) return;
    context.traceEverOn(true);
    waves.reset(new VerilatedVcdC);
    top->trace(waves.get(), 99);
    waves->open(file);
#else
    (void)file;
#endif
  }
  ~Simulation() {
#ifdef ARCHMODEL_WAVES
    if (waves) waves->close();
#endif
    top->final();
  }
  void settle() {  // after an edge
    top->eval();
#ifdef ARCHMODEL_WAVES
    if (waves) waves->dump(time);
#endif
    ++time;
  }
};
