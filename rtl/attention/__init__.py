"""The attention engine as hardware: ``emit`` writes its Verilog."""

from archmodel.records.engines.attention import TYPE, Hardware

from .. import sram, verilog
from .lane import NAME as LANE
from .lane import Lane
from .pe import NAME as PE
from .pe import ProcessingElement
from .top import HEADER, TOP, Attention, ports

__all__ = ["HEADER", "TOP", "TYPE", "Attention", "emit", "ports"]


def emit(hardware: Hardware) -> str:
    """Verilog of the engine: the memory wrapper, one processing element, one lane, the top module with all else."""
    components = ((ProcessingElement(hardware), PE), (Lane(hardware), LANE), (Attention(hardware), TOP))
    return "\n".join((sram.VERILOG, *(verilog.convert(component, name) for component, name in components)))
