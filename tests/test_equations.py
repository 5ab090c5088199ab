"""The documentation site parses the equations in docstrings."""

import inspect
import re
import sys
import textwrap
from pathlib import Path

import pytest

from keras_optlab import callbacks, optimizers, schedules, transforms

sys.path.append(str(Path(__file__).parents[1] / "docs"))
from optlab_site.equations import latex_of_block

CLASSES = [
    getattr(module, name)
    for module in (optimizers, transforms, schedules, callbacks)
    for name in module.__all__
]


def latex(equation):
    start, end = "\\begin{aligned}\n& ", "\n\\end{aligned}"
    found = latex_of_block([equation])
    return found and found.removeprefix(start).removesuffix(end)


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        ("v ← β v", r"v \leftarrow \beta v"),
        ("a = b c / d · e / f", r"a = \frac{b c}{d} \cdot \frac{e}{f}"),
        ("a = m / (√v + ε)", r"a = \frac{m}{\sqrt{v} + \varepsilon}"),
        ("a = (b + c)(d + e) / f", None),
        ("x = β₁ᵗ⁺¹", r"x = \beta_{1}^{t+1}"),
        ("m̂ = n'⁻ᵖ", r"\hat{m} = n'^{-p}"),
        ("u ← max(β u, |g|)", None),
        ("y = s^(t/s)", r"y = s^{\frac{t}{s}}"),
        ("t > 1:  a = b", r"t > 1 :\; \qquad & a = b"),
        ("a = b   (for `rate`)", r"a = b \qquad \text{(for rate)}"),
    ],
)
def test_equations_become_latex(equation, expected):
    found = latex(equation)
    assert found is not None
    assert expected is None or found == expected


def test_fractions_take_all_factors_before_them():
    assert latex("a = (b + c)(d + e) / f").startswith(r"a = \frac{\left( b + c \right) \left(")


@pytest.mark.parametrize("block", [["phase  steps  from"], ["a ← (b"], ["a ← @"]])
def test_text_that_is_no_equation_keeps_its_lines(block):
    assert latex_of_block(block) is None


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_all_blocks_with_an_assignment_are_read(cls):
    head = inspect.getdoc(cls).partition("\nArgs:")[0]
    for block in re.findall(r"(?:^    .*\n)+", head + "\n", re.MULTILINE):
        if "←" in block:
            assert latex_of_block(textwrap.dedent(block).splitlines()) is not None, block
