"""Layers that every block uses: norms as cascades, products with a bias, residual additions, the dense FFN."""

from __future__ import annotations

from .builder import Block


def norm(block: Block, name: str, source: str, target: str, ranks: str = "bsd", kind: str = "",
         at: dict[str, int] | None = None) -> str:  # fmt: skip
    """RMS or layer norm of ``source`` over the last of ``ranks``, as a cascade of three or six Einsums."""
    axis, rows = ranks[-1], ranks[:-1]
    layer_norm = (kind or block.model.norm) == "ln"
    if layer_norm:
        mean = block.add(f"{name}.mean", "norm", "copy add", f"{ranks}->{rows}", (source,), f"{name}.mean", at)
        source = block.add(f"{name}.center", "norm", "muladd", f"{ranks},{rows}->{ranks}", (source, mean),
                           f"{name}.centered", at)  # fmt: skip
    square = block.add(f"{name}.sumsq", "norm", "square add", f"{ranks}->{rows}", (source,), f"{name}.sumsq", at)
    root = block.add(f"{name}.rsqrt", "norm", "rsqrt", f"{rows}->{rows}", (square,), f"{name}.rsqrt", at)
    scaled = f"{name}.scaled" if layer_norm else target
    block.add(f"{name}.scale", "norm", "mul", f"{ranks},{rows},{axis}->{ranks}", (source, root, f"{name}.gain"), scaled,
              at)  # fmt: skip
    if layer_norm:
        block.add(f"{name}.shift", "norm", "add", f"{ranks},{axis}->{ranks}", (scaled, f"{name}.shift"), target, at)
    return target


def product(block: Block, name: str, group: str, expression: str, source: str, target: str, bias: str = "",
            at: dict[str, int] | None = None, repeat: int = 0, suffix: str = "") -> str:  # fmt: skip
    """``source`` times a weight, and the addition of a bias with the ranks ``bias`` if there is one.

    ``suffix`` tells instances of one operator apart; it ends the names of the Einsums, not of weights.
    """
    raw = f"{target}.raw" if bias else target
    block.add(name + suffix, group, "mul add", expression, (source, f"{name}.weight"), raw, at, repeat=repeat)
    if bias:
        ranks = expression.partition("->")[2]
        block.add(f"{name}.bias{suffix}", group, "add", f"{ranks},{bias}->{ranks}", (raw, f"{name}.bias"), target, at,
                  repeat=repeat)  # fmt: skip
    return target


def residual(block: Block, name: str, source: str, branch: str, target: str) -> str:
    """``source`` + ``branch``, normed where the model norms the branch (Grok-1) or the sum (BERT)."""
    model = block.model
    if model.norms_per_block == 4:
        branch = norm(block, f"{name}_post_norm", branch, f"{branch}.normed")
    total = f"{name}.sum" if model.post_norm else target
    block.add(f"{name}.residual", "residual", "add", "bsd,bsd->bsd", (source, branch), total)
    return norm(block, f"{name}_norm", total, target) if model.post_norm else target


def pre_norm(block: Block, name: str, source: str) -> str:
    """The norm in front of a branch; a post-norm model has none."""
    return source if block.model.post_norm else norm(block, f"{name}_norm", source, f"{name}.in")


def dense_ffn(block: Block, source: str, target: str) -> None:
    """One FFN branch with its norm and residual, from ``source`` to ``target``."""
    model, name = block.model, block.name("ffn")
    inner = pre_norm(block, name, source)
    two_layers(block, name, "ffn", inner, f"{name}.out", model.gated, model.mlp_bias, {"f": model.ffn})
    residual(block, name, source, f"{name}.out", target)


def two_layers(block: Block, name: str, group: str, source: str, target: str, gated: bool, bias: bool,
               at: dict[str, int], tokens: str = "bs", repeat: int = 0, suffix: str = "") -> str:  # fmt: skip
    """Up (with the gate in one product, n = 2 f), activation, gate and down projection over the ranks ``tokens``."""
    up, ranks = ("gate_up", "uf") if gated else ("up", "f")
    wide = product(block, f"{name}.{up}", group, f"{tokens}d,d{ranks}->{tokens}{ranks}", source, f"{name}.wide",
                   ranks if bias else "", at, repeat, suffix)  # fmt: skip
    half, act = at | {"u": 1}, block.model.act
    block.add(f"{name}.act{suffix}", group, act, f"{tokens}{ranks}->{tokens}f", (wide,), f"{name}.acted", half,
              repeat=repeat)  # fmt: skip
    hot = f"{name}.acted"
    if gated:
        hot = block.add(f"{name}.mul{suffix}", group, "mul", f"{tokens}f,{tokens}uf->{tokens}f", (hot, wide),
                        f"{name}.gated", half, repeat=repeat)  # fmt: skip
    return product(block, f"{name}.down", group, f"{tokens}f,fd->{tokens}d", hot, target, "d" if bias else "", at,
                   repeat, suffix)  # fmt: skip
