"""Faults in the generated Verilog of the attention engine, chosen at run time like those of ``sims.cosim.mutants``."""

from __future__ import annotations

from archmodel.records.engines.attention import Hardware
from rtl.attention import HEADER, TOP, emit

from .. import mutants
from ..drive import Engine
from ..mutants import Mutation

MUTATIONS = (
    Mutation("keys of row 2 a cycle early", "attention_arrays", r"x_skew2_1 <= (.*);", "x[23:16]"),
    Mutation("queries of column 2 a cycle early", "attention_arrays", r"q_skew2_1 <= (.*);", "q[23:16]"),
    Mutation("mask bit ignored", "attention_pe", r"assign next_hidden = (.*);", "score_now == 32'h80000000"),
    Mutation("mask of row 2 that of row 1", "attention_arrays", r"seen_skew2_1 <= (.*);", "seen_skew1_0"),
    Mutation("first key's maximum always taken", "attention_pe", r"assign above = (.*);", "1'b1"),
    Mutation("maximum of patterns, not of numbers", "attention_pe", r"assign above = (.*);", "level > down_in"),
    Mutation("score never begins anew", "attention_slots", r"two <= (.*);", r"(\g<1>) & ~(1 << 5)"),
    Mutation("sum takes what a weight is made of", "attention_slots", r"two <= (.*);", r"(\g<1>) & ~(1 << 6)"),
    Mutation("all elements work in context 0", "attention_slots", r"two <= (.*);", r"(\g<1>) & ~(3 << 3)"),
    Mutation("all tiles have context 1", "attention_flight", r"next_context <= (.*);", "1"),
    Mutation("coefficients a step late", "attention_slots", r"(?m)^ +step <= (.*);", "step"),
    Mutation("weight rounded down", "attention_pe", r"assign next_weight = (.*);", r"(\g<1>) & ~18'd1"),
    Mutation("RM' of the column beside", "attention_arrays", r"assign top1 = (.*);", "top0"),
    Mutation("threshold ignored", "attention_lane", r"assign exceeds = (.*);", "$signed(arriving) > $signed(next_running)"),
    Mutation("stale PRM", "attention_lane", r"assign sets_factor = (.*);", "0"),
    Mutation("first tile goes on with old state", "attention_lane", r"assign next_running = (.*);", "rdata"),
    Mutation("all state in one word", "attention_lane", r"address_0 <= (.*);", "address_0"),
    Mutation("state of the next tile of queries too near", "attention_flight", r"next_state <= (.*);", r"(\g<1>) - 1"),
    Mutation("finishing tile changes its factor", "attention_slots", r"assign op1 = (.*);", "entry[24:21]"),
    Mutation("quotient a digit short", "lane_reciprocal", r"assign takes0 = (.*);", "1'b0"),
    Mutation("result rounded down", "attention_lane", r"assign rounded = (.*);", "$signed(quotient)"),
    Mutation("results of lane 0 a cycle early", "attention_arrays", r"deskew0_2 <= (.*);", "deskew0_0"),
    Mutation("bank of K and V never turned", "attention_flight", r"kv_bank <= (.*);", "0"),
    Mutation("bank of O never turned", "attention_flight", r"(?m)^ +o_bank <= (.*);", "0"),
    Mutation("pattern 0 whatever the tile says", "attention_slots", r"m_address <= (.*);", "0"),
    Mutation("token a period early", "attention_flight", r"assign finished = (.*);",
             "(slot == configure[22:10] - 1) & tile0[0] & tile0[1]"),
    Mutation("token to nobody", "attention_flight", r"assign signals = (.*);", "0"),
    Mutation("next command waits for the last tile to leave", "attention_flight", r"assign allow = (.*);",
             "boundary & ~staying & left == 0"),
    Mutation("next command begins amid a period", "attention_flight", r"assign allow = (.*);", "left == 0"),
)  # fmt: skip
FLOAT_MUTATIONS = (
    Mutation("distance of a score cut off", "attention_pe", r"assign lost = (.*);", "1'b0"),
    Mutation("polynomial cut off to bf16", "attention_pe", r"assign next_weight = (.*);", "control_in[6] ? weight : next_score[31:16]"),
    Mutation("order of negative scores turned", "attention_pe", r"assign above = (.*);", "$signed(level) > $signed(down_in)"),
    Mutation("exponent of PRM loses a bit", "attention_lane", r"assign weight = (.*);", r"(\g<1>) & 16'h7f7f"),
    Mutation("quotient a digit short", "lane_reciprocal", r"assign takes0 = (.*);", "1'b0"),
    Mutation("split addition multiplies too", "attention_lane", r"assign add = (.*);", "rnv"),
)
"""Those of floating point; what integers share with it is broken above."""


def mutations_of(hardware: Hardware) -> tuple[Mutation, ...]:
    return FLOAT_MUTATIONS if hardware.is_float else MUTATIONS


def faulty(hardware: Hardware) -> Engine:
    """An engine with every mutation in it, none chosen."""
    return Engine(hardware, mutants.mutated(emit(hardware), mutations_of(hardware), TOP, mutants.port(HEADER)))


def choose(engine: Engine, name: str | None) -> None:
    """Make the hardware faulty in one way from now on, or (None) sound again."""
    number = 0 if name is None else 1 + [mutation.name for mutation in mutations_of(engine.hardware)].index(name)
    engine.write(HEADER, mutants.SELECT_ADDRESS, 0, number)
