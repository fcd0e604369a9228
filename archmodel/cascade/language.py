"""One line of a cascade: ``LM[m1,p] = max(m0) BQK[m1,m0,p]`` to an Equation, ``RM[0,p] = -inf`` to an Initial, by hand, without eval.

    line    = term "=" ( number | [ reduce "(" rank {"," rank} ")" ] mapped )
    mapped  = term [ ("*" | "/" | "+" | "-") term ]  |  name "(" term {"," term} ")"  |  "exp" "(" term [ "-" term ] ")"
    term    = TENSOR [ "[" index {"," index} "]" ]
    index   = ( rank | RANK ) [ ("+" | "-") digits ]  |  digits
    reduce  = "sum" | "max"

A TENSOR begins with a capital letter, a rank is in lower case, and RANK in capitals is the rank's extent, so one place.  A term
without brackets has all ranks of its tensor; on the left, those of the inputs that are not reduced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from archmodel.records.base import SpecError, one_of
from archmodel.records.equation import MAPS, Equation, Index, Initial, Term

RANK = re.compile(r"[a-z][a-z0-9_]*")
TENSOR = re.compile(r"[A-Z][A-Za-z0-9_]*")
_PLACE = re.compile(r"[a-z][a-z0-9_]*|[A-Z][A-Z0-9_]*")
LONGEST = 400
"""Characters of one line."""
_TOKEN = re.compile(r"\s*(?:([A-Za-z][A-Za-z0-9_]*)|(\d+(?:\.\d+)?)|([\[\](),=*/+-]))")
_INFIX = {"*": "mul", "/": "div", "+": "add", "-": "sub"}
_REDUCE = {"sum": "add", "max": "max"}
FUNCTIONS = tuple(sorted(set(MAPS) - {"copy", "add", "sub", "mul", "div"}))


class LineError(Exception):
    """A line is wrong at a character, counted from 0."""

    def __init__(self, at: int, text: str) -> None:
        super().__init__(text)
        self.at = at


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    at: int


@dataclass
class Line:
    """A line as it was read, and the characters at which its parts stand: (term, axis) as in a Fault."""

    read: Equation | Initial
    spans: dict[tuple[int, int], int] = field(default_factory=dict)

    def at(self, term: int, axis: int) -> int:
        """The character of a part, or of the nearest thing around it."""
        return self.spans.get((term, axis), self.spans.get((term, -1), 0))


def parse(text: str, axes: Mapping[str, tuple[str, ...]]) -> Line:
    """The line; ``axes`` are the ranks of the tensors known so far, for terms without brackets.  Raises LineError."""
    return _Parser(_tokens(text), axes).line()


def _tokens(text: str) -> list[Token]:
    if len(text) > LONGEST:
        raise LineError(LONGEST, f"found a line of {len(text)} characters, expected at most {LONGEST}")
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        token = _TOKEN.match(text, at)
        if token is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise LineError(at, f"found {text[at]!r}, expected a tensor, a rank, a number or one of [ ] ( ) , = * / + -")
        kind = ("name", "number", "sign")[(token.lastindex or 1) - 1]
        found.append(Token(kind, token[token.lastindex or 1], token.start(token.lastindex or 1)))
        at = token.end()
    return [*found, Token("end", "", end)]


class _Parser:
    """Recursive descent over the tokens of one line."""

    def __init__(self, tokens: list[Token], axes: Mapping[str, tuple[str, ...]]) -> None:
        self.tokens, self.axes, self.next = tokens, axes, 0
        self.spans: dict[tuple[int, int], int] = {}
        self.bare_output = False

    def line(self) -> Line:
        output = self.term(0)
        self.take("=")
        read = self.number(output) if self.is_number() else self.equation(output)
        if self.peek.kind != "end":
            self.fail("the end of the line")
        return Line(read, self.spans)

    @property
    def peek(self) -> Token:
        return self.tokens[self.next]

    def fail(self, expected: str) -> None:
        found = repr(self.peek.text) if self.peek.text else "the end of the line"
        raise LineError(self.peek.at, f"found {found}, expected {expected}")

    def take(self, sign: str) -> None:
        if self.peek.text != sign:
            self.fail(repr(sign))
        self.next += 1

    def took(self, sign: str) -> bool:
        if self.peek.text != sign:
            return False
        self.next += 1
        return True

    def name(self, pattern: re.Pattern[str], expected: str) -> str:
        if self.peek.kind != "name" or not pattern.fullmatch(self.peek.text):
            self.fail(expected)
        self.next += 1
        return self.tokens[self.next - 1].text

    def is_number(self) -> bool:
        ahead = self.tokens[self.next + (self.peek.text == "-") :][:1]
        return bool(ahead) and (ahead[0].kind == "number" or ahead[0].text == "inf")

    def number(self, output: Term) -> Initial:
        if self.bare_output:
            name = output.tensor
            raise LineError(self.tokens[0].at, f"found a number for {name} as a whole, expected a place such as {name}[0]")
        minus = "-" if self.took("-") else ""
        token, self.next = self.peek, self.next + 1
        try:
            return Initial(output, minus + token.text)
        except SpecError:
            raise LineError(token.at, f"found {token.text[:40]!r}, expected at most 15 digits before and after the point") from None

    def equation(self, output: Term) -> Equation:
        start = self.peek.at
        reduce, over = self.reduction()
        name, inputs = self.mapped()
        if self.bare_output:
            ranks = dict.fromkeys(rank for term in inputs for rank in term.runs if rank not in over)
            output = Term(output.tensor, tuple(map(Index, ranks)))
        try:
            return Equation(output, name, inputs, reduce, over)
        except SpecError as error:
            raise LineError(start, str(error).partition(": ")[2]) from None

    def reduction(self) -> tuple[str, tuple[str, ...]]:
        """``sum(e,f)``, where ranks stand in the brackets; with tensors in them it is a function."""
        after = self.tokens[self.next + 2 : self.next + 3]
        is_call = self.peek.text in _REDUCE and self.tokens[self.next + 1].text == "("
        if not is_call or (after and after[0].kind == "name" and TENSOR.fullmatch(after[0].text)):
            return "none", ()
        reduce = _REDUCE[self.peek.text]
        self.spans[(-2, -1)] = self.peek.at
        self.next += 2
        over: list[str] = []
        while not over or self.took(","):
            self.spans[(-2, len(over))] = self.peek.at
            over.append(self.name(RANK, "a rank, in lower case"))
        self.take(")")
        return reduce, tuple(over)

    def mapped(self) -> tuple[str, tuple[Term, ...]]:
        token = self.peek
        if token.kind == "name" and self.tokens[self.next + 1].text == "(":
            if token.text not in FUNCTIONS:
                self.fail(one_of((*FUNCTIONS, *sorted(_REDUCE))))
            self.next += 2
            return token.text, self.arguments(token.text)
        first = self.term(1)
        if self.peek.text not in _INFIX:
            return "copy", (first,)
        self.next += 1
        return _INFIX[self.tokens[self.next - 1].text], (first, self.term(2))

    def arguments(self, function: str) -> tuple[Term, ...]:
        inputs = [self.term(1)]
        while self.took("-" if function == "exp" else ","):
            inputs.append(self.term(len(inputs) + 1))
        self.take(")")
        return tuple(inputs)

    def term(self, number: int) -> Term:
        self.spans[(number, -1)] = at = self.peek.at
        tensor = self.name(TENSOR, "a tensor, which begins with a capital letter")
        if not self.took("["):
            return self.bare(number, tensor, at)
        indices: list[Index] = []
        while (not indices and self.peek.text != "]") or (indices and self.took(",")):
            self.spans[(number, len(indices))] = self.peek.at
            indices.append(self.index())
        self.take("]")
        return Term(tensor, tuple(indices))

    def bare(self, number: int, tensor: str, at: int) -> Term:
        """A term without brackets."""
        if number == 0:
            self.bare_output = True
            return Term(tensor)
        if tensor not in self.axes:
            raise LineError(at, f"found {tensor} without indices before the line that gives it, expected {tensor}[...] or an earlier line")
        return Term(tensor, tuple(map(Index, self.axes[tensor])))

    def index(self) -> Index:
        token = self.peek
        if token.kind == "number":
            self.next += 1
            return self.checked(token, "", self.whole(token), False)
        name = self.name(_PLACE, "a rank, its extent in capitals, or a number")
        sign = 1 if self.took("+") else -1 if self.took("-") else 0
        if not sign:
            return self.checked(token, name.lower(), 0, name[0].isupper())
        if self.peek.kind != "number":
            self.fail("a number")
        offset, self.next = sign * self.whole(self.peek), self.next + 1
        return self.checked(token, name.lower(), offset, name[0].isupper())

    def checked(self, token: Token, rank: str, offset: int, at_end: bool) -> Index:
        try:
            return Index(rank, offset, at_end)
        except SpecError as error:
            raise LineError(token.at, "found " + str(error).partition(": ")[2]) from None

    def whole(self, token: Token) -> int:
        if not token.text.isdigit() or len(token.text) > 2:
            raise LineError(token.at, f"found {token.text[:40]!r}, expected a whole number of at most 2 digits")
        return int(token.text)
