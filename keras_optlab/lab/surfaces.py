"""Functions of two variables, for watching optimizers."""

from collections.abc import Callable
from typing import Any, NamedTuple, final

import numpy as np

Pair = tuple[float, float]


@final
class Surface(NamedTuple):
    """A function to descend, with a start and step sizes that suit it."""

    name: str  # Name that the user gives
    title: str  # Title of the picture
    formula: str  # The function in mathematical notation
    value: Callable[[Any, Any], Any]  # Takes arrays, and uses operations that take complex numbers
    lesson: str  # What to look for
    start: Pair  # Where the descent begins
    horizontal: Pair  # Range of x in the picture
    vertical: Pair  # Range of y
    descent_rate: float  # A learning rate that suits plain gradient descent
    stride: float  # A step length that suits algorithms that scale steps themselves
    minima: tuple[Pair, ...]  # The minima in the picture
    noise: float = 0.0  # Standard deviation of the noise added to both derivatives

    def gradient(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Return the partial derivatives, exact to rounding.

        Source: Squire & Trapp, 1998, "Using Complex Variables to Estimate Derivatives of Real
        Functions": f'(x) = Im f(x + ih) / h. No subtraction loses digits, however small h is.
        """
        h = 1e-100
        by_x, by_y = self.value(x + 1j * h, y), self.value(x, y + 1j * h)
        return by_x.imag / h, by_y.imag / h


def plateau(x: Any, y: Any) -> Any:
    """Evaluate a slope, a plateau, and a hollow at its end."""
    s = -2 * (x + 3)
    # ln(1 + e^s) as max(s, 0) + ln(1 + e^-|s|), which does not overflow.
    below = np.where(np.real(s) > 0, -s, s)
    slope = (s - below) / 2 + np.log1p(np.exp(below))
    return slope - 2 * np.exp(-((x - 3) ** 2 + y**2) / 2) + y**2 / 20 - x / 50


# By name: title, formula, value and lesson.
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "rosenbrock": (
        "Rosenbrock",
        "(1 − x)² + 100 (y − x²)²",
        lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
        "A bent valley with steep walls and an almost flat floor. All get into it at once; which "
        "one makes it along the floor?",
    ),
    "beale": (
        "Beale",
        "(1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²",
        lambda x, y: (
            (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2
        ),
        "Almost flat in the middle and steep at the corners: a rate that is safe at the corners is "
        "slow in the middle.",
    ),
    "himmelblau": (
        "Himmelblau",
        "(x² + y − 11)² + (x + y² − 7)²",
        lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2,
        "Four minima, all of them 0. From a start near a watershed, algorithms that scale each "
        "coordinate end in a different one than gradient descent.",
    ),
    "bowl": (
        "Elongated bowl",
        "(x² + 30 y²) / 2",
        lambda x, y: (x**2 + 30 * y**2) / 2,
        "Thirty times as steep one way as the other. Gradient descent zigzags, momentum "
        "overshoots, Nesterov overshoots less.",
    ),
    "plateau": (
        "Plateau",
        "ln(1 + e^(−2(x + 3))) − 2 e^(−((x − 3)² + y²)/2) + y²/20 − x/50",
        plateau,
        "A slope, then an almost flat stretch, then a hollow. Momentum carries across the flat "
        "stretch, on which gradient descent stalls.",
    ),
    "saddle": (
        "Saddle",
        "x² − y² + y⁴/4",
        lambda x, y: x**2 - y**2 + y**4 / 4,
        "The start is next to the ridge, so the way down begins with a tiny slope. Algorithms that "
        "scale each coordinate take it at full speed.",
    ),
    "noisy-valley": (
        "Noisy valley",
        "x²/10 + 2 y², noise of 2 on each derivative",
        lambda x, y: x**2 / 10 + 2 * y**2,
        "As with small batches, each gradient is perturbed at random. Near the minimum, a constant "
        "rate never settles; a larger rate stays farther away.",
    ),
}
HIMMELBLAU = ((3.0, 2.0), (-2.8051181, 3.1313125), (-3.7793103, -3.283186), (3.5844283, -1.8481265))
SADDLE = ((0.0, 2**0.5), (0.0, -(2**0.5)))
# By name: start, horizontal, vertical, descent rate, stride, minima, and noise if there is any.
NUMBERS: dict[str, tuple[Any, ...]] = {
    "rosenbrock": ((-0.7, 2.6), (-2.2, 2.2), (-1.0, 3.2), 7e-4, 0.1, ((1.0, 1.0),)),
    "beale": ((0.8, -1.6), (-1.0, 4.5), (-2.0, 2.2), 0.01, 0.08, ((3.0, 0.5),)),
    "himmelblau": ((0.15, -0.9), (-5.5, 5.5), (-5.5, 5.5), 0.01, 0.15, HIMMELBLAU),
    "bowl": ((-9.0, 2.0), (-10.0, 6.0), (-3.0, 3.0), 0.06, 0.2, ((0.0, 0.0),)),
    "plateau": ((-4.5, 1.5), (-5.5, 5.5), (-3.0, 3.0), 0.15, 0.08, ((3.0100065, 0.0),)),
    "saddle": ((-2.2, 0.001), (-2.6, 2.6), (-2.2, 2.2), 0.04, 0.05, SADDLE),
    "noisy-valley": ((-8.0, 2.0), (-9.5, 5.0), (-3.0, 3.0), 0.1, 0.2, ((0.0, 0.0),), 2.0),
}
SURFACES = {name: Surface(name, *FUNCTIONS[name], *NUMBERS[name]) for name in FUNCTIONS}
