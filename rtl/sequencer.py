"""The sequencer in front of each unit: fetches instructions, keeps loops and address registers, waits and signals."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.commands import LAYOUTS, LOOP_DEPTH, MIN_CYCLES, OPCODES, UNITS
from archmodel.records.program import INSTRUCTION_BYTES

from .sram import Sram, address_bits

WORD = 32
LANES = INSTRUCTION_BYTES * 8 // WORD
TOKEN_BITS = 8
INSTRUCTIONS = {name: data.StructLayout(dict(layout)) for name, layout in LAYOUTS.items()}


def view(name: str, instruction: Any) -> Any:
    """The 256 bits of an instruction seen as the fields of the shared instruction ``name``."""
    return seen(INSTRUCTIONS[name], instruction)


def seen(layout: data.StructLayout, instruction: Any) -> Any:
    """The 256 bits of an instruction seen as the fields of ``layout``."""
    return layout(instruction[: layout.size])


class Sequencer(wiring.Component):
    """A LOOP or END takes two cycles; a command three, and as many more as it waits.

    `issue` is high in the cycle in which `command` starts, `end` in the last cycle before its token is visible.  The
    unit raises `finished` in the last cycle of its work; no command but a sync ends before MIN_CYCLES.
    """

    def __init__(self, words: int, registers: int, **ports: Any) -> None:
        self.words, self.registers, self.address = words, registers, address_bits(words)
        super().__init__({
            "write": In(LANES), "write_address": In(self.address), "write_data": In(WORD),
            "start": In(1), "done": Out(1),
            "allow": In(1), "wants_port": Out(1), "issue": Out(1), "command": Out(INSTRUCTION_BYTES * 8), "base": Out(32),
            "moving": Out(1), "finished": In(1), "end": Out(1),
            "tokens_in": In(len(UNITS)), "tokens_out": Out(len(UNITS)), **ports,
        })  # fmt: skip
        self.head = view("sync", self.command)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.pc, self.busy = Signal(self.address, name="pc"), Signal(name="busy")
        self.current = Array([Signal(32, name=f"register{r}") for r in range(self.registers)])
        instruction = self._memory(m)
        tokens = self._tokens(m)
        self._flight(m)
        decode = Signal()
        with m.FSM(name="state"):
            with m.State("IDLE"):
                m.d.comb += self.done.eq(1)
                with m.If(self.start):
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.next = "DECODE"
            with m.State("DECODE"):
                m.d.comb += decode.eq(1)
                m.next = "FETCH"
                opcode = instruction[:4]
                with m.If(opcode == OPCODES["halt"]):
                    m.next = "HALT"
                with m.Elif((opcode != OPCODES["loop"]) & (opcode != OPCODES["end"])):
                    m.next = "ISSUE"
            with m.State("ISSUE"):
                self._issue(m, tokens)
                with m.If(self.issue):
                    m.next = "FETCH"
            with m.State("HALT"):
                m.d.comb += self.done.eq(~self.busy)
                with m.If(self.done & self.start):
                    m.next = "FETCH"
        self._decode(m, decode, instruction)
        return m

    def _issue(self, m: Module, tokens: Signal) -> None:
        """When a command whose tokens are there may start."""
        ready = tokens & ~self.busy
        is_move = self.head.opcode == OPCODES["move"]
        m.d.comb += [self.wants_port.eq(ready & is_move), self.issue.eq(ready & (self.allow | ~is_move))]

    def _memory(self, m: Module) -> Any:
        """Program memory, written a 32-bit lane at a time."""
        lanes = []
        for lane in range(LANES):
            memory = Sram(WORD, self.words)
            m.submodules[f"program{lane}"] = memory
            m.d.comb += [memory.wen.eq(self.write[lane]), memory.waddr.eq(self.write_address), memory.wdata.eq(self.write_data),
                         memory.ren.eq(1), memory.raddr.eq(self.pc)]  # fmt: skip
            lanes.append(memory.rdata)
        return Cat(*lanes)

    def _tokens(self, m: Module) -> Signal:
        """Counts what the units signal; true while every token that the command waits for is there."""
        there = Signal(len(UNITS))
        for unit in range(len(UNITS)):
            count = Signal(TOKEN_BITS, name=f"tokens_{UNITS[unit]}")
            m.d.comb += there[unit].eq(count != 0)
            m.d.sync += count.eq(count + self.tokens_in[unit] - (self.issue & self.head.wait[unit]))
            with m.If(self.start):
                m.d.sync += count.eq(0)
        complete = Signal()
        m.d.comb += complete.eq((self.head.wait & ~there) == 0)
        return complete

    def _flight(self, m: Module) -> None:
        """The command in flight: when it ends, and whom it then tells.  A sync ends in the cycle of its issue."""
        age, finished, signals = Signal(range(MIN_CYCLES), name="age"), Signal(name="finished"), Signal(len(UNITS), name="signals")
        sync, complete = Signal(name="sync"), Signal(name="complete")
        m.d.comb += [
            sync.eq(self.issue & (self.head.opcode == OPCODES["sync"])),
            complete.eq(self.busy & (finished | self.finished) & (age == MIN_CYCLES - 1)),
            self.end.eq(complete | sync),
            self.tokens_out.eq(Mux(complete, signals, Mux(sync, self.head.signal, 0))),
        ]
        with m.If(self.busy):
            m.d.sync += [age.eq(age + (age != MIN_CYCLES - 1)), finished.eq(finished | self.finished)]
        with m.If(complete):
            m.d.sync += [self.busy.eq(0), self.moving.eq(0)]
        with m.If(self.issue & ~sync):
            m.d.sync += [self.busy.eq(1), self.moving.eq(self.head.opcode == OPCODES["move"]), age.eq(1), finished.eq(0),
                         signals.eq(self.head.signal)]  # fmt: skip

    def _decode(self, m: Module, decode: Signal, instruction: Any) -> None:
        """Loops act here; a command goes to `command` with its address, to be issued when it may."""
        loop, move = view("loop", instruction), view("move", instruction)
        depth = Signal(range(LOOP_DEPTH + 1))
        begin = Array([Signal(self.address, name=f"loop{d}_begin") for d in range(LOOP_DEPTH)])
        left = Array([Signal(32, name=f"loop{d}_left") for d in range(LOOP_DEPTH)])
        entry = [Array([Signal(32, name=f"loop{d}_entry{r}") for d in range(LOOP_DEPTH)]) for r in range(self.registers)]
        steps = [Array([Signal(32, name=f"loop{d}_step{r}") for d in range(LOOP_DEPTH)]) for r in range(self.registers)]
        inner = Signal(range(LOOP_DEPTH))
        m.d.comb += inner.eq(depth - 1)
        with m.If(decode):
            m.d.sync += self.pc.eq(self.pc + 1)
            with m.If(loop.opcode == OPCODES["loop"]):
                m.d.sync += [depth.eq(depth + 1), begin[depth].eq(self.pc + 1), left[depth].eq(loop.count)]
                for r in range(self.registers):
                    m.d.sync += [entry[r][depth].eq(self.current[r]), steps[r][depth].eq(getattr(loop, f"step{r}"))]
            with m.Elif(loop.opcode == OPCODES["end"]):
                with m.If(left[inner] > 1):
                    m.d.sync += [left[inner].eq(left[inner] - 1), self.pc.eq(begin[inner])]
                    m.d.sync += [self.current[r].eq(self.current[r] + steps[r][inner]) for r in range(self.registers)]
                with m.Else():
                    m.d.sync += depth.eq(depth - 1)
                    m.d.sync += [self.current[r].eq(entry[r][inner]) for r in range(self.registers)]
            with m.Else():
                register = self.current[move.register] if self.registers else 0
                m.d.sync += [self.command.eq(instruction), self.base.eq(move.base + register)]
        with m.If(self.start):
            m.d.sync += [self.pc.eq(0), depth.eq(0), *(register.eq(0) for register in self.current)]


class OverlappingSequencer(Sequencer):
    """In front of a unit that begins a command while earlier ones are still under way, and ends them in order; no syncs.

    The unit says by `allow` when one may start, by `working` whether any is under way, and by `finished` and `signals` that
    a token is visible in the next cycle, and to whom.
    """

    def __init__(self, words: int) -> None:
        super().__init__(words, 0, working=In(1), signals=In(len(UNITS)))

    def _issue(self, m: Module, tokens: Signal) -> None:
        m.d.comb += self.issue.eq(tokens & self.allow)

    def _flight(self, m: Module) -> None:
        m.d.comb += [self.busy.eq(self.working), self.end.eq(self.finished), self.tokens_out.eq(Mux(self.finished, self.signals, 0))]
