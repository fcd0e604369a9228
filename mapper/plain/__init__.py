"""Search on plain engines: any machine of storage levels, every tile size, order, spreading and residence."""

from archmodel.records.constraints import AxisRule, GroupRule, KeepRule, OrderRule, TileRule, TreeRule

from .otherwise import search_graph

RULES = (TileRule, OrderRule, AxisRule, KeepRule, GroupRule, TreeRule)
"""The kinds of rule that it applies."""

__all__ = ["RULES", "search_graph"]
