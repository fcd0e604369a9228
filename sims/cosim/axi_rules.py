"""The rules of AXI4 that the generated manager and subordinate must keep (Arm IHI 0022), watched at every clock edge.

It shares nothing with the verification library that drives the other side, nor with the harness of the bulk tests.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from cocotb.triggers import ReadOnly, RisingEdge

REQUEST = ("id", "addr", "len", "size", "burst", "lock", "cache", "prot", "qos")
PAYLOAD = {
    "m_axi_aw": REQUEST, "m_axi_ar": REQUEST, "m_axi_w": ("data", "strb", "last"),
    "s_axi_b": ("resp",), "s_axi_r": ("data", "resp"),
}  # fmt: skip
"""What the engine's side drives in each channel."""
BOUNDARY = 4096


class AxiRules:
    """``watch`` raises AssertionError with the name of the rule in the cycle in which it is broken.

    beat         bytes of a beat; every burst of this engine has whole ones
    most_writes  bursts that may wait for their answer at once; most_reads likewise
    """

    def __init__(self, dut: Any, beat: int, most_writes: int, most_reads: int) -> None:
        self.dut, self.beat, self.most_writes, self.most_reads = dut, beat, most_writes, most_reads
        self.crossings = self.bursts = 0
        self.forget()

    def forget(self) -> None:
        self.held: dict[str, tuple[int, ...]] = {}
        self.addresses: deque[int] = deque()  # beats of write bursts whose data has not all come
        self.beats: list[int] = []  # beats that came before their address
        self.written = self.answered = self.reads = 0

    async def watch(self) -> None:
        while True:
            await ReadOnly()
            self._cycle()
            await RisingEdge(self.dut.aclk)

    def _value(self, name: str) -> int:
        return int(getattr(self.dut, name).value)

    def _cycle(self) -> None:
        if not self._value("aresetn"):
            self.forget()
            return
        for channel, names in PAYLOAD.items():
            self._stable(channel, tuple(self._value(channel + name) for name in names))
        if self._fires("m_axi_aw"):
            self.addresses.append(self._burst("m_axi_aw"))
            self.written += 1
        if self._fires("m_axi_w"):
            self.beats.append(self._value("m_axi_wlast"))
            assert self._value("m_axi_wstrb") == (1 << self.beat) - 1, "WSTRB leaves bytes out"
        self._last()
        if self._fires("m_axi_ar"):
            self._burst("m_axi_ar")
            self.reads += 1
        self._limits()

    def _fires(self, channel: str) -> bool:
        return bool(self._value(f"{channel}valid") and self._value(f"{channel}ready"))

    def _stable(self, channel: str, payload: tuple[int, ...]) -> None:
        """VALID stays, and what it offers, until READY."""
        valid, short = self._value(f"{channel}valid"), channel[6:].upper()
        if channel in self.held:
            assert valid, f"{short}VALID withdrawn before {short}READY"
            assert payload == self.held[channel], f"{short} changed before {short}READY"
        if valid and not self._value(f"{channel}ready"):
            self.held[channel] = payload
        else:
            self.held.pop(channel, None)

    def _burst(self, channel: str) -> int:
        """Beats of a burst of whole beats, INCR, with the one id, inside 4 KiB."""
        name, address, length, size, burst = (self._value(channel + part) for part in REQUEST[:5])
        short = channel[6:].upper()
        assert name == 0, f"{short}ID {name}, and the engine has one id, 0"
        assert burst == 1, f"{short}BURST is not INCR"
        assert 1 << size == self.beat, f"{short}SIZE {size}, and a beat has {self.beat} bytes"
        assert address % self.beat == 0, f"{short}ADDR {address:#x} lies inside a beat"
        assert address % BOUNDARY + (length + 1) * self.beat <= BOUNDARY, f"{short} crosses a boundary of 4 KiB"
        self.bursts += 1
        self.crossings += (address + (length + 1) * self.beat) % BOUNDARY == 0
        return length + 1

    def _last(self) -> None:
        """WLAST at the last beat of each burst and at no other."""
        while self.addresses and self.beats:
            self.addresses[0] -= 1
            assert self.beats.pop(0) == (self.addresses[0] == 0), f"WLAST with {self.addresses[0]} beats to come"
            if not self.addresses[0]:
                self.addresses.popleft()

    def _limits(self) -> None:
        """An answer follows its burst; no more bursts wait for theirs than the engine says."""
        assert self.written - self.answered <= self.most_writes, f"{self.written - self.answered} write bursts in flight"
        assert self.reads <= self.most_reads, f"{self.reads} read bursts in flight"
        self.answered += self._fires("m_axi_b")
        self.reads -= self._fires("m_axi_r") and self._value("m_axi_rlast")
        assert self._value("m_axi_bready"), "BREADY low: the engine always takes answers"
        assert self._value("m_axi_rready"), "RREADY low: the engine always takes answers"
