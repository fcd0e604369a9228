"""The state that data pass through, and what each command does to it: every bit of it, no cycles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archmodel.buffers import Bytes, Words, addresses, window
from archmodel.records.engines.attention import BUFFERS, STATE_OTHERS, STATE_RD, STATE_RM, Hardware

from .arithmetic import Arithmetic, arithmetic_of, exponential

Fields = Mapping[str, int]
FLAGS = {"Q": "swap_q", "K": "swap_kv", "V": "swap_kv", "M": "swap_m", "O": "swap_o"}
"""The flag of an attend command after which it goes on with the next bank of a buffer."""


class Datapath:
    """Buffers of one engine as [bank, word, lane] and the lanes' state as [word, lane]; they outlive a Program, the bank
    pointers don't.

    Integers stand there as their values, floating-point numbers as their bit patterns, bits of M as 0 and 1.
    """

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware
        lanes = {"Q": hardware.cols, "K": hardware.rows, "V": hardware.rows, "M": hardware.rows * hardware.cols, "O": hardware.cols}
        self.words = {name: np.zeros((hardware.banks_of(name), hardware.depth(name), size), dtype=np.int64) for name, size in lanes.items()}
        self.state = np.zeros((hardware.depth("S"), hardware.cols), dtype=np.int64)

    def restart(self, configure: Fields) -> None:
        """What a start pulse does: every bank pointer returns to bank 0; the Program's ``configure`` says e, f and shifts."""
        self.moved, self.use = (dict.fromkeys(FLAGS, 0) for _ in range(2))
        self.e, self.f = configure["e"], configure["f"]
        self.arithmetic: Arithmetic = arithmetic_of(self.hardware, configure["shift"], configure["out_shift"])

    def execute(self, unit: str, name: str, fields: Fields, memory: Bytes) -> None:
        if name == "attend":
            self._attend(fields)
        elif name == "move":
            (self._load if unit == "load" else self._store)(fields, memory)

    def _bank(self, pointers: dict[str, int], buffer: str) -> Words:
        return self.words[buffer][pointers[buffer]]

    def _turn(self, pointers: dict[str, int], buffer: str, swap: int) -> None:
        if swap:
            pointers[buffer] = (pointers[buffer] + 1) % self.hardware.banks_of(buffer)

    # --- Moves ------------------------------------------------------------------------------------------------------------

    def _load(self, fields: Fields, memory: Bytes) -> None:
        name = BUFFERS[fields["buffer"]]
        bank = self._bank(self.moved, name)
        data = self._unpack(name, memory[addresses(fields, self.hardware.beats(name), self.hardware.port_bytes, memory)])
        for row in range(fields["outer"]):
            window(bank, name, fields["sram"] + row * fields["pitch"], fields["inner"])[:] = data[row]
        self._turn(self.moved, name, fields["swap"])

    def _unpack(self, name: str, data: Bytes) -> Words:
        """[outer, inner, byte] to [outer, inner, lane]."""
        if name == "M":
            return np.unpackbits(data, axis=-1, count=self.hardware.bits("M"), bitorder="little").astype(np.int64)
        kind = "<u2" if self.hardware.is_float else "i1"
        return np.ascontiguousarray(data).view(kind).astype(np.int64)

    def _store(self, fields: Fields, memory: Bytes) -> None:
        bank, width = self._bank(self.moved, "O"), self.hardware.element.bits // 8
        data = np.stack([window(bank, "O", fields["sram"] + row * fields["pitch"], fields["inner"]) for row in range(fields["outer"])])
        where = addresses(fields, self.hardware.beats("O"), self.hardware.port_bytes, memory)
        memory[where] = np.ascontiguousarray(data.astype(f"<u{width}")).view(np.uint8)
        self._turn(self.moved, "O", fields["swap"])

    # --- Tiles ------------------------------------------------------------------------------------------------------------

    def _attend(self, fields: Fields) -> None:
        """``count`` tiles of queries, beside each other as [.., count * cols]."""
        count, state = fields["count"], self._state(fields)
        if fields["finish"]:
            inverse = self.arithmetic.reciprocal(state[STATE_RD])
            results = self.arithmetic.output(state[STATE_OTHERS:], inverse)
            o = window(self._bank(self.use, "O"), "O", fields["o"], count * self.f)
            o[:] = results.reshape(self.f, count, -1).swapaxes(0, 1).reshape(o.shape)
        else:
            updated = self._tile(fields, state)
            words = window(self.state, "S", fields["state"], count * (self.f + STATE_OTHERS))
            words[:] = updated.reshape(self.f + STATE_OTHERS, count, -1).swapaxes(0, 1).reshape(words.shape)
        for buffer, flag in FLAGS.items():
            self._turn(self.use, buffer, fields[flag])

    def _state(self, fields: Fields) -> Words:
        """[word, count * cols] of RM, RD, RNV; of a first tile what stands for nothing."""
        words = window(self.state, "S", fields["state"], fields["count"] * (self.f + STATE_OTHERS))
        state = words.reshape(fields["count"], self.f + STATE_OTHERS, -1).swapaxes(0, 1).reshape(self.f + STATE_OTHERS, -1)
        if not fields["first"]:
            return state
        fresh = np.zeros_like(state)
        fresh[STATE_RM] = self.arithmetic.lowest
        return fresh

    def _tile(self, fields: Fields, state: Words) -> Words:
        """The state after one tile of keys, in the order of the hardware: e by e, then down the rows."""
        unit, running = self.arithmetic, state[STATE_RM]
        score = self._scores(fields)
        hidden = unit.hidden(self._seen(fields), score)
        local = np.full_like(running, unit.lowest)
        for row in np.where(hidden, unit.lowest, score):
            local = unit.larger(local, row)
        maximum = unit.maximum(running, local)
        power, back = unit.power(score, maximum), unit.power(running, maximum)
        weight = unit.weight(exponential(unit, power), power, hidden)
        prm = unit.rescale(exponential(unit, back), back, running == unit.lowest)
        v = window(self._bank(self.use, "V"), "V", 0, self.f)
        below, values = np.zeros_like(running), np.zeros_like(state[STATE_OTHERS:])
        for row in range(self.hardware.rows):
            below = unit.add_weight(below, weight[row])
            values = unit.add_value(values, weight[row], v[:, row, None], hidden[row])
        update = unit.scaled if self.hardware.rescale == "fused" else unit.split
        return np.vstack((maximum[None], update(state[STATE_RD], prm, below)[None], update(state[STATE_OTHERS:], prm[None], values)))

    def _scores(self, fields: Fields) -> Words:
        """[rows, count * cols]: K*Q."""
        count, e = fields["count"], self.e
        k = window(self._bank(self.use, "K"), "K", 0, e)
        q = window(self._bank(self.use, "Q"), "Q", fields["q"], count * e).reshape(count, e, -1).swapaxes(0, 1).reshape(e, -1)
        score = np.zeros((self.hardware.rows, q.shape[1]), dtype=np.int64)
        for index in range(e):
            score = self.arithmetic.multiply_add(k[index][:, None], q[index][None], score)
        return score

    def _seen(self, fields: Fields) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """[rows, count * cols], the same pattern for each of the command's tiles."""
        rows, cols = self.hardware.rows, self.hardware.cols
        if not fields["masked"]:
            return np.ones((rows, fields["count"] * cols), dtype=np.bool_)
        pattern = window(self._bank(self.use, "M"), "M", fields["pattern"], 1).reshape(rows, cols)
        return np.tile(pattern != 0, fields["count"])
