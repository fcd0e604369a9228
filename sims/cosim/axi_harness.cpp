// Drives one generated engine behind its AXI: programs it through AXI4-Lite, is the memory at its AXI4 port, records every
// command, and ends the run as kBusRule when the engine breaks a rule of AXI.
// The memory keeps the schedule of harness.cpp: a read burst whose address is accepted in cycle t gives its first beat in
// t + latency at the earliest, beats come one every `interval` cycles; a write burst is answered `latency` cycles after its
// last beat.  In a stalled cycle no channel moves.
#include <cstring>
#include <deque>

#include "Varchmodel_systolic_axi.h"
#include "simulation.h"

namespace {

// rtl/registers.py, which tests compare with this.
constexpr uint32_t kControl = 0x014, kStatus = 0x018, kInterruptEnable = 0x01C, kCyclesLow = 0x024, kCyclesHigh = 0x028;
constexpr uint32_t kBaseLow = 0x030, kBaseHigh = 0x034, kProgramHeader = 0x040, kWindow = 0x20000;
constexpr uint32_t kDoneEvent = 2, kRefusedEvent = 4;

struct Outputs {  // of the AXI4 port, as one cycle shows them
  uint8_t awvalid, awlen, arvalid, arlen, wvalid, wlast;
  uint64_t awaddr, araddr;
  uint8_t wdata[128];
  bool operator==(const Outputs& other) const {
    return awvalid == other.awvalid && arvalid == other.arvalid && wvalid == other.wvalid && same_aw(other) && same_ar(other) && same_w(other);
  }
  bool same_aw(const Outputs& o) const { return awlen == o.awlen && awaddr == o.awaddr; }
  bool same_ar(const Outputs& o) const { return arlen == o.arlen && araddr == o.araddr; }
  bool same_w(const Outputs& o) const { return wlast == o.wlast && !std::memcmp(wdata, o.wdata, sizeof wdata); }
};

struct Engine : Simulation<Varchmodel_systolic_axi> {
  using Simulation::Simulation;
  void half(int level) {
    top->aclk = level;
    settle();
  }
  void cycle() { half(0); half(1); }
  void quiet() {
    top->m_axi_awready = top->m_axi_wready = top->m_axi_arready = top->m_axi_bvalid = top->m_axi_rvalid = top->m_axi_rlast = 0;
    top->m_axi_bresp = top->m_axi_rresp = 0;
  }
  void reset(int cycles) {
    quiet();
    top->s_axi_awvalid = top->s_axi_wvalid = top->s_axi_arvalid = 0;
    top->s_axi_bready = top->s_axi_rready = 1;
    top->aresetn = 0;
    for (int i = 0; i < cycles; ++i) cycle();
    top->aresetn = 1;
  }
  // Address and data are accepted in one cycle, as both are free; the register is written in the cycle after.
  void offer(uint32_t address, uint32_t data) {
    top->s_axi_awaddr = address;
    top->s_axi_wdata = data;
    top->s_axi_wstrb = 15;
    top->s_axi_awvalid = top->s_axi_wvalid = 1;
    cycle();
    top->s_axi_awvalid = top->s_axi_wvalid = 0;
  }
  bool write(uint32_t address, uint32_t data) {
    offer(address, data);
    cycle();
    const bool okay = top->s_axi_bvalid && !top->s_axi_bresp;
    cycle();
    return okay;
  }
  uint32_t read(uint32_t address) {
    top->s_axi_araddr = address;
    top->s_axi_arvalid = 1;
    cycle();
    top->s_axi_arvalid = 0;
    cycle();
    const uint32_t data = top->s_axi_rdata;
    cycle();
    return data;
  }
  Outputs outputs(uint32_t port_bytes) {
    Outputs seen{};
    seen.awvalid = top->m_axi_awvalid; seen.awlen = top->m_axi_awlen; seen.awaddr = top->m_axi_awaddr;
    seen.arvalid = top->m_axi_arvalid; seen.arlen = top->m_axi_arlen; seen.araddr = top->m_axi_araddr;
    seen.wvalid = top->m_axi_wvalid; seen.wlast = top->m_axi_wlast;
    std::memcpy(seen.wdata, &top->m_axi_wdata, port_bytes);
    return seen;
  }
};

// The memory behind the port, with the rules that an engine must keep.
struct Memory {
  Job* job;
  std::deque<Beat> reads;
  std::deque<uint64_t> answers;
  std::deque<Beat> addresses;  // of write bursts whose data has not come; `ready` is beats left
  uint64_t next_read = 0, next_write = 0;
  Outputs before{};
  bool held_aw = false, held_w = false, held_ar = false, broken = false, outside = false;

  void drive(Varchmodel_systolic_axi* top, uint64_t t) const {
    const bool accepts = !job->holds_request(t) && t >= next_write, delivers = !job->holds_response(t);
    top->m_axi_awready = top->m_axi_wready = top->m_axi_arready = accepts;
    top->m_axi_rvalid = !reads.empty() && reads.front().ready <= t && t >= next_read && delivers;
    if (top->m_axi_rvalid) {
      std::memcpy(&top->m_axi_rdata, job->memory + reads.front().address, job->port_bytes);
      top->m_axi_rlast = reads.front().last;
    }
    top->m_axi_bvalid = !answers.empty() && answers.front() <= t && delivers;
  }
  void stable(const Outputs& now, bool ready) {
    broken |= held_aw && !(now.awvalid && now.same_aw(before));
    broken |= held_ar && !(now.arvalid && now.same_ar(before));
    broken |= held_w && !(now.wvalid && now.same_w(before));
    held_aw = now.awvalid && !ready;
    held_ar = now.arvalid && !ready;
    held_w = now.wvalid && !ready;
    before = now;
  }
  uint64_t place(uint64_t address, uint64_t beats) {  // offset in memory of a burst
    const uint64_t bytes = beats * job->port_bytes, size = job->memory_beats * job->port_bytes;
    broken |= (address & 4095) + bytes > 4096 || address % job->port_bytes;
    outside |= address < job->base || address - job->base > size || bytes > size - (address - job->base);
    return address - job->base;
  }
  bool take(const Outputs& now, bool ready, uint64_t t) {
    if (now.arvalid && ready) {
      const uint64_t at = place(now.araddr, now.arlen + 1);
      for (int i = 0; i <= now.arlen; ++i) reads.push_back({t + job->latency, at + i * job->port_bytes, i == now.arlen});
    }
    if (now.awvalid && ready) addresses.push_back({now.awlen + 1ull, place(now.awaddr, now.awlen + 1), false});
    if (now.wvalid && ready) data(now, t);
    return ready && (now.arvalid || now.awvalid || now.wvalid);
  }
  void data(const Outputs& now, uint64_t t) {
    if (addresses.empty()) { broken = true; return; }  // allowed by AXI, but with all channels ready at once ours never does it
    Beat& burst = addresses.front();
    broken |= now.wlast != (burst.ready == 1);
    if (outside || broken) return;
    std::memcpy(job->memory + burst.address, now.wdata, job->port_bytes);
    next_write = t + job->interval;
    burst.address += job->port_bytes;
    if (--burst.ready) return;
    addresses.pop_front();
    answers.push_back(t + job->latency);
  }
  bool deliver(const Varchmodel_systolic_axi* top, uint64_t t) {
    broken |= !top->m_axi_rready || !top->m_axi_bready;
    if (top->m_axi_rvalid) { reads.pop_front(); next_read = t + job->interval; }
    if (top->m_axi_bvalid) answers.pop_front();
    return top->m_axi_rvalid || top->m_axi_bvalid;
  }
};

bool load(Engine* engine, const Job* job) {
  bool okay = true;
  for (int lane = 0; lane < 3; ++lane) okay &= engine->write(kProgramHeader + 4 * lane, job->header[lane]);
  for (int unit = 0; unit < 3; ++unit)
    for (uint32_t i = 0; i < job->lengths[unit] * kLanes; ++i) okay &= engine->write(kWindow * (unit + 1) + 4 * i, job->streams[unit][i]);
  okay &= engine->write(kBaseLow, static_cast<uint32_t>(job->base)) && engine->write(kBaseHigh, job->base >> 32);
  return okay && engine->write(kInterruptEnable, 0x1E) && engine->write(kStatus, 0x1E);
}

// The interrupt came in cycle t: a run ended the cycle before, or was refused.
int ended(Engine* engine, Job* job, uint64_t t) {
  engine->quiet();
  const uint32_t status = engine->read(kStatus);
  job->cycles = engine->read(kCyclesLow) | static_cast<uint64_t>(engine->read(kCyclesHigh)) << 32;
  if (status == kRefusedEvent) return kRefused;
  return status == kDoneEvent && job->cycles + 1 == t ? kDone : kBusRule;
}

}  // namespace

extern "C" {

void* engine_open(const char* waves) {
  auto* engine = new Engine(waves);
  engine->reset(2);
  return engine;
}

void engine_close(void* handle) { delete static_cast<Engine*>(handle); }

void engine_reset(void* handle) { static_cast<Engine*>(handle)->reset(2); }

int engine_write(void* handle, int unit, int address, int lane, uint32_t data) {
  const uint32_t offset = unit == 3 ? kProgramHeader : kWindow * (unit + 1) + 32 * address;
  return static_cast<Engine*>(handle)->write(offset + 4 * lane, data);
}

int engine_run(void* handle, Job* job) {
  auto* engine = static_cast<Engine*>(handle);
  auto* top = engine->top.get();
  job->event_count = job->cycles = 0;
  if (!load(engine, job)) return kBusRule;
  Memory memory{job};
  uint64_t last_move = 0;
  engine->offer(kControl, 1);
  for (uint64_t t = 0; t < job->max_cycles; ++t) {
    bool moved = false;
    engine->quiet();
    engine->half(0);
    const Outputs deaf = engine->outputs(job->port_bytes);
    memory.drive(top, t);
    engine->half(0);
    const Outputs now = engine->outputs(job->port_bytes);
    const bool ready = top->m_axi_awready;
    memory.broken |= !(now == deaf);  // no path from an input to an output without a register
    memory.stable(now, ready);
    if (top->irq) return ended(engine, job, t);
    if (!job->record(t, top->trace_start, top->trace_end, &moved)) { job->cycles = t; engine->half(1); return kTraceFull; }
    moved |= memory.take(now, ready, t);
    moved |= memory.deliver(top, t);
    engine->half(1);
    if (memory.broken || memory.outside) { job->cycles = t; return memory.broken ? kBusRule : kBadAddress; }
    if (moved) last_move = t;
    if (t - last_move > job->patience) { job->cycles = t; return kStuck; }
  }
  job->cycles = job->max_cycles;
  return kTooLong;
}

}  // extern "C"
