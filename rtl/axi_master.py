"""The engine's memory port as an AXI4 manager: no register in the way, so it adds no cycle.

A read of a word is a burst, and so is a write; a word that crosses a multiple of 4 KiB, or of 256 beats where that is
less, is one burst for each side.  One id, so answers come in order.  The engine always takes answers.  Every output
comes from registers, in the engine or here, and no VALID waits for a READY.
"""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.engines.systolic import Hardware

from . import axi
from .mover import LENGTH_BITS


def burst_beats(hardware: Hardware) -> int:
    """No burst crosses a multiple of so many beats."""
    return min(axi.MOST_BEATS, axi.BOUNDARY // hardware.port_bytes)


def bursts_of_a_word(hardware: Hardware) -> int:
    """The most bursts that the write of one word can take."""
    most = burst_beats(hardware)
    return max((hardware.beats(name) + most - 2) // most + 1 for name in "ZQ")


class Part(wiring.Component):
    """The burst that begins at a beat of a word: its address, and how many beats up to the word's or the boundary's end."""

    def __init__(self, hardware: Hardware, address_bits: int) -> None:
        self.most, self.shift = burst_beats(hardware), hardware.port_bytes.bit_length() - 1
        super().__init__({
            "base": In(address_bits), "beat": In(32), "left": In(LENGTH_BITS),
            "address": Out(address_bits), "beats": Out(range(self.most + 1)), "last": Out(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        room = Signal(range(self.most + 1), name="room")
        place = self.address[self.shift : self.shift + self.most.bit_length() - 1]
        m.d.comb += [self.address.eq(self.base + (self.beat << self.shift)), room.eq(self.most - place),
                     self.last.eq(self.left <= room), self.beats.eq(Mux(self.last, self.left, room))]  # fmt: skip
        return m


class AxiMaster(wiring.Component):
    """Between the engine's port (`request_*`, `read_*`, `written`) and `m_axi_*`.

    base         byte address of beat 0, a multiple of the beat; must not change while a Program runs
    read_error   one cycle: an answer to a read was not OKAY; write_error likewise
    """

    def __init__(self, hardware: Hardware, address_bits: int) -> None:
        self.hardware, self.address_bits = hardware, address_bits
        beat = 8 * hardware.port_bytes
        super().__init__({
            "base": In(address_bits),
            "request_valid": In(1), "request_ready": Out(1), "request_write": In(1), "request_address": In(32),
            "request_length": In(LENGTH_BITS), "request_data": In(beat),
            "read_valid": Out(1), "read_data": Out(beat), "written": Out(1),
            "read_error": Out(1), "write_error": Out(1),
            **axi.manager(hardware.port_bytes, address_bits),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for channel in ("aw", "ar"):
            constants = {"id": 0, "size": self.hardware.port_bytes.bit_length() - 1, "burst": axi.INCR, "lock": 0,
                         "cache": axi.CACHE, "prot": 0, "qos": 0}  # fmt: skip
            m.d.comb += [getattr(self, f"m_axi_{channel}{name}").eq(value) for name, value in constants.items()]
        m.d.comb += self.request_ready.eq(Mux(self.request_write, self._write(m), self._read(m)))
        m.d.comb += [
            self.m_axi_rready.eq(1), self.read_valid.eq(self.m_axi_rvalid), self.read_data.eq(self.m_axi_rdata),
            self.read_error.eq(self.m_axi_rvalid & (self.m_axi_rresp != axi.OKAY)),
            self.m_axi_bready.eq(1), self.write_error.eq(self.m_axi_bvalid & (self.m_axi_bresp != axi.OKAY)),
        ]  # fmt: skip
        return m

    def _part(self, m: Module, name: str, beat: Signal, left: Signal) -> Part:
        m.submodules[name] = part = Part(self.hardware, self.address_bits)
        m.d.comb += [part.base.eq(self.base), part.beat.eq(beat), part.left.eq(left)]
        return part

    def _read(self, m: Module) -> Signal:
        """A burst a cycle until the whole word is asked for; then the request is accepted."""
        asked, accepted = Signal(LENGTH_BITS, name="asked"), Signal(name="read_accepted")
        part = self._part(m, "read_part", self.request_address + asked, self.request_length - asked)
        m.d.comb += [
            self.m_axi_arvalid.eq(self.request_valid & ~self.request_write), self.m_axi_araddr.eq(part.address),
            self.m_axi_arlen.eq(part.beats - 1), accepted.eq(self.m_axi_arready & part.last),
        ]  # fmt: skip
        with m.If(self.m_axi_arvalid & self.m_axi_arready):
            m.d.sync += asked.eq(Mux(part.last, 0, asked + part.beats))
        return accepted

    def _write(self, m: Module) -> Signal:
        """A beat goes with the address of its burst, if it begins one, in either order; accepted when both have gone."""
        sent, first = Signal(LENGTH_BITS, name="sent"), Signal(init=1, name="first")
        left = Signal(range(axi.MOST_BEATS + 1), name="beats_left")
        address_gone, data_gone, accepted = Signal(name="address_gone"), Signal(name="data_gone"), Signal(name="write_accepted")
        part = self._part(m, "write_part", self.request_address, self.request_length - sent)
        wants, word_ends = self.request_valid & self.request_write, sent == self.request_length - 1
        m.d.comb += [
            self.m_axi_awvalid.eq(wants & first & ~address_gone), self.m_axi_awaddr.eq(part.address), self.m_axi_awlen.eq(part.beats - 1),
            self.m_axi_wvalid.eq(wants & ~data_gone), self.m_axi_wdata.eq(self.request_data),
            self.m_axi_wstrb.eq(~Const(0, self.hardware.port_bytes)), self.m_axi_wlast.eq(Mux(first, part.beats == 1, left == 1)),
            accepted.eq((data_gone | self.m_axi_wready) & (~first | address_gone | self.m_axi_awready)),
        ]  # fmt: skip
        taken = wants & accepted
        with m.If(taken):
            m.d.sync += [sent.eq(Mux(word_ends, 0, sent + 1)), left.eq(Mux(first, part.beats, left) - 1), first.eq(self.m_axi_wlast),
                         address_gone.eq(0), data_gone.eq(0)]  # fmt: skip
        with m.Elif(wants):
            m.d.sync += [address_gone.eq(first & (address_gone | self.m_axi_awready)), data_gone.eq(data_gone | self.m_axi_wready)]
        self._answers(m, taken & self.m_axi_wlast, word_ends)
        return accepted

    def _answers(self, m: Module, burst_ends: Signal, word_ends: Signal) -> None:
        """A word is written when the last of its bursts is; a bit for each burst in flight says which are last."""
        if bursts_of_a_word(self.hardware) == 1:
            m.d.comb += self.written.eq(self.m_axi_bvalid)
            return
        size = self.hardware.outstanding * bursts_of_a_word(self.hardware)
        lasts, count, place = Signal(size, name="lasts"), Signal(range(size + 1), name="count"), Signal(range(size + 1), name="place")
        m.d.comb += [self.written.eq(self.m_axi_bvalid & lasts[0]), place.eq(count - self.m_axi_bvalid)]
        m.d.sync += [count.eq(place + burst_ends),
                     lasts.eq(Mux(self.m_axi_bvalid, lasts >> 1, lasts) | ((burst_ends & word_ends) << place))]  # fmt: skip
