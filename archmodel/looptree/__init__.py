"""Fused trees on plain machines, counted as papers count them: the convention ``published``.

Any legal tree is evaluated by the same rules, whatever it computes:

time      a leaf takes its points over the lanes that its spatial loops use, times its unit's cycles a point; bodies one after
          another add up, bodies side by side take as long as the longest or the busiest unit over the whole run.  A sum over the
          rows of a unit that the next body of a Sequence wants of the same tile is waited for: ``rows`` cycles a tile.  A reader
          that lags behind, so that it works on an older tile, waits for nothing.  Nothing else fills or drains.
memories  each moves its bytes at its bandwidth, beside everything else; one without a bandwidth costs no time.  Sizes aren't
          enforced.
shares    of a Peel are each counted over the whole rank and weighed; they don't wait for each other.
energy    counts of actions times the cost table's energies.  Where the table has a row register_read, the registers of one lane of
          each unit are counted, as FuseMax's artifact does; links and leakage cost nothing.
"""

from archmodel.looptree.rows import evaluate

__all__ = ["evaluate"]
