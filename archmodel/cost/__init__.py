"""Energy and area per action, each figure with its source: ``default_costs().energy_pj("mac", 8, node_nm=16)``."""

from archmodel.cost.figure import Figure, scaled, total
from archmodel.cost.table import Costs, default_costs

__all__ = ["Costs", "Figure", "default_costs", "scaled", "total"]
