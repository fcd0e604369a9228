"""Both ends of a model: embeddings and the patch stem, LM head, pooler and classifier."""

from __future__ import annotations

from .builder import Block
from .layers import norm, product


def embed(block: Block, target: str) -> None:
    """Token lookup, and the additions and norm that the model's embedding has.  A table's rows are those looked up."""
    model, source = block.model, block.name("embed")
    embedded = [(f"{source}.token", "copy", "bsd->bsd", (f"{source}.token.table",))]
    if model.positions == "learned":
        embedded.append((f"{source}.position", "add", "bsd,sd->bsd", (f"{source}.position.table",)))
    if model.type_vocab:
        embedded.append((f"{source}.type", "add", "bsd,bsd->bsd", (f"{source}.type.table",)))
    stream = ""
    for index, (name, operator, expression, tables) in enumerate(embedded):
        last = index == len(embedded) - 1 and not model.post_norm
        inputs = (stream, *tables) if stream else tables
        stream = block.add(name, "embed", operator, expression, inputs, target if last else f"{name}.out")
    if model.post_norm:
        norm(block, f"{source}.norm", stream, target)


def embed_image(block: Block, target: str) -> None:
    """Patches times the stem's matrix, the class token in front, positions added (ViT, arXiv 2010.11929)."""
    model = block.model
    at = {"s": block.tokens["s"] - 1, "i": model.channels * model.patch**2}
    product(block, "embed.patch", "embed", "bsi,id->bsd", "pixels", "embed.patches", "d", at)
    block.add("embed.class", "embed", "copy", "bsd->bsd", ("embed.class.table",), "embed.patches", {"s": 1})
    block.add("embed.position", "embed", "add", "bsd,sd->bsd", ("embed.patches", "embed.position.table"), target)


def head(block: Block, final: str, emitted: int) -> None:
    """Logits over the vocabulary for the emitted tokens only."""
    block.add("lm_head", "head", "mul add", "bsd,dw->bsw", (final, "lm_head.weight"), "logits", {"b": emitted, "s": 1})


def classify(block: Block, final: str, images: int) -> None:
    """BERT's pooler and ViT's classifier, on the first token of each sequence."""
    model, at = block.model, {"b": images, "s": 1}
    if model.pooler:
        at_pooler = at | {"c": model.hidden}
        product(block, "pooler", "head", "bsd,dc->bsc", final, "pooled", "c", at_pooler)
        block.add("pooler.tanh", "head", "tanh", "bsc->bsc", ("pooled",), "pooled.tanh", at_pooler)
    if model.classes:
        product(block, "classifier", "head", "bsd,dc->bsc", final, "classes", "c", at | {"c": model.classes})
