"""Conversion of docstring equations from plain Unicode to LaTeX."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵗᵏʳᵈᵖᵀⁱ", "0123456789+-tkrdpTi", strict=True))
SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ₜᵢₙ", "0123456789+-tin", strict=True))
GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "ε": "varepsilon",
    "η": "eta",
    "θ": "theta",
    "λ": "lambda",
    "μ": "mu",
    "π": "pi",
    "ρ": "rho",
    "τ": "tau",
    "φ": "varphi",
}
# Symbols between products.
SEPARATORS = {
    "+": "+",
    "−": "-",
    "-": "-",
    "·": r"\cdot",
    "±": r"\pm",
    "=": "=",
    "←": r"\leftarrow",
    "<": "<",
    ">": ">",
    "<=": r"\le",
    "≤": r"\le",
    ">=": r"\ge",
    "≥": r"\ge",
    ",": r",\;",
    ";": r";\;",
    ":": r":\;",
    "...": r"\cdots",
    "⋯": r"\cdots",
}
CLOSING = {"(": ")", "⌊": "⌋", "|": "|", "‖": "‖"}
DELIMITERS = {
    "(": ("(", ")"),
    "⌊": (r"\lfloor", r"\rfloor"),
    "|": ("|", "|"),
    "‖": (r"\Vert", r"\Vert"),
}
FUNCTIONS = ("RMS", "clip", "cos", "max", "mean", "min", "sign")
RELATIONS = ("←", "=", "≥", "<", ">")
HAT = "\u0302"
# A line that begins with a label: `N ≥ 5:  r = ...`.
LABELLED = re.compile(r"\S.*?:\s{2,}\S")

TOKEN = re.compile(
    rf"""\s*(?:
    (?P<quoted>`[^`]*`|"[^"]*")
    |(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)
    |(?P<name>(?:[A-Za-z][A-Za-z_0-9]*|[α-ω]){HAT}?'?)
    |(?P<up>[{"".join(SUPERSCRIPTS)}]+)
    |(?P<down>[{"".join(SUBSCRIPTS)}]+)
    |(?P<mark><=|>=|\.\.\.|[-+−·±=←<>≤≥,;:⋯()⌊⌋|‖/^√Σ∞])
    )""",
    re.VERBOSE,
)


class EquationError(ValueError):
    """Error for text that is not an equation."""


def latex_of_block(lines: Sequence[str]) -> str | None:
    """Return the equations of an indented block, one per line, or None if it is something else.

    Args:
        lines: The block without its common margin. Two or more spaces separate an equation from
            its label or comment; an indented line goes under the equation above it.
    """
    related = [any(sign in line for sign in RELATIONS) for line in lines]
    if sum(related) * 2 < len(lines):
        return None
    in_columns = all(LABELLED.match(line) or line.startswith("  ") for line in lines)
    try:
        rows = [latex_of_line(line, in_columns) for line in lines]
    except EquationError:
        return None
    body = " \\\\\n".join(f"& {row}" for row in rows)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def latex_of_line(line: str, in_columns: bool) -> str:
    """Return the equations of a line.

    Args:
        line: The line.
        in_columns: Whether labels get a separate column.

    Raises:
        EquationError: If it cannot be parsed.
    """
    label, *cells = re.split(r"\s{2,}", line.strip())
    if not in_columns:
        indent = r"\qquad " if line.startswith("  ") else ""
        return indent + r" \qquad ".join(map(latex_of_cell, (label, *cells)))
    if line.startswith("  "):
        label, cells = "", [label, *cells]
    labelled = rf"{latex_of_cell(label)} \qquad" if label else ""
    return f"{labelled} & " + r" \qquad ".join(map(latex_of_cell, cells))


def latex_of_cell(cell: str) -> str:
    """Return an equation, or the words next to one.

    Raises:
        EquationError: If it cannot be parsed.
    """
    is_comment = cell.startswith("(") and cell.endswith(")") and has_words(cell)
    is_words = has_words(cell) and not re.search(r"[←=<>≤≥+−√·]", cell)
    if is_comment or is_words:
        return text(cell)
    return Reader(tokens(cell)).read()


def has_words(cell: str) -> bool:
    """Return whether a cell contains prose, such as a comment."""
    return any(word not in FUNCTIONS for word in re.findall(r"`|[A-Za-z]{2,}", cell))


def text(words: str) -> str:
    """Return words as plain text in LaTeX."""
    plain = re.sub(r"[`\"]", "", words)
    return rf"\text{{{plain}}}"


def tokens(cell: str) -> list[tuple[str, str]]:
    """Return the kind and text of each token of an equation."""
    found, place = [], 0
    while place < len(cell):
        match = TOKEN.match(cell, place)
        if match is None:
            raise EquationError(cell[place:])
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        place = match.end()
    return found


@dataclass
class Product:
    """Factors side by side; a quotient counts as one factor.

    Args:
        factors: LaTeX of each.
    """

    factors: list[str] = field(default_factory=list)

    def divide(self, denominator: str) -> None:
        """Divide all factors so far."""
        numerator = bare(self.latex()) if len(self.factors) == 1 else self.latex()
        self.factors = [rf"\frac{{{numerator}}}{{{bare(denominator)}}}"]

    def latex(self) -> str:
        """Return the whole product."""
        return " ".join(self.factors)


class Reader:
    """A parser that reads an equation from left to right.

    Args:
        found: The tokens of the equation.
    """

    def __init__(self, found: list[tuple[str, str]]) -> None:
        self.found = found
        self.place = 0

    def read(self, end: str | None = None) -> str:
        """Read up to a closing delimiter, or to the end."""
        parts, product = [], Product()
        while self.peek() != end:
            mark = self.peek()
            if mark is None:
                raise EquationError(f"no {end}")
            if mark in SEPARATORS:
                self.place += 1
                parts += [product.latex(), SEPARATORS[mark]]
                product = Product()
            elif mark == "/":
                self.place += 1
                product.divide(self.factor())
            else:
                product.factors.append(self.factor())
        return " ".join(part for part in [*parts, product.latex()] if part)

    def peek(self) -> str | None:
        """Return the next token, or None at the end."""
        return self.found[self.place][1] if self.place < len(self.found) else None

    def factor(self) -> str:
        """Read one factor with its superscripts and subscripts."""
        if self.peek() is None:
            raise EquationError("ends too soon")
        kind, token = self.found[self.place]
        self.place += 1
        if token == "√":
            return rf"\sqrt{{{bare(self.factor())}}}"
        if token == "Σ":
            return rf"\sum {self.factor()}"
        return self.base(kind, token) + self.scripts()

    def base(self, kind: str, token: str) -> str:
        """Read a factor without its superscripts and subscripts."""
        if token in CLOSING:
            left, right = DELIMITERS[token]
            inside = self.read(CLOSING[token])
            self.place += 1
            return rf"\left{left} {inside} \right{right}"
        if kind == "quoted":
            return rf"\;{text(token)}\;"
        if kind == "number":
            return token
        if token == "∞":
            return r"_{\infty}"
        if kind == "name":
            return self.name(token)
        raise EquationError(token)

    def name(self, token: str) -> str:
        """Read a letter, a function or a word."""
        letters = token.rstrip(f"'{HAT}")
        symbol = rf"\{GREEK[letters]}" if letters in GREEK else letters
        if len(letters) > 1:
            if letters in FUNCTIONS and self.peek() is not None:
                return rf"\,\operatorname{{{letters}}} {self.factor()}"
            symbol = rf"\;{text(letters)}\;"
        if HAT in token:
            symbol = rf"\hat{{{symbol}}}"
        return symbol + ("'" if token.endswith("'") else "")

    def scripts(self) -> str:
        """Read superscripts and subscripts."""
        raised, lowered = "", ""
        while self.place < len(self.found):
            kind, token = self.found[self.place]
            if kind == "up":
                raised += "".join(SUPERSCRIPTS[each] for each in token)
            elif kind == "down":
                lowered += "".join(SUBSCRIPTS[each] for each in token)
            elif token == "∞":
                lowered += r"\infty"
            elif token == "^":
                self.place += 1
                raised += bare(self.factor())
                continue
            else:
                break
            self.place += 1
        return (f"_{{{lowered}}}" if lowered else "") + (f"^{{{raised}}}" if raised else "")


def bare(latex: str) -> str:
    """Remove parentheses around the whole, which a root or a fraction makes redundant."""
    start, end = r"\left( ", r" \right)"
    if not (latex.startswith(start) and latex.endswith(end)):
        return latex
    depth = 0
    for match in re.finditer(r"\\left|\\right", latex):
        depth += 1 if match[0] == r"\left" else -1
        if depth == 0 and match.end() < len(latex) - 1:
            return latex
    return latex[len(start) : -len(end)]
