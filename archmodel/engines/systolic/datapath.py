"""The state that data pass through, and what each command does to it: every bit of it, no cycles."""

from __future__ import annotations

from typing import Any

import numpy as np

from archmodel import floating
from archmodel.buffers import Bytes, Words, addresses, window
from archmodel.records.engines.systolic import BUFFERS, SUM_BITS, Hardware
from archmodel.requantiser import requantise


class Datapath:
    """Buffers of one engine as [bank, word, lane]; they outlive a Program, the bank pointers don't.

    Integers stand there as their values, floating-point numbers as their bit patterns.
    """

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware
        lanes = {"X": hardware.rows, "Y": hardware.cols, "Z": hardware.cols, "P": hardware.cols * 3}
        self.words = {name: np.zeros((hardware.banks, hardware.depth(name), lanes[name]), dtype=np.int64) for name in BUFFERS}
        self.restart()

    def restart(self) -> None:
        """What a start pulse does: every bank pointer returns to bank 0."""
        self.fill = dict.fromkeys(BUFFERS, 0)
        self.use = dict.fromkeys(BUFFERS, 0)
        self._stored = dict.fromkeys(BUFFERS, 0)

    def execute(self, unit: str, name: str, fields: dict[str, int], memory: Any) -> None:
        if name == "sync":
            return
        {"load": self._load, "exec": self._exec, "store": self._store}[unit](fields, memory)

    def _turn(self, pointers: dict[str, int], buffer: str, swap: int) -> None:
        if swap:
            pointers[buffer] = (pointers[buffer] + 1) % self.hardware.banks

    def _load(self, fields: dict[str, int], memory: Bytes) -> None:
        name = BUFFERS[fields["buffer"]]
        bank = self.words[name][self.fill[name]]
        data = self._unpack(name, memory[addresses(fields, self.hardware.beats(name), self.hardware.port_bytes, memory)])
        for row in range(fields["outer"]):
            at = fields["sram"] + row * fields["pitch"]
            window(bank, name, at, fields["inner"])[:] = data[row]
        self._turn(self.fill, name, fields["swap"])
        self._turn(self.fill, "Z", fields["turn_z"])

    def _unpack(self, name: str, data: Bytes) -> Words:
        bits = {"X": self.hardware.x_bits, "Y": self.hardware.y_bits, "Z": SUM_BITS, "P": SUM_BITS}[name]
        if bits == 4:
            nibbles = np.stack((data & 15, data >> 4), axis=-1).reshape(*data.shape[:-1], -1).astype(np.int64)
            return (nibbles ^ 8) - 8
        return np.ascontiguousarray(data).view(f"<{'u' if self.hardware.is_float else 'i'}{bits // 8}").astype(np.int64)

    def _exec(self, fields: dict[str, int], memory: Bytes) -> None:
        del memory
        x, y, z = (self.words[name][self.use[name]] for name in "XYZ")
        depth = self.hardware.rows if not fields["output"] else fields["t"]
        height = self.hardware.rows if fields["output"] else fields["t"]
        for outer in range(fields["outer"]):
            accumulate = fields["acc_rest"] if outer else fields["acc_first"]
            busy = depth - (fields["idle"] if outer == fields["outer"] - 1 else 0)
            for inner in range(fields["inner"]):
                xs, ys, zs = (fields[b] + inner * fields[f"{b}0"] + outer * fields[f"{b}1"] for b in "xyz")
                stream = window(x, "X", xs, fields["t"])
                factors = (stream.T if fields["output"] else stream), window(y, "Y", ys, depth)
                target = window(z, "Z", zs, height)
                if self.hardware.is_float:
                    target[:] = floating.add(self._fold(*factors, busy), target * accumulate)
                else:
                    target[:] = _wrap(factors[0] @ factors[1] + target * accumulate)
        for buffer in "XYZ":
            self._turn(self.use, buffer, fields[f"swap_{buffer.lower()}"])

    def _fold(self, left: Words, right: Words, busy: int) -> Words:
        """Sums of products in the order of the hardware, down a column or through time; from ``busy`` on, of +0 times +0."""
        sums = np.zeros((left.shape[0], right.shape[1]), dtype=np.int64)
        for k in range(len(right)):
            a, b = (left[:, k, None], right[None, k]) if k < busy else (np.zeros_like(left[:, k, None]), np.zeros_like(right[None, k]))
            sums = floating.multiply_add(a, b, sums, self.hardware.x, self.hardware.y)
        return sums

    def _store(self, fields: dict[str, int], memory: Bytes) -> None:
        pointers = self._stored
        bank = self.words["Z"][pointers["Z"]]
        rows = [window(bank, "Z", fields["sram"] + row * fields["pitch"], fields["inner"]) for row in range(fields["outer"])]
        data = np.stack(rows)
        if fields["requantise"]:
            out = self._requantised(data, fields).astype(f"<u{self.hardware.result.bits // 8}")
            self._turn(pointers, "P", 1)
        else:
            out = data.astype("<u4")
        beats = self.hardware.beats("Q" if fields["requantise"] else "Z")
        memory[addresses(fields, beats, self.hardware.port_bytes, memory)] = np.ascontiguousarray(out).view(np.uint8)
        self._turn(pointers, "Z", fields["swap"])

    def _requantised(self, data: Words, fields: dict[str, int]) -> Words:
        """Results of Z words [outer, inner, lane]; a P word belongs to a row, or a lane of it to each word."""
        bank, cols = self.words["P"][self._stored["P"]], self.hardware.cols
        if fields["broadcast"]:
            count = -(-fields["inner"] // cols)
            lanes = window(bank, "P", fields["params"], count).reshape(count * cols, 3)[: fields["inner"]]
            parameters = lanes[None, :, None, :]
        else:
            parameters = window(bank, "P", fields["params"], fields["outer"]).reshape(-1, 1, cols, 3)
        bias, factor, shift = (parameters[..., i] for i in range(3))
        if self.hardware.is_float:
            return floating.requantise(data, bias, factor, self.hardware.result)
        return requantise(data, bias, factor, shift)


def _wrap(values: Words) -> Words:
    """Two's complement of 32 bits."""
    return ((values + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
