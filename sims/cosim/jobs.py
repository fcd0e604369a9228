"""Random GEMM jobs: a tiling that the hardware can execute, operands, the packed memory image, the golden result."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from archmodel.engines.systolic.closed_form import price
from archmodel.engines.systolic.lower import Bases, lower
from archmodel.engines.systolic.tiling import RANKS, Tiling, ceil_div, fits, flow_ranks, quantum
from archmodel.memory.port import Port
from archmodel.memory.stalls import Stalls, random_stalls
from archmodel.records.base import to_plain
from archmodel.records.engines.systolic import OUTPUT_PARAMETER_BYTES, SUM_BITS, Hardware
from archmodel.records.program import Program

from . import floats

LONG, MANY, MOST_STEPS = 400, 60, 24
"""Extents and steps of wide jobs."""
PLAIN_INTS = ("m", "n", "k", "tile_m", "tile_n", "tile_k")
Bytes = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Operands:
    """A [m,k], B [k,n], the initial sums [m,n] and the output parameters per n; of floating point, bit patterns."""

    a: Matrix
    b: Matrix
    initial: Matrix
    parameters: Matrix


@dataclass(frozen=True, eq=False)
class Job:
    tiling: Tiling
    hardware: Hardware
    port: Port
    stalls: Stalls | None
    operands: Operands
    bases: Bases
    memory: Bytes
    program: Program
    seed: int
    recipe: str
    """Arguments of ``python -m sims.cosim.repeat`` that give this job again, beside the hardware."""

    @property
    def shape(self) -> Tiling:
        return self.tiling

    def wanted(self) -> Matrix:
        """The result [m, n] by definition."""
        return golden(self.tiling, self.operands, self.hardware)

    def found(self, memory: Bytes) -> Matrix:
        """The result [m, n] as it stands in memory after a run."""
        return unpack_result(self, memory)

    def price(self) -> int:
        return int(price(self.tiling, self.hardware, self.port).cycles[0])


def draw_operands(tiling: Tiling, hardware: Hardware, rng: np.random.Generator) -> Operands:
    """Operands over their whole range or tiny; sums and parameters that reach wrapping, saturation and exact halves."""
    if hardware.is_float:
        return Operands(*floats.operands(tiling, hardware, rng))
    x, y = (-(1 << bits - 1) for bits in (hardware.x_bits, hardware.y_bits))
    a_low, b_low = (-2, -2) if rng.integers(2) else (y, x) if tiling.flow == "is" else (x, y)
    a = rng.integers(a_low, -a_low, (tiling.m, tiling.k))
    b = rng.integers(b_low, -b_low, (tiling.k, tiling.n))
    return Operands(a, b, _initial(tiling, rng), _parameters(tiling.n, rng))


def _initial(tiling: Tiling, rng: np.random.Generator) -> Matrix:
    """Zeros, or sums of which a quarter is so large that they wrap soon."""
    shape = (tiling.m, tiling.n)
    if not tiling.init:
        return np.zeros(shape, dtype=np.int64)
    edge = rng.choice(np.array([-(1 << 31), (1 << 31) - 1])) + 0 * rng.integers(0, 2, shape)
    return np.where(rng.random(shape) < 0.25, edge, rng.integers(-(1 << 17), 1 << 17, shape))


def _parameters(channels: int, rng: np.random.Generator) -> Matrix:
    """(bias, multiplier, shift) of each channel: ordinary ones, powers of two (exact halves are frequent), extremes."""
    kind = rng.choice(3, channels, p=(0.5, 0.4, 0.1))
    power = rng.integers(0, 31, channels)
    spread = np.choose(kind, (1 << 15, 1 << 6, 1 << 31))
    multiplier = np.where(kind == 1, 1 << power, rng.integers(0, 1 << 31, channels))
    shift = np.choose(kind, (rng.integers(30, 42, channels), power + rng.integers(1, 12, channels), rng.integers(0, 64, channels)))
    return np.stack((rng.integers(-spread, spread), multiplier, shift), axis=-1)


def draw_words(buffer: str, words: int, hardware: Hardware, rng: np.random.Generator) -> Bytes:
    """Bytes of so many words for a buffer (X, Y, Z or P) as they lie in memory, whatever tensor they belong to."""
    if hardware.is_float:
        return floats.draw_words(buffer, words, hardware, rng)
    if buffer == "P":
        return _parameters(words * hardware.cols, rng).astype("<u4").view(np.uint8).reshape(-1)
    return rng.integers(0, 256, words * hardware.beats(buffer) * hardware.port_bytes, dtype=np.uint8)


def golden(tiling: Tiling, operands: Operands, hardware: Hardware) -> Matrix:
    """The result by definition: every product added in exact integers, wrapped to 32 bits, then requantised; of floating
    point in the engine's order, each sum rounded."""
    if hardware.is_float:
        return floats.golden(tiling, hardware, operands.a, operands.b, operands.initial, operands.parameters)
    total = operands.initial + operands.a @ operands.b
    total = ((total + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
    if not tiling.requantise:
        return total
    bias, multiplier, shift = (operands.parameters[:, i] for i in range(3))
    return requantise(total, bias, multiplier, shift)


def requantise(values: Matrix, bias: Matrix, multiplier: Matrix, shift: Matrix) -> Matrix:
    """Python's own integers and fractions, whose ``round`` goes half to even: no step of the model's arithmetic."""
    arrays = (part.ravel().tolist() for part in np.broadcast_arrays(values, bias, multiplier, shift))
    exact = [min(127, max(-128, round(Fraction((v + b) * m, 1 << s)))) for v, b, m, s in zip(*arrays, strict=True)]
    return np.array(exact, dtype=np.int64).reshape(values.shape)


def _words(matrix: Matrix, lanes: int, bits: int, padding: np.random.Generator | None = None) -> Bytes:
    """[lane, index] to packed words [lane group][index][lane], padded with zeros, or with anything."""
    shape = (ceil_div(matrix.shape[0], lanes) * lanes, matrix.shape[1])
    padded = padding.integers(0, 1 << bits, shape) if padding else np.zeros(shape, dtype=np.int64)
    padded[: matrix.shape[0]] = matrix
    words = padded.reshape(-1, lanes, matrix.shape[1]).transpose(0, 2, 1)
    if bits == 4:
        return ((words[..., 0::2] & 15) | (words[..., 1::2] & 15) << 4).astype(np.uint8).reshape(-1)
    return np.ascontiguousarray(words.astype(f"<u{bits // 8}")).view(np.uint8).reshape(-1)


def _pack(tiling: Tiling, hardware: Hardware, operands: Operands, rng: np.random.Generator) -> tuple[dict[str, Bytes], tuple[int, int]]:
    """Memory image of each tensor, and the shape [lane, index] of Z.  Floating point relies on no padding being zero."""
    padding = rng if hardware.is_float else None
    matrix = {("k", "m"): operands.a.T, ("m", "k"): operands.a, ("k", "n"): operands.b, ("n", "k"): operands.b.T,
              ("n", "m"): operands.initial.T, ("m", "n"): operands.initial}  # fmt: skip
    roles = flow_ranks(tiling.flow)
    z = matrix[roles.y_lane, roles.z_index]
    rows = ceil_div(tiling.n, hardware.cols) * hardware.cols
    parameters = np.zeros((rows, 3), dtype=np.int64)
    parameters[: tiling.n] = operands.parameters
    images = {
        "x": _words(matrix[roles.x_lane, roles.x_index], hardware.rows, hardware.x_bits, padding),
        "y": _words(matrix[roles.y_lane, roles.y_index], hardware.cols, hardware.y_bits, padding),
        "z": _words(z, hardware.cols, SUM_BITS),
        "q": np.zeros(_words(z, hardware.cols, hardware.result.bits).size, dtype=np.uint8),
        "p": parameters.astype("<u4").view(np.uint8).reshape(-1),
    }
    assert images["p"].size == rows * OUTPUT_PARAMETER_BYTES
    return images, z.shape


def unpack_result(job: Job, memory: Bytes) -> Matrix:
    """The result [m, n] as it stands in memory after a run."""
    tiling, hw = job.tiling, job.hardware
    shape = (tiling.n, tiling.m) if flow_ranks(tiling.flow).y_lane == "n" else (tiling.m, tiling.n)
    base, bits = (job.bases.q, hw.result.bits) if tiling.requantise else (job.bases.z, SUM_BITS)
    kind = f"<{'u' if hw.is_float else 'i'}{bits // 8}"
    groups = ceil_div(shape[0], hw.cols)
    count = groups * shape[1] * hw.cols * np.dtype(kind).itemsize
    words = memory[base * hw.port_bytes :][:count].view(kind).reshape(groups, shape[1], hw.cols)
    matrix = words.transpose(0, 2, 1).reshape(groups * hw.cols, shape[1])[: shape[0]].astype(np.int64)
    return matrix.T if flow_ranks(tiling.flow).y_lane == "n" else matrix


def make_job(tiling: Tiling, hardware: Hardware, port: Port, stalls: Stalls | None, seed: int, recipe: str = "") -> Job:
    """The job of one tiling; ``seed`` draws operands, and where the tensors lie in memory."""
    rng = np.random.Generator(np.random.PCG64(seed))
    operands = draw_operands(tiling, hardware, rng)
    images, _ = _pack(tiling, hardware, operands, rng)
    bases, at = {}, int(rng.integers(0, 8))
    for name, image in images.items():
        bases[name] = at
        at += image.size // hardware.port_bytes + int(rng.integers(0, 8))
    memory = rng.integers(0, 256, at * hardware.port_bytes, dtype=np.uint8)
    for name, image in images.items():
        begin = bases[name] * hardware.port_bytes
        memory[begin : begin + image.size] = image
    where = Bases(**bases)
    recipe = recipe or _recipe(tiling, port, stalls, seed)
    return Job(tiling, hardware, port, stalls, operands, where, memory, lower(tiling, hardware, where), seed, recipe)


def _recipe(tiling: Tiling, port: Port, stalls: Stalls | None, seed: int) -> str:
    text = f"--seed {seed} --port {port.latency},{port.interval} --shape '{json.dumps(to_plain_tiling(tiling))}'"
    if stalls:
        text += f" --stalls {':'.join(''.join(map(str, bits)) for bits in (stalls.request, stalls.response))}"
    return text


def to_plain_tiling(tiling: Tiling) -> dict[str, object]:
    """Plain integers, strings and bools of a tiling of integers; ``plain_tiling`` is its inverse."""
    plain: dict[str, object] = to_plain(tiling)
    return {**plain, **{name: int(getattr(tiling, name)) for name in PLAIN_INTS}}


def plain_tiling(plain: dict[str, Any]) -> Tiling:
    """The tiling that ``to_plain_tiling`` wrote."""
    return Tiling(**{**plain, "order": tuple(plain["order"])})


def continue_job(first: Job, memory: Bytes, k: int, requantise: bool, seed: int) -> Job:
    """A job that adds ``k`` more products to the raw sums that ``first`` left in ``memory``; k is at most the first's.

    The second Program starts from these very words: its z base is the first's, everything else lies behind.
    """
    wanted = replace(first.tiling, k=k, tile_k=min(first.tiling.tile_k, k), init=True, requantise=requantise)
    tiling = wanted if fits(wanted, first.hardware) else replace(wanted, requantise=False)
    second = make_job(tiling, first.hardware, first.port, first.stalls, seed)
    offset = memory.size // first.hardware.port_bytes
    moved = {name: getattr(second.bases, name) + offset for name in ("x", "y", "q", "p")}
    bases = Bases(z=first.bases.z, **moved)
    operands = replace(second.operands, initial=golden(first.tiling, first.operands, first.hardware))
    return replace(second, operands=operands, bases=bases, memory=np.concatenate((memory, second.memory)),
                   program=lower(tiling, first.hardware, bases))  # fmt: skip


def random_tiling(hardware: Hardware, rng: np.random.Generator, largest: int = 40) -> Tiling:
    """A legal tiling, uniform over dataflow, order and sizes; tiles shrink until they fit."""
    flow = str(rng.choice(hardware.dataflows))
    first, second, third = (str(rank) for rank in rng.permutation(RANKS))
    size: dict[str, int] = {rank: int(rng.integers(1, largest + 1)) for rank in RANKS}
    while True:
        tile: dict[str, int] = {}
        for rank in RANKS:
            grain = quantum(flow, rank, hardware)
            tile[rank] = min(size[rank], grain * int(rng.integers(1, size[rank] // grain + 2)))
        tiling = Tiling(size["m"], size["n"], size["k"], tile["m"], tile["n"], tile["k"], flow, (first, second, third),
                        bool(rng.integers(2)), bool(rng.integers(2)))  # fmt: skip
        if fits(tiling, hardware):
            return tiling


def random_wide_tiling(hardware: Hardware, rng: np.random.Generator, largest: int = 40) -> Tiling:
    """Long streams (one extent up to 400) or many folds (all up to 60), in few steps."""
    long = bool(rng.integers(2))
    while True:
        most = dict.fromkeys(RANKS, largest if long else MANY)
        if long:
            most[str(rng.choice(RANKS))] = LONG
        flow = str(rng.choice(hardware.dataflows))
        size = {rank: int(rng.integers(1, most[rank] + 1)) for rank in RANKS}
        tile = {}
        for rank in RANKS:
            grain = quantum(flow, rank, hardware)
            tile[rank] = size[rank] if rng.random() < 0.5 else min(size[rank], grain * int(rng.integers(1, size[rank] // grain + 2)))
        first, second, third = (str(rank) for rank in rng.permutation(RANKS))
        tiling = Tiling(size["m"], size["n"], size["k"], tile["m"], tile["n"], tile["k"], flow, (first, second, third),
                        bool(rng.integers(2)), bool(rng.integers(2)))  # fmt: skip
        if fits(tiling, hardware) and math.prod(tiling.loops) <= MOST_STEPS:
            return tiling


def random_job(hardware: Hardware, seed: int, stalled: bool | None = None, largest: int = 40, wide: bool = False) -> Job:
    """A job of the given seed; ``stalled`` None leaves it to chance whether the port stalls.

    wide  far memory (latency up to 250, interval up to 8), and long streams or many folds in few steps
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    tiling = random_wide_tiling(hardware, rng, largest) if wide else random_tiling(hardware, rng, largest)
    latency = int(rng.integers(1, 251 if wide else 40))
    port = Port(latency, int(rng.integers(1, min(latency, 8 if wide else 4) + 1)))
    stall = bool(rng.integers(2)) if stalled is None else stalled
    length, request, response = int(rng.integers(2, 100)), rng.random() * 0.6, rng.random() * 0.6
    stalls = random_stalls(seed, length, request, response) if stall else None
    recipe = f"--seed {seed} --largest {largest} --stalled {int(stall)} --wide {int(wide)}"
    return make_job(tiling, hardware, port, stalls, seed, recipe)
