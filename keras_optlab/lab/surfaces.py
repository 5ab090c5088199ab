"""Functions of two numbers, on which one can watch an optimizer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

Pair = tuple[float, float]


@final
@dataclass(frozen=True)
class Surface:
    """A function to descend, and where and how fast to do so.

    Args:
        name: What the user calls it.
        title: What the picture calls it.
        formula: The function as one would write it.
        lesson: What there is to see.
        value: The function, of arrays x and y.
        gradient: Its two partial derivatives, of arrays x and y.
        start: Where the descent begins.
        horizontal: Range of x in the picture.
        vertical: Range of y.
        minima: The minima in the picture.
        descent_rate: A learning rate that suits plain gradient descent.
        stride: A length that suits the step of an algorithm that scales its steps itself.
        noise: Standard deviation of what is added to both derivatives.
    """

    name: str
    title: str
    formula: str
    lesson: str
    value: Callable[[Any, Any], Any]
    gradient: Callable[[Any, Any], tuple[Any, Any]]
    start: Pair
    horizontal: Pair
    vertical: Pair
    minima: tuple[Pair, ...]
    descent_rate: float
    stride: float
    noise: float = 0.0


def rosenbrock(x: Any, y: Any) -> Any:
    """Rosenbrock's function."""
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def rosenbrock_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    """Its partial derivatives."""
    return -2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)


def beale_terms(x: Any, y: Any) -> tuple[Any, Any, Any]:
    """What Beale's function sums the squares of."""
    return 1.5 - x + x * y, 2.25 - x + x * y**2, 2.625 - x + x * y**3


def beale(x: Any, y: Any) -> Any:
    """Beale's function."""
    return sum(term**2 for term in beale_terms(x, y))


def beale_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    """Its partial derivatives."""
    a, b, c = beale_terms(x, y)
    by_x = 2 * (a * (y - 1) + b * (y**2 - 1) + c * (y**3 - 1))
    return by_x, 2 * x * (a + 2 * b * y + 3 * c * y**2)


def himmelblau(x: Any, y: Any) -> Any:
    """Himmelblau's function."""
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def himmelblau_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    """Its partial derivatives."""
    a, b = x**2 + y - 11, x + y**2 - 7
    return 4 * x * a + 2 * b, 2 * a + 4 * y * b


def bowl(x: Any, y: Any) -> Any:
    """An elongated bowl."""
    return (x**2 + 30 * y**2) / 2


def bowl_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    """Its partial derivatives."""
    return x + 0 * y, 30 * y + 0 * x


def plateau(x: Any, y: Any) -> Any:
    """A slope, a plateau and a hollow."""
    return np.logaddexp(0, -2 * (x + 3)) - 2 * pit(x, y) + y**2 / 20 - x / 50


def plateau_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    """Its partial derivatives."""
    slope = -2 / (1 + np.exp(2 * (x + 3)))
    return slope + 2 * (x - 3) * pit(x, y) - 1 / 50, 2 * y * pit(x, y) + y / 10


def pit(x: Any, y: Any) -> Any:
    """The hollow at the end of the plateau."""
    return np.exp(-((x - 3) ** 2 + y**2) / 2)


def saddle(x: Any, y: Any) -> Any:
    """A saddle between two minima."""
    return x**2 - y**2 + y**4 / 4


def saddle_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    """Its partial derivatives."""
    return 2 * x + 0 * y, y**3 - 2 * y + 0 * x


def valley(x: Any, y: Any) -> Any:
    """A valley."""
    return x**2 / 10 + 2 * y**2


def valley_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    """Its partial derivatives."""
    return x / 5 + 0 * y, 4 * y + 0 * x


ROOT_2 = float(np.sqrt(2))

SURFACES = {
    surface.name: surface
    for surface in (
        Surface(
            name="rosenbrock",
            title="Rosenbrock",
            formula="(1 − x)² + 100 (y − x²)²",
            lesson="A bent valley: its walls are steep, and along its floor there is hardly a "
            "slope. All get into it at once; who gets along it?",
            value=rosenbrock,
            gradient=rosenbrock_gradient,
            start=(-0.7, 2.6),
            horizontal=(-2.2, 2.2),
            vertical=(-1.0, 3.2),
            minima=((1.0, 1.0),),
            descent_rate=7e-4,
            stride=0.1,
        ),
        Surface(
            name="beale",
            title="Beale",
            formula="(1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²",
            lesson="Almost flat in the middle and steep at the corners: a rate that is safe at "
            "the corners is slow in the middle.",
            value=beale,
            gradient=beale_gradient,
            start=(0.8, -1.6),
            horizontal=(-1.0, 4.5),
            vertical=(-2.0, 2.2),
            minima=((3.0, 0.5),),
            descent_rate=0.01,
            stride=0.08,
        ),
        Surface(
            name="himmelblau",
            title="Himmelblau",
            formula="(x² + y − 11)² + (x + y² − 7)²",
            lesson="Four minima, all of them 0. From a start near a watershed, algorithms that "
            "scale each coordinate come to another one than gradient descent.",
            value=himmelblau,
            gradient=himmelblau_gradient,
            start=(0.15, -0.9),
            horizontal=(-5.5, 5.5),
            vertical=(-5.5, 5.5),
            minima=(
                (3.0, 2.0),
                (-2.8051181, 3.1313125),
                (-3.7793103, -3.2831860),
                (3.5844283, -1.8481265),
            ),
            descent_rate=0.01,
            stride=0.15,
        ),
        Surface(
            name="bowl",
            title="Elongated bowl",
            formula="(x² + 30 y²) / 2",
            lesson="Thirty times as steep one way as the other. Gradient descent zigzags, "
            "momentum overshoots, Nesterov overshoots less.",
            value=bowl,
            gradient=bowl_gradient,
            start=(-9.0, 2.0),
            horizontal=(-10.0, 6.0),
            vertical=(-3.0, 3.0),
            minima=((0.0, 0.0),),
            descent_rate=0.06,
            stride=0.2,
        ),
        Surface(
            name="plateau",
            title="Plateau",
            formula="ln(1 + e^(−2(x + 3))) − 2 e^(−((x − 3)² + y²)/2) + y²/20 − x/50",
            lesson="A slope, then next to none, then a hollow. Momentum carries across what "
            "stops gradient descent.",
            value=plateau,
            gradient=plateau_gradient,
            start=(-4.5, 1.5),
            horizontal=(-5.5, 5.5),
            vertical=(-3.0, 3.0),
            minima=((3.0100065, 0.0),),
            descent_rate=0.15,
            stride=0.08,
        ),
        Surface(
            name="saddle",
            title="Saddle",
            formula="x² − y² + y⁴/4",
            lesson="Started next to the ridge: the way down begins with a tiny slope, which "
            "algorithms that scale each coordinate take at full speed.",
            value=saddle,
            gradient=saddle_gradient,
            start=(-2.2, 0.001),
            horizontal=(-2.6, 2.6),
            vertical=(-2.2, 2.2),
            minima=((0.0, ROOT_2), (0.0, -ROOT_2)),
            descent_rate=0.04,
            stride=0.05,
        ),
        Surface(
            name="noisy-valley",
            title="Noisy valley",
            formula="x²/10 + 2 y², noise of 2 on each derivative",
            lesson="As with small batches, each gradient is off at random. Near the minimum a "
            "constant rate does not come to rest; a larger one rests farther away.",
            value=valley,
            gradient=valley_gradient,
            start=(-8.0, 2.0),
            horizontal=(-9.5, 5.0),
            vertical=(-3.0, 3.0),
            minima=((0.0, 0.0),),
            descent_rate=0.1,
            stride=0.2,
            noise=2.0,
        ),
    )
}
