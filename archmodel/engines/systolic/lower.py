"""From a tiling to the Program that executes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archmodel.records.base import SpecError
from archmodel.records.commands import ADDRESS_REGISTERS, EXEC, LOAD, STORE
from archmodel.records.engines.systolic import BUFFERS, ISA_VERSION, TYPE, Hardware, instruction
from archmodel.records.program import Program, hardware_id

from .tiling import Tiling, ceil_div, check, flow_ranks, sizes_at, step, words_of

Index = tuple[int, int, int]
MOST_INSTRUCTIONS = 27 * 4 + 2 * (1 + 3 + 9) + 2
"""No stream is longer: four commands in each of 27 leaves, three nested loops in each of three parts, a sync and a halt."""
ADDRESS_BEATS = 32
"""Bits of a memory address, which counts beats."""
Steps = tuple[int, ...]
"""What each address register gains per iteration of a loop."""


@dataclass(frozen=True)
class Bases:
    """Where the packed tensors begin in memory, in beats of the port; z holds raw sums, q requantised results."""

    x: int
    y: int
    z: int
    q: int
    p: int


@dataclass(frozen=True)
class Command:
    """A move or exec whose memory address is still relative: ``base`` plus the address registers."""

    name: str
    fields: tuple[tuple[str, int], ...]
    registers: tuple[int, ...] = ()
    base: int = 0

    def encode(self) -> bytes:
        return instruction(self.name, **dict(self.fields), **({"base": self.base} if self.registers else {}))

    def moved(self, steps: Steps) -> Command:
        """The same command one iteration later."""
        return Command(self.name, self.fields, self.registers, self.base + sum(steps[r] for r in self.registers))


@dataclass(frozen=True)
class Repeat:
    """A loop: its body, how often, and what the address registers gain per iteration."""

    count: int
    steps: Steps
    body: tuple[Command | Repeat, ...]

    def moved(self, steps: Steps) -> Repeat:
        return Repeat(self.count, self.steps, tuple(item.moved(steps) for item in self.body))


Code = tuple[Command | Repeat, ...]


def lower(tiling: Tiling, hardware: Hardware, bases: Bases) -> Program:
    """The Program of a tiling of plain integers.  Raises SpecError where the hardware cannot execute it."""
    check(tiling, hardware)
    strides = _Strides(tiling, hardware)
    strides.refuse_far(bases)
    leaves: tuple[Callable[[Index], Code], ...] = (
        lambda index: _load(tiling, hardware, bases, strides, index),
        lambda index: _exec(tiling, hardware, index),
        lambda index: _store(tiling, hardware, bases, strides, index),
    )
    still: dict[str, Steps] = {rank: (0,) * ADDRESS_REGISTERS for rank in "mnk"}
    steps: tuple[dict[str, Steps], ...] = (strides.load, still, strides.store)
    streams = [_nest(tiling, leaf, step) for leaf, step in zip(leaves, steps, strict=True)]
    if hardware.banks == 2:
        streams[2] = (Command("sync", (("signal", LOAD),)), *streams[2])
    encoded = [(*_flatten(stream), instruction("halt")) for stream in streams]
    for name, stream in zip(("load", "exec", "store"), encoded, strict=True):
        if len(stream) > hardware.program_words:
            raise SpecError(f"lower: {len(stream)} instructions for the {name} unit, and its sequencer holds "
                            f"{hardware.program_words}; raise program_words")  # fmt: skip
    return Program(TYPE, ISA_VERSION, hardware_id(hardware), tuple(b"".join(stream) for stream in encoded))


class _Strides:
    """Memory addresses of tiles, in beats: each tensor lies as [lane group][index], a word at a time."""

    def __init__(self, tiling: Tiling, hardware: Hardware) -> None:
        roles = flow_ranks(tiling.flow)
        self.tiling, self.hardware = tiling, hardware
        self.row = {"X": tiling.extent(roles.x_index), "Y": tiling.extent(roles.y_index), "Z": tiling.extent(roles.z_index)}
        lanes = {"X": (roles.x_lane, roles.x_index, hardware.rows), "Y": (roles.y_lane, roles.y_index, hardware.cols),
                 "Z": (roles.y_lane, roles.z_index, hardware.cols)}  # fmt: skip
        self.lanes = lanes
        words = {name: {lane: ceil_div(tiling.tile(lane), width) * self.row[name], index: tiling.tile(index)}
                 for name, (lane, index, width) in lanes.items()}  # fmt: skip
        words["P"] = {"n": ceil_div(tiling.tile("n"), hardware.cols)}
        self.words = words
        self.load: dict[str, Steps] = {rank: tuple(self.beats(name, name, rank) for name in BUFFERS) for rank in "mnk"}
        self.store: dict[str, Steps] = {rank: (self.beats("Z", "Z", rank), self.beats("Z", "Q", rank), 0, 0) for rank in "mnk"}

    def refuse_far(self, bases: Bases) -> None:
        """Raises SpecError when a tensor reaches beyond the 32 bits of an address."""
        groups = {name: ceil_div(self.tiling.extent(lane), width) for name, (lane, _, width) in self.lanes.items()}
        ends = {name: getattr(bases, name.lower()) + groups[name] * self.row[name] * self.hardware.beats(name) for name in groups}
        for name, end in ends.items():
            if end >= 1 << ADDRESS_BEATS:
                raise SpecError(f"lower: operand {name} ends at beat {end:,}, and an address has {ADDRESS_BEATS} bits; place it lower "
                                "or split the product")  # fmt: skip

    def beats(self, tensor: str, word: str, rank: str) -> int:
        """Beats from one tile of a tensor to the next along a rank; ``word`` says how wide its words are there."""
        return self.words[tensor].get(rank, 0) * self.hardware.beats(word)

    def offset(self, tensor: str, word: str, index: Index) -> int:
        return sum(i * self.beats(tensor, word, rank) for rank, i in zip(self.tiling.order, index, strict=True))


def _nest(tiling: Tiling, leaf: Callable[[Index], Code], steps: dict[str, Steps], index: tuple[int, ...] = ()) -> Code:
    """Code of the loops inside ``index``: first, middle and last iteration apart, alike neighbours merged."""
    if len(index) == 3:
        return leaf(index)
    gain, count = steps[tiling.order[len(index)]], tiling.loops[len(index)]
    parts = [(1, _nest(tiling, leaf, steps, (*index, 0)))]
    if count > 2:
        parts.append((count - 2, _nest(tiling, leaf, steps, (*index, 1))))
    if count > 1:
        parts.append((1, _nest(tiling, leaf, steps, (*index, count - 1))))
    merged: list[tuple[int, Code]] = []
    for times, code in parts:
        if merged and _moved(merged[-1][1], gain, merged[-1][0]) == code:
            merged[-1] = (merged[-1][0] + times, merged[-1][1])
        else:
            merged.append((times, code))
    return tuple(item for times, code in merged for item in (code if times == 1 else (Repeat(times, gain, code),)))


def _moved(code: Code, steps: Steps, times: int) -> Code:
    far = tuple(step * times for step in steps)
    return tuple(item.moved(far) for item in code)


def _flatten(code: Code) -> list[bytes]:
    out: list[bytes] = []
    for item in code:
        if isinstance(item, Command):
            out.append(item.encode())
        else:
            gains = {f"step{r}": gain for r, gain in enumerate(item.steps)}
            out += [instruction("loop", count=item.count, **gains), *_flatten(item.body), instruction("end")]
    return out


def _load(tiling: Tiling, hardware: Hardware, bases: Bases, strides: _Strides, index: Index) -> Code:
    """Loads of one step: what enters; the first waits for the store unit, the last tells the others."""
    now, words = step(tiling, index), words_of(tiling, sizes_at(tiling, index), hardware)
    wanted = {"X": (now.x_enters, words.x_rows, words.x_cols, words.x_cols),
              "Y": (now.y_enters, words.y_rows, words.y_cols, words.y_pitch),
              "Z": (now.z_enters and (now.resumes or tiling.init), words.y_rows, words.z_cols, words.z_pitch),
              "P": (now.final and tiling.requantise, 1, words.p, words.p)}  # fmt: skip
    names = [name for name in BUFFERS if wanted[name][0]]
    base = {"X": bases.x, "Y": bases.y, "Z": bases.z, "P": bases.p}
    begins = index == (0, 0, 0)
    commands = []
    for name in names:
        _, rows, cols, pitch = wanted[name]
        fields = {
            "wait": STORE if name == names[0] and not begins else 0,
            "signal": (EXEC if begins or hardware.banks == 1 else EXEC | STORE) if name == names[-1] else 0,
            "buffer": BUFFERS.index(name), "register": BUFFERS.index(name), "swap": 1,
            "inner": int(cols), "outer": int(rows), "pitch": int(pitch),
            "stride": strides.row[name] * hardware.beats(name) if name != "P" else 0,
            "turn_z": int(name == names[-1] and now.z_enters and "Z" not in names),
        }  # fmt: skip
        at = base[name] + strides.offset(name, name, index)
        commands.append(Command("move", tuple(fields.items()), (BUFFERS.index(name),), at))
    return tuple(commands)


def _exec(tiling: Tiling, hardware: Hardware, index: Index) -> Code:
    """The run of the array in one step."""
    now, words = step(tiling, index), words_of(tiling, sizes_at(tiling, index), hardware)
    output = tiling.flow == "os"
    # Of integers, a row without work adds products with zero lanes of X.  0 times infinity is no zero: such rows are named.
    idle = -int(sizes_at(tiling, index)["k"]) % hardware.rows if hardware.is_float and not output else 0
    accumulate = int(now.resumes or tiling.init)
    fields = {
        "wait": LOAD, "signal": STORE, "output": int(output), "acc_first": accumulate,
        "acc_rest": accumulate if output else 1, "swap_x": int(now.x_leaves), "swap_y": int(now.y_leaves),
        "swap_z": int(now.z_leaves), "t": int(words.x_cols), "outer": int(words.x_rows), "inner": int(words.y_rows),
        "x1": int(words.x_cols), "y0": int(words.y_pitch), "y1": 0 if output else hardware.rows,
        "z0": int(words.z_pitch), "z1": hardware.rows if output else 0, "idle": idle,
    }  # fmt: skip
    return (Command("exec", tuple(fields.items())),)


def _store(tiling: Tiling, hardware: Hardware, bases: Bases, strides: _Strides, index: Index) -> Code:
    """The store of one step: sums that leave, raw or requantised; a sync where nothing leaves."""
    now, words = step(tiling, index), words_of(tiling, sizes_at(tiling, index), hardware)
    ends = index == tuple(count - 1 for count in tiling.loops)
    wait = EXEC if ends or hardware.banks == 1 else EXEC | LOAD
    tokens = (("wait", wait), ("signal", 0 if ends else LOAD))
    if not now.z_leaves:
        return (Command("sync", tokens),)
    quantises = bool(now.final and tiling.requantise)
    word = "Q" if quantises else "Z"
    fields = {
        **dict(tokens), "buffer": BUFFERS.index("Z"), "swap": 1, "requantise": int(quantises),
        "broadcast": int(tiling.flow == "is"), "register": int(quantises), "inner": int(words.z_cols),
        "outer": int(words.y_rows), "pitch": int(words.z_pitch), "stride": strides.row["Z"] * hardware.beats(word),
    }  # fmt: skip
    at = (bases.q if quantises else bases.z) + strides.offset("Z", word, index)
    return (Command("move", tuple(fields.items()), (int(quantises),), at),)
