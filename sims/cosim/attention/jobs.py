"""Random jobs of the attention engine: work under any mask, operands, the packed memory image, the golden result."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from archmodel.engines.attention import price
from archmodel.engines.attention.lower import Bases, lower, patterns
from archmodel.engines.attention.tiling import Attention, blocks, most_in_block, query_tiles
from archmodel.masks import visible
from archmodel.memory.port import Port
from archmodel.memory.stalls import Stalls, random_stalls
from archmodel.records.base import SpecError, from_plain, to_plain
from archmodel.records.engines.attention import Hardware
from archmodel.records.mask import Mask
from archmodel.records.program import Program

from .golden import golden
from .operands import Operands, draw_operands

Bytes = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Rng = np.random.Generator
MASKS = ("none", "causal", "window", "sink", "blocks", "pages", "all")
"""Shapes of masks that are drawn; `all` combines them."""


@dataclass(frozen=True, eq=False)
class Job:
    """``size``: tiles of queries in a block, 0 for as many as fit.  ``operands``: of each head."""

    work: Attention
    size: int
    hardware: Hardware
    port: Port
    stalls: Stalls | None
    operands: tuple[Operands, ...]
    bases: Bases
    memory: Bytes
    program: Program
    seed: int
    recipe: str

    @property
    def shape(self) -> str:
        return f"{self.work}, blocks of {self.size or 'as many tiles as fit'}"

    @cached_property
    def seen(self) -> Bools:
        """[packed queries, keys], of every head."""
        return visible(self.work.mask, np.arange(self.work.packed) // self.work.group, np.arange(self.work.keys))

    def wanted(self) -> Matrix:
        """[head, query, f] by definition."""
        return self._golden

    @cached_property
    def _golden(self) -> Matrix:
        return np.stack([golden(of.q, of.k, of.v, self.seen, self.hardware, self.work.shift, self.work.out_shift) for of in self.operands])

    def found(self, memory: Bytes) -> Matrix:
        """[head, query, f] as it stands in memory after a run."""
        work, hw = self.work, self.hardware
        shape = (work.heads, query_tiles(work, hw), work.f, hw.cols)
        kind = "<u2" if hw.is_float else "i1"
        words = memory[self.bases.o * hw.port_bytes :][: int(np.prod(shape)) * np.dtype(kind).itemsize].view(kind).reshape(shape)
        return words.swapaxes(2, 3).reshape(work.heads, -1, work.f)[:, : work.packed].astype(np.int64)

    def price(self) -> int:
        return price(self.work, self.hardware, self.port, self.size).cycles


# --- Memory -----------------------------------------------------------------------------------------------------------


def _words(matrix: Matrix, lanes: int, hardware: Hardware, rng: Rng) -> Bytes:
    """[vector, element] to packed words [tile][element][lane]; lanes behind the last vector hold anything."""
    bits, tiles = hardware.element.bits, -(-len(matrix) // lanes)
    padded = rng.integers(0, 1 << bits, (tiles * lanes, matrix.shape[1]))
    padded[: len(matrix)] = matrix
    words = padded.reshape(tiles, lanes, -1).swapaxes(1, 2) & (1 << bits) - 1
    return np.ascontiguousarray(words.astype(f"<u{bits // 8}")).view(np.uint8).reshape(-1)


def _pattern_words(of: Bools, hardware: Hardware) -> Bytes:
    """[pattern, row, column] to words of M: bit r*cols + c, and zeros up to whole beats."""
    packed = np.packbits(of.reshape(len(of), hardware.rows * hardware.cols), axis=1, bitorder="little")
    words = np.zeros((len(of), hardware.beats("M") * hardware.port_bytes), dtype=np.uint8)
    words[:, : packed.shape[1]] = packed
    return words.reshape(-1)


def _images(work: Attention, size: int, hardware: Hardware, operands: tuple[Operands, ...], rng: Rng) -> dict[str, Bytes]:
    """The packed tensors, each as its base names it."""
    heads = {name: np.concatenate([_words(getattr(of, name), lanes, hardware, rng) for of in operands])
             for name, lanes in (("q", hardware.cols), ("k", hardware.rows), ("v", hardware.rows))}  # fmt: skip
    result = work.heads * query_tiles(work, hardware) * work.f * hardware.beats("O") * hardware.port_bytes
    return {**heads, "m": _pattern_words(patterns(work, hardware, size), hardware), "o": np.zeros(result, dtype=np.uint8)}


def make_job(work: Attention, hardware: Hardware, port: Port, stalls: Stalls | None, seed: int, size: int = 0, recipe: str = "") -> Job:
    """The job of one attention; ``seed`` draws operands, and where the tensors lie in memory."""
    rng = np.random.Generator(np.random.PCG64(seed))
    operands = tuple(draw_operands(hardware, work.packed, work.keys, work.e, work.f, rng) for _ in range(work.heads))
    images = _images(work, size, hardware, operands, rng)
    bases, at = {}, int(rng.integers(0, 8))
    for name, image in images.items():
        bases[name] = at
        at += image.size // hardware.port_bytes + int(rng.integers(0, 8))
    memory = rng.integers(0, 256, at * hardware.port_bytes, dtype=np.uint8)
    for name, image in images.items():
        begin = bases[name] * hardware.port_bytes
        memory[begin : begin + image.size] = image
    where = Bases(**bases)
    return Job(work, size, hardware, port, stalls, operands, where, memory, lower(work, hardware, where, size), seed,
               recipe or _recipe(work, size, port, stalls, seed))  # fmt: skip


def _recipe(work: Attention, size: int, port: Port, stalls: Stalls | None, seed: int) -> str:
    text = f"--seed {seed} --port {port.latency},{port.interval} --shape '{json.dumps({'work': to_plain(work), 'size': size})}'"
    if stalls:
        text += f" --stalls {':'.join(''.join(map(str, bits)) for bits in (stalls.request, stalls.response))}"
    return text


def given_job(hardware: Hardware, shape: dict[str, Any], port: Port, stalls: Stalls | None, seed: int) -> Job:
    """The job of the work that a recipe wrote."""
    return make_job(from_plain(Attention, shape["work"]), hardware, port, stalls, seed, shape["size"])


# --- Random work ------------------------------------------------------------------------------------------------------


def random_mask(queries: int, keys: int, rng: Rng, kind: str = "") -> Mask:
    """Of one shape, drawn too if it is not given; some hide everything from some queries."""
    kind = kind or str(rng.choice(MASKS))
    parts: dict[str, Any] = {}
    if kind in ("causal", "all") or (kind in ("window", "sink") and rng.random() < 0.7):
        parts["causal"] = True
    parts["offset"] = int(rng.choice(np.array((0, max(0, keys - queries), rng.integers(0, keys + 3)))))
    parts["first"] = int(rng.choice(np.array((0, 0, rng.integers(0, keys + 2)))))
    if kind in ("window", "sink", "all"):
        parts["window"] = int(rng.integers(1, keys + 2))
    if kind in ("sink", "all"):
        parts["sink"] = int(rng.integers(1, keys + parts["first"] + 1))
    if kind in ("blocks", "pages", "all"):
        parts |= _random_blocks(queries, keys, 1 if kind == "pages" else int(rng.integers(1, 9)), rng)
    return Mask(**parts) if kind != "none" else Mask()


def _random_blocks(queries: int, keys: int, query_block: int, rng: Rng) -> dict[str, Any]:
    key_block, share = int(rng.integers(1, 9)), rng.choice((0.05, 0.4, 0.9))
    drawn = np.argwhere(rng.random((-(-queries // query_block), -(-keys // key_block))) < share)
    return {"query_block": query_block, "key_block": key_block, "blocks": tuple((int(a), int(b)) for a, b in drawn)}


def random_work(hardware: Hardware, rng: Rng, largest: int = 40) -> tuple[Attention, int]:
    """A work that the hardware can execute, and the size of its blocks."""
    heads_of = {"Q": hardware.q_words, "K": hardware.k_words, "V": hardware.v_words, "O": hardware.o_words, "S": hardware.s_words - 2}
    most_e, most_f = (min(max(2, largest // 2), *(heads_of[name] for name in names)) for names in ("QK", "VOS"))
    while True:
        e, f = int(rng.integers(1, most_e + 1)), int(rng.integers(1, most_f + 1))
        queries, keys, heads = int(rng.integers(1, largest + 1)), int(rng.integers(1, largest + 1)), int(rng.integers(1, 4))
        group = int(rng.integers(1, 9))
        queries = max(1, queries // group)
        shift = 0 if hardware.is_float else int(rng.integers(0, 14))
        out_shift = 0 if hardware.is_float else hardware.weight_bits + 30 - int(rng.choice((0, 0, 1, 4)))
        work = Attention(e, f, queries, keys, heads, group, random_mask(queries, keys, rng), shift, out_shift)
        try:
            size = int(rng.integers(0, most_in_block(work, hardware) + 1))
            blocks(work, hardware, size)
            lower(work, hardware, Bases(0, 0, 0, 0, 0), size)
        except SpecError:
            continue
        return work, size


def random_job(hardware: Hardware, seed: int, stalled: bool | None = None, largest: int = 40, wide: bool = False) -> Job:
    """A job of the given seed; ``stalled`` None leaves it to chance whether the port stalls.

    wide  far memory (latency up to 250, interval up to 8) and twice the extents
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    work, size = random_work(hardware, rng, 2 * largest if wide else largest)
    latency = int(rng.integers(1, 251 if wide else 40))
    port = Port(latency, int(rng.integers(1, min(latency, 8 if wide else 4) + 1)))
    stall = bool(rng.integers(2)) if stalled is None else stalled
    length, request, response = int(rng.integers(2, 100)), rng.random() * 0.6, rng.random() * 0.6
    stalls = random_stalls(seed, length, request, response) if stall else None
    recipe = f"--seed {seed} --largest {largest} --stalled {int(stall)} --wide {int(wide)}"
    return make_job(work, hardware, port, stalls, seed, size, recipe)
