"""AccelForge's expressions over sets of tensors: ``~Intermediates``, ``input | output``, ``weight - Intermediates``; no eval."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TOKEN = re.compile(r"\s*([A-Za-z_][\w.]*|[~|&()-])")
LONGEST = 200


class NotASet(Exception):
    """The text is no such expression, or names what isn't known."""


def members(text: str, known: Mapping[str, frozenset[str]], everything: frozenset[str]) -> frozenset[str]:
    """The tensors that an expression means; ``known`` are named sets, ``everything`` what ``~`` takes from.  Raises NotASet."""
    tokens, at = [], 0
    while at < len(text.rstrip()):
        token = _TOKEN.match(text, at) if len(text) <= LONGEST else None
        if token is None:
            raise NotASet(text)
        tokens.append(token[1])
        at = token.end()
    parser = _Parser(tokens, known, everything)
    found = parser.union()
    if parser.tokens:
        raise NotASet(text)
    return found


class _Parser:
    """Recursive descent; ``~`` binds most, ``|`` least, ``-`` and ``&`` from the left."""

    def __init__(self, tokens: list[str], known: Mapping[str, frozenset[str]], everything: frozenset[str]) -> None:
        self.tokens, self.known, self.everything = tokens, known, everything

    def take(self, *signs: str) -> str:
        return self.tokens.pop(0) if self.tokens and self.tokens[0] in signs else ""

    def union(self) -> frozenset[str]:
        found = self.part()
        while self.take("|"):
            found |= self.part()
        return found

    def part(self) -> frozenset[str]:
        found = self.atom()
        while sign := self.take("&", "-"):
            found = found & self.atom() if sign == "&" else found - self.atom()
        return found

    def atom(self) -> frozenset[str]:
        if self.take("~"):
            return self.everything - self.atom()
        if self.take("("):
            found = self.union()
            if not self.take(")"):
                raise NotASet(")")
            return found
        name = self.tokens.pop(0) if self.tokens else ""
        if name.removesuffix(".tensors") not in self.known:
            raise NotASet(name)
        return self.known[name.removesuffix(".tensors")]
