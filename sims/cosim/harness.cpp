// Drives one generated engine: loads a program, answers its memory port on a schedule, records every command.
// The memory: a request accepted in cycle t gives its first beat in t + latency at the earliest, beats come one every
// `interval` cycles and in order; a write is answered `latency` cycles after its last beat.  In a stalled cycle the port
// doesn't move.  The cycle model (archmodel/engines/systolic/timing.py) is the same rules, written apart.
#include <cstring>
#include <deque>

#define NAME_OF(name) #name
#define HEADER_OF(name) NAME_OF(name.h)
#include HEADER_OF(ARCHMODEL_TOP)
#include "simulation.h"

namespace {

// Some engines tell when a cycle takes more buffer words than there are ports.
template <class Top> auto overrun(const Top& top, int) -> decltype(bool(top.overrun)) { return top.overrun; }
template <class Top> bool overrun(const Top&, long) { return false; }

struct Engine : Simulation<ARCHMODEL_TOP> {
  using Simulation::Simulation;
  void half(int level) {
    top->clk = level;
    settle();
  }
  void cycle() { half(0); half(1); }
  void reset(int cycles) {
    top->start = top->request_ready = top->read_valid = top->written = 0;
    top->rst = 1;
    for (int i = 0; i < cycles; ++i) cycle();
    top->rst = 0;
  }
  void write(int unit, int address, int lane, uint32_t data) {
    top->program_write = 1;
    top->program_unit = unit;
    top->program_address = address;
    top->program_lane = lane;
    top->program_data = data;
    cycle();
    top->program_write = 0;
  }
};

}  // namespace

extern "C" {

void* engine_open(const char* waves) {
  auto* engine = new Engine(waves);
  engine->reset(2);
  return engine;
}

void engine_close(void* handle) { delete static_cast<Engine*>(handle); }

void engine_reset(void* handle) { static_cast<Engine*>(handle)->reset(2); }

void engine_write(void* handle, int unit, int address, int lane, uint32_t data) {
  static_cast<Engine*>(handle)->write(unit, address, lane, data);
}

int engine_run(void* handle, Job* job) {
  auto* engine = static_cast<Engine*>(handle);
  auto* top = engine->top.get();
  for (int lane = 0; lane < 3; ++lane) engine->write(job->stream_count, 0, lane, job->header[lane]);
  for (uint32_t unit = 0; unit < job->stream_count; ++unit)
    for (uint32_t i = 0; i < job->lengths[unit]; ++i)
      for (int lane = 0; lane < kLanes; ++lane) engine->write(unit, i, lane, job->streams[unit][i * kLanes + lane]);
  std::deque<Beat> reads;
  std::deque<uint64_t> answers;
  uint64_t next_read = 0, next_write = 0, last_move = 0;
  uint32_t write_beats = 0;
  job->event_count = 0;
  for (uint64_t t = 0; t < job->max_cycles; ++t) {
    bool moved = false;
    top->start = t == 0;
    top->request_ready = !job->holds_request(t) && t >= next_write;
    top->read_valid = !reads.empty() && reads.front().ready <= t && t >= next_read && !job->holds_response(t);
    if (top->read_valid)
      std::memcpy(&top->read_data, job->memory + reads.front().address * job->port_bytes, job->port_bytes);
    top->written = !answers.empty() && answers.front() <= t && !job->holds_response(t);
    engine->half(0);
    if (t == 1 && top->refused) { engine->half(1); return kRefused; }
    if (t > 0 && top->done) {
      job->cycles = t;
      engine->half(1);
      return kDone;
    }
    if (t > 0 && overrun(*top, 0)) { job->cycles = t; engine->half(1); return kOverrun; }
    if (!job->record(t, top->trace_start, top->trace_end, &moved)) { job->cycles = t; engine->half(1); return kTraceFull; }
    if (top->request_valid && top->request_ready) {
      const uint64_t address = top->request_address, length = top->request_length;
      if (address + (top->request_write ? 1 : length) > job->memory_beats) { engine->half(1); return kBadAddress; }
      if (top->request_write) {
        std::memcpy(job->memory + address * job->port_bytes, &top->request_data, job->port_bytes);
        next_write = t + job->interval;
        if (++write_beats == length) {
          answers.push_back(t + job->latency);
          write_beats = 0;
        }
      } else {
        for (uint64_t i = 0; i < length; ++i) reads.push_back({t + job->latency, address + i, false});
      }
      moved = true;
    }
    if (top->read_valid) {
      reads.pop_front();
      next_read = t + job->interval;
      moved = true;
    }
    if (top->written) {
      answers.pop_front();
      moved = true;
    }
    if (moved) last_move = t;
    engine->half(1);
    if (t - last_move > job->patience) { job->cycles = t; return kStuck; }
  }
  job->cycles = job->max_cycles;
  return kTooLong;
}

}  // extern "C"
