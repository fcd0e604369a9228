"""Faults in the generated Verilog: many mutants in one simulator, one of them chosen at run time.

Every mutated expression becomes a choice between the right one and a wrong one by ``archmodel_fault::number``, which the
host writes through the program port at an address that no Program uses.  Number 0 is the unharmed hardware.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from archmodel.records.engines.systolic import Hardware

from .drive import Engine

SELECT_UNIT, SELECT_ADDRESS = 3, 0xFA17
PACKAGE = "package archmodel_fault;\n  int number = 0;\nendpackage\n"


def port(unit: int) -> str:
    """What goes into the top module, so that the host chooses a mutation by a write to ``unit``."""
    return f"""  always @(posedge clk)
    if (program_write && program_unit == 'd{unit} && program_address == 16'h{SELECT_ADDRESS:x})
      archmodel_fault::number <= program_data;
"""


PORT = port(SELECT_UNIT)


@dataclass(frozen=True)
class Mutation:
    """``line`` finds assignments in the modules whose name ends in ``module``; its group 1 is the right expression and
    ``wrong`` (which may name other groups as in ``re.sub``) takes its place."""

    name: str
    module: str
    line: str
    wrong: str


MUTATIONS = (
    Mutation("operands multiplied as unsigned", "pe", r"assign product = (.*);", "$signed({1'b0, x_in}) * $signed({1'b0, current})"),
    Mutation("sums of 16 bits", "pe", r"sum_out <= ((\S+) );", r"{{16{\g<2> [15]}}, \g<2> [15:0]}"),
    Mutation("stationary operand captured every cycle", "pe", r"shadow <= (.*);", "y_in"),
    Mutation("drained a cycle early", "pe", r"insert_out <= (.*);", "insert_in"),
    Mutation("running sum never restarted", "pe", r"accumulator <= ((\S+) );", r"\g<2> + 1"),
    Mutation("column 1 never captures", "executor_array", r"capture1_0 <= (.*);", "1'b0"),
    Mutation("folds after the first don't accumulate", "executor_z_folds", r"assign again = (.*);", "1'b0"),
    Mutation("bank of X never turned", "executor", r"assign swap_x = (.*);", "1'b0"),
    Mutation("outstanding limit ignored", "loader", r"assign request = (left & .*);", "left"),
    Mutation("load ends with its first row", "loader", r"assign finished = (word_ends & .*);", "word_ends"),
    Mutation("row stride dropped", "loader_asked", r"memory <= ((\S+) );", r"advance & row_ends ? memory + 1 : \g<2> "),
    Mutation("rounding dropped", "requantizer0", r"assign rounded = (\$signed\(([^)]+)\) \+ .*);", r"$signed(\g<2>)"),
    Mutation("saturation dropped", "requantizer1", r"assign result = (.*);", "rounded[7:0]"),
    Mutation("bank of P never turned", "storer", r"assign swap_p = (.*);", "1'b0"),
    Mutation("store ends with its first answer", "storer", r"assign finished = (response & .*);", "response"),
    Mutation("token to the store lost", "exec_sequencer", r"assign tokens_out = (.*);", "3'b000"),
    Mutation("load takes the port from a store", "archmodel_systolic", r"assign (?:\\allow\S+ |allow) = (.* & .*);", "1'b1"),
    Mutation("Z read from the other bank", "systolic_z", r"assign rdata0 = (\S+ \? (.*) : (.*));", r"\g<3>"),
    Mutation("address register of Y stuck", "load_sequencer", r"register1 <= (.*);", "32'd0"),
)

FLOAT_MUTATIONS = (
    Mutation("sticky bit dropped", "pe_multiply_add", r"assign sum_sticky = (.*);", "1'b0"),
    Mutation("rounded half up", "pe_multiply_add", r"assign sum_up = ((\S+) & .*);", r"\g<2>"),
    Mutation("NaN with a payload", "executor", r"assign total0 = (total0_nan \? \S+ : (.*));", r"total0_nan ? 32'h7fc00001 : \g<2>"),
    Mutation("subnormal operand flushed", "pe_multiply_add", r"assign product_significand = (.*);",
             "(x_normal ? {1'b1, x[6:0]} : 8'd0) * {y_normal, y[6:0]}"),
    Mutation("subnormal sum flushed", "pe_multiply_add", r"assign sum_packed = (.*);", r"sum_field == 0 ? 0 : (\g<1>)"),
    Mutation("sum of opposite numbers negative", "executor", r"assign total0_sign = (.*);",
             r"total0_magnitude == 0 ? total0_differ : (\g<1>)"),
    Mutation("infinity minus infinity infinite", "pe_multiply_add", r"assign sum_nan = (.*);", "product_nan | addend_nan"),
    Mutation("zero times infinity zero", "pe_multiply_add", r"assign product_nan = (.*);", "x_nan | y_nan"),
    Mutation("idle rows of Y at work", "executor", r"y_idle <= (.*);", "1'b0"),
    Mutation("idle rows of X at work", "executor", r"x_idle <= (.*);", "8'd0"),
    Mutation("sticky bit of Z's sum dropped", "executor", r"assign total0_sticky = (.*);", "1'b0"),
    Mutation("converted half up", "requantizer1", r"assign narrow_up = ((\S+) & .*);", r"\g<2>"),
)
"""Those of floating point; what integers share with it is broken above."""


def mutations_of(hardware: Hardware) -> tuple[Mutation, ...]:
    return FLOAT_MUTATIONS if hardware.is_float else MUTATIONS


def mutated(verilog: str, mutations: tuple[Mutation, ...] = MUTATIONS, top: str = "archmodel_systolic", port: str = PORT) -> str:
    """``verilog`` with every mutation in it (those of the engine by default), none chosen.

    port  what goes into module ``top`` to choose one

    Raises ValueError when a mutation finds no line to change.
    """
    modules = re.split(r"(?m)^(?=module )", verilog)
    for number, mutation in enumerate(mutations, start=1):
        done = 0
        for at, text in enumerate(modules):
            name = re.match(r"module \\?(\S+?)[ (]", text)
            if name and name[1].endswith(mutation.module):
                modules[at], count = _mutate(text, mutation, number)
                done += count
        if not done:
            raise ValueError(f"mutation {mutation.name!r} found no line {mutation.line!r} in a module {mutation.module!r}")
    place = next(at for at, text in enumerate(modules) if text.startswith(f"module {top}("))
    modules[place] = modules[place].replace("\nendmodule", "\n" + port + "endmodule", 1)
    return PACKAGE + "".join(modules)


def _mutate(text: str, mutation: Mutation, number: int) -> tuple[str, int]:
    def choice(match: re.Match[str]) -> str:
        wrong = match.expand(mutation.wrong)
        before, after = match[0][: match.start(1) - match.start()], match[0][match.end(1) - match.start() :]
        return f"{before}archmodel_fault::number == {number} ? ({wrong}) : ({match[1]}){after}"

    return re.subn(mutation.line, choice, text)


def choose(engine: Engine, name: str | None) -> None:
    """Make the hardware faulty in one way from now on, or (None) sound again."""
    number = 0 if name is None else 1 + [mutation.name for mutation in mutations_of(engine.hardware)].index(name)
    engine.write(SELECT_UNIT, SELECT_ADDRESS, 0, number)
