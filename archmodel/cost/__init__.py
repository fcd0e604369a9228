"""Energy and area per action, each figure with its source: ``default_costs().energy_pj("mac", 8, node_nm=16)``."""

from archmodel.cost.reach import Row
from archmodel.cost.table import Costs, default_costs

__all__ = ["Costs", "Row", "default_costs"]
