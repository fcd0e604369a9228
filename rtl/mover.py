"""The load and the store unit: words between the memory port and the buffers, in rows of a strided rectangle.

The port has one request channel, valid/ready.  A read asks for one word (`length` beats) in one handshake and gets its
beats in order on the read channel.  A write hands over a beat a handshake and gets one response a word.  At most
``outstanding`` words are in flight.
"""

from __future__ import annotations

from typing import Any, Protocol

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.commands import ADDRESS_BITS
from archmodel.records.engines.systolic import OUTPUT_PARAMETER_BYTES, Hardware
from archmodel.records.program import INSTRUCTION_BYTES

from .requantizer import FloatRequantizer, Requantizer
from .sequencer import view

LENGTH_BITS = 16


class Rectangle(wiring.Component):
    """Counts inner x outer words; keeps the memory address (beats) and the buffer address (words) of the current one."""

    def __init__(self) -> None:
        super().__init__({
            "start": In(1), "command": In(INSTRUCTION_BYTES * 8), "base": In(32), "beats": In(LENGTH_BITS), "advance": In(1),
            "memory": Out(32), "word": Out(ADDRESS_BITS), "inner": Out(ADDRESS_BITS), "outer": Out(ADDRESS_BITS), "left": Out(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        move = view("move", self.command)
        memory_row, word_row = Signal(32, name="memory_row"), Signal(ADDRESS_BITS, name="word_row")
        row_ends = Signal()
        m.d.comb += row_ends.eq(self.inner == move.inner - 1)
        with m.If(self.start):
            m.d.sync += [self.memory.eq(self.base), memory_row.eq(self.base), self.word.eq(move.sram), word_row.eq(move.sram),
                         self.inner.eq(0), self.outer.eq(0), self.left.eq(1)]  # fmt: skip
        with m.Elif(self.advance):
            m.d.sync += [self.memory.eq(self.memory + self.beats), self.word.eq(self.word + 1), self.inner.eq(self.inner + 1)]
            with m.If(row_ends):
                m.d.sync += [self.memory.eq(memory_row + move.stride), memory_row.eq(memory_row + move.stride),
                             self.word.eq(word_row + move.pitch), word_row.eq(word_row + move.pitch),
                             self.inner.eq(0), self.outer.eq(self.outer + 1), self.left.eq(self.outer != move.outer - 1)]  # fmt: skip
        return m


class Ported(Protocol):
    """What an engine's hardware says of its memory port and of the words that cross it."""

    @property
    def port_bytes(self) -> int: ...
    @property
    def outstanding(self) -> int: ...
    def beats(self, buffer: str) -> int: ...


class Loader(wiring.Component):
    """Memory to one of ``buffers``."""

    def __init__(self, hardware: Ported, buffers: tuple[str, ...]) -> None:
        self.hardware, self.buffers = hardware, buffers
        self.beat_bits = 8 * hardware.port_bytes
        self.word_beats = {name: hardware.beats(name) for name in buffers}
        super().__init__({
            "issue": In(1), "issued": In(INSTRUCTION_BYTES * 8), "base": In(32), "finished": Out(1),
            "request": Out(1), "accepted": In(1), "address": Out(32), "length": Out(LENGTH_BITS),
            "response": In(1), "response_data": In(self.beat_bits),
            "write": Out(len(buffers)), "swap": Out(len(buffers)), "word": Out(ADDRESS_BITS),
            "data": Out(self.beat_bits * max(self.word_beats.values())),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, hw = Module(), self.hardware
        command = Signal(INSTRUCTION_BYTES * 8)
        with m.If(self.issue):
            m.d.sync += command.eq(self.issued)
        move, beats = view("move", command), Signal(LENGTH_BITS, name="beats")
        m.d.comb += beats.eq(Array([self.word_beats[name] for name in self.buffers])[move.buffer])
        m.submodules.asked, m.submodules.arrived = asked, arrived = Rectangle(), Rectangle()
        for rectangle in (asked, arrived):
            m.d.comb += [rectangle.start.eq(self.issue), rectangle.command.eq(Mux(self.issue, self.issued, command)),
                         rectangle.base.eq(self.base), rectangle.beats.eq(beats)]  # fmt: skip
        flying = Signal(range(hw.outstanding + 1))
        beat, word_ends = Signal(LENGTH_BITS, name="beat"), Signal(name="word_ends")
        m.d.comb += [
            self.request.eq(asked.left & (flying < hw.outstanding)), self.address.eq(asked.memory), self.length.eq(beats),
            asked.advance.eq(self.request & self.accepted),
            word_ends.eq(self.response & (beat == beats - 1)), arrived.advance.eq(word_ends), self.word.eq(arrived.word),
        ]  # fmt: skip
        m.d.sync += flying.eq(flying + asked.advance - word_ends)
        with m.If(self.response):
            m.d.sync += beat.eq(Mux(word_ends, 0, beat + 1))
        self._assemble(m, move, beat)
        last = (arrived.inner == move.inner - 1) & (arrived.outer == move.outer - 1)
        m.d.comb += self.finished.eq(word_ends & last)
        with m.Switch(move.buffer):
            for index in range(len(self.buffers)):
                with m.Case(index):
                    m.d.comb += [self.write[index].eq(word_ends), self.swap[index].eq(self.finished & move.swap)]
        if "Z" in self.buffers:
            with m.If(self.finished & move.turn_z):
                m.d.comb += self.swap[self.buffers.index("Z")].eq(1)
        return m

    def _assemble(self, m: Module, move: Any, beat: Signal) -> None:
        """The word of the beats kept so far with the one that arrives on top."""
        kept = [Signal(self.beat_bits, name=f"kept{i}", reset_less=True) for i in range(max(self.word_beats.values()) - 1)]
        for i, register in enumerate(kept):
            with m.If(self.response & (beat == i)):
                m.d.sync += register.eq(self.response_data)
        with m.Switch(move.buffer):
            for index, name in enumerate(self.buffers):
                with m.Case(index):
                    m.d.comb += self.data.eq(Cat(*kept[: self.word_beats[name] - 1], self.response_data))


class Storer(wiring.Component):
    """Words of a buffer to memory; each of three stages behind the read takes a cycle, and the last hands over."""

    def __init__(self, hardware: Ported, word_bits: int, **ports: Any) -> None:
        self.hardware, self.beat_bits, self.z_bits = hardware, 8 * hardware.port_bytes, word_bits
        super().__init__({
            "issue": In(1), "issued": In(INSTRUCTION_BYTES * 8), "base": In(32), "finished": Out(1),
            "request": Out(1), "accepted": In(1), "address": Out(32), "length": Out(LENGTH_BITS), "request_data": Out(self.beat_bits),
            "response": In(1), "swap_z": Out(1), "read": Out(1), "z_word": Out(ADDRESS_BITS), "z_data": In(word_bits), **ports,
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, hw = Module(), self.hardware
        command, base = Signal(INSTRUCTION_BYTES * 8, name="command"), Signal(32, name="base")
        with m.If(self.issue):
            m.d.sync += [command.eq(self.issued), base.eq(self.base)]
        move, beats = view("move", command), Signal(LENGTH_BITS, name="beats")
        m.d.comb += beats.eq(self._beats(move))
        m.submodules.fetched, m.submodules.sent, m.submodules.answered = fetched, sent, answered = Rectangle(), Rectangle(), Rectangle()
        for rectangle in (fetched, sent, answered):
            m.d.comb += [rectangle.start.eq(self.issue), rectangle.command.eq(Mux(self.issue, self.issued, command)),
                         rectangle.base.eq(self.base), rectangle.beats.eq(beats)]  # fmt: skip
        flows = Signal()
        m.d.comb += [self.read.eq(flows & fetched.left), fetched.advance.eq(self.read), self.z_word.eq(fetched.word)]
        word, full = self._pipeline(m, move, flows, fetched)
        beat, sent_word = self._send(m, beats, word)
        flying = Signal(range(hw.outstanding + 1))
        m.d.comb += [
            self.request.eq(full & ((beat != 0) | (flying < hw.outstanding))),
            self.address.eq(sent.memory + beat), self.length.eq(beats), flows.eq(~full | sent_word),
            sent.advance.eq(sent_word), answered.advance.eq(self.response),
        ]  # fmt: skip
        starts = self.request & self.accepted & (beat == 0)
        m.d.sync += flying.eq(flying + starts - self.response)
        last = (answered.inner == move.inner - 1) & (answered.outer == move.outer - 1)
        m.d.comb += [self.finished.eq(self.response & last), self.swap_z.eq(self.finished & move.swap)]
        return m

    def _beats(self, move: Any) -> Any:
        """Of a word of this move."""
        return self.z_bits // self.beat_bits

    def _pipeline(self, m: Module, move: Any, flows: Signal, fetched: Rectangle) -> tuple[Signal, Signal]:
        """All stages move together when ``flows``.  Returns the word held and whether there is one."""
        has_data, has_product, full = Signal(name="has_data"), Signal(name="has_product"), Signal(name="full")
        word, raw = Signal(self.z_bits, name="word"), Signal(self.z_bits, name="raw")
        result = self._result(m, move, flows, raw)
        with m.If(flows):
            m.d.sync += [has_data.eq(fetched.left), has_product.eq(has_data), raw.eq(self.z_data), full.eq(has_product), word.eq(result)]
        return word, full

    def _result(self, m: Module, move: Any, flows: Signal, raw: Signal) -> Any:
        """What leaves instead of the word that was read two stages before, ``raw`` or what became of it."""
        return raw

    def _send(self, m: Module, beats: Signal, word: Signal) -> tuple[Signal, Signal]:
        """Beat by beat; returns the number of the beat offered and whether the word's last one is accepted."""
        beat, sent_word = Signal(LENGTH_BITS, name="beat"), Signal(name="sent_word")
        count = self.z_bits // self.beat_bits
        parts = [word[i * self.beat_bits : (i + 1) * self.beat_bits] for i in range(count)]
        m.d.comb += self.request_data.eq(Array(parts)[beat] if count > 1 else parts[0])
        taken = self.request & self.accepted
        m.d.comb += sent_word.eq(taken & (beat == beats - 1))
        with m.If(taken):
            m.d.sync += beat.eq(Mux(sent_word, 0, beat + 1))
        return beat, sent_word


class RequantisingStorer(Storer):
    """Z to memory, raw or through the requantizer: read, multiply, round, hand over."""

    def __init__(self, hardware: Hardware) -> None:
        self.engine = hardware
        super().__init__(hardware, 32 * hardware.cols, swap_p=Out(1), p_word=Out(ADDRESS_BITS),
                         p_data=In(8 * OUTPUT_PARAMETER_BYTES * hardware.cols))  # fmt: skip

    def _beats(self, move: Any) -> Any:
        return Mux(move.requantise, self.engine.beats("Q"), self.engine.beats("Z"))

    def _pipeline(self, m: Module, move: Any, flows: Signal, fetched: Rectangle) -> tuple[Signal, Signal]:
        lane = self._parameter_address(m, move, fetched)
        m.d.comb += self.swap_p.eq(self.finished & move.requantise)
        self.lane_now = Signal.like(lane)
        with m.If(flows):
            m.d.sync += self.lane_now.eq(lane)
        return super()._pipeline(m, move, flows, fetched)

    def _parameter_address(self, m: Module, move: Any, fetched: Rectangle) -> Signal:
        """P word of the Z word being read: that of its row, or, broadcast, the lane that its number says."""
        lane, group = Signal(range(self.engine.cols), name="lane"), Signal(ADDRESS_BITS, name="group")
        with m.If(self.issue | (fetched.advance & (fetched.inner == move.inner - 1))):
            m.d.sync += [lane.eq(0), group.eq(0)]
        with m.Elif(fetched.advance):
            wraps = lane == self.engine.cols - 1
            m.d.sync += [lane.eq(Mux(wraps, 0, lane + 1)), group.eq(group + wraps)]
        m.d.comb += self.p_word.eq(move.params + Mux(move.broadcast, group, fetched.outer))
        return lane

    def _result(self, m: Module, move: Any, flows: Signal, raw: Signal) -> Any:
        """Multiplied and rounded, where the move says so."""
        bits = 8 * OUTPUT_PARAMETER_BYTES
        own = [self.p_data[c * bits : (c + 1) * bits] for c in range(self.engine.cols)]
        shared = Signal(bits)
        m.d.comb += shared.eq(Array(own)[self.lane_now])
        results = []
        for c in range(self.engine.cols):
            m.submodules[f"requantizer{c}"] = unit = FloatRequantizer(self.engine.result) if self.engine.is_float else Requantizer()
            m.d.comb += [unit.enable.eq(flows), unit.value.eq(self.z_data[32 * c : 32 * c + 32].as_signed()),
                         unit.parameters.eq(Mux(move.broadcast, shared, own[c]))]  # fmt: skip
            results.append(unit.result)
        return Mux(move.requantise, Cat(*results), raw)
