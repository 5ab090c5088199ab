"""Claims 1 to 4: momentum and Nesterov's accelerated gradient."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from keras_optlab.lab.claims.descent import Descent, descend
from keras_optlab.lab.claims.evidence import Found, Measurement, claim, steps_until
from keras_optlab.lab.claims.picture import LOG_BOTH, LOG_X, LOG_Y, Line, Panel, lines
from keras_optlab.optimizers import SGD

BETA = "β = {:g}"


def slide(
    rate: float, beta: float, start: float, slope: Callable[[Any, Any], Any], steps: int
) -> np.ndarray:
    """Return the path of one number under gradient descent with momentum."""
    return descend(SGD(rate, momentum=beta), [start], slope, steps)[:, 0]


@claim(1)
def speed_on_a_slope(steps: int = 600) -> Found:
    """On a constant slope momentum reaches 1/(1−β) times the speed of gradient descent (10x at
    0.9).
    """
    speeds = {}
    for beta in (0.0, 0.5, 0.9, 0.99):
        way = slide(0.01, beta, 0.0, lambda x, row: ops.ones_like(x), steps)
        speeds[beta] = -np.diff(way.astype("float64")) / 0.01
    ratio = {beta: speed[-1] / speeds[0.0][-1] for beta, speed in speeds.items()}
    off = {beta: abs(ratio[beta] - 1 / (1 - beta)) for beta in speeds}
    warm_up = int(np.argmax(speeds[0.9] > 9)) + 1
    drawn, levels = lines(speeds, 1, label=BETA), [("2", 2), ("10", 10), ("100", 100)]
    axes = "Speed on a constant slope", "step", "speed / (learning rate × slope)"
    return (
        Measurement("distance of the speed at β = 0.9 from 10x", off[0.9], "<", 0.1),
        Measurement("distance of the speed at β = 0.5 from 2x", off[0.5], "<", 0.02),
        f"At β = 0.9 the speed ends at {ratio[0.9]:.2f} times that of gradient descent, at 0.5 at "
        f"{ratio[0.5]:.2f}, at 0.99 at {ratio[0.99]:.1f}. It takes time: nine tenths of it are "
        f"there after {warm_up} steps at 0.9, and at 0.99 all of it only after hundreds.",
        "Each line climbs to its own level, 1/(1−β), and the higher the level the longer it takes.",
        Panel(*axes, drawn, LOG_BOTH, levels=levels),
    )


@claim(2)
def plateau_and_bump(steps: int = 8000) -> Found:
    """Momentum crosses a plateau, and a small local minimum, in which gradient descent stays."""

    def plateau(x: Any, row: Any) -> Any:
        return x * ops.exp(-ops.square(x) / 2) + 0.002

    def bumps(x: Any, row: Any) -> Any:
        return 0.1 * x + 0.3 * ops.sin(2.5 * x)

    plain, heavy = (slide(0.5, beta, 10.0, plateau, steps) for beta in (0.0, 0.9))
    crossed = [float(steps_until(np.abs(x), 0.5)) for x in (plain, heavy)]
    stuck, over = (slide(0.1, beta, 6.0, bumps, 300) for beta in (0.0, 0.9))
    minimum = float(stuck[-1])
    rest = slide(0.1, 0.9, minimum, bumps, 300)
    left = {"gradient descent": plain, "momentum 0.9": heavy}
    right = {"gradient descent": stuck, "momentum 0.9": over}
    right["momentum 0.9, from rest in the minimum"] = rest
    levels = [("local minimum", minimum), ("lowest point", 0.0)]
    return (
        Measurement("x of gradient descent after 1,000 steps, start 10", plain[1000], ">", 5),
        Measurement("|x| of momentum after 1,000 steps", abs(heavy[1000]), "<", 0.1),
        Measurement("x of gradient descent behind the bump", stuck[-1], ">", 2),
        Measurement("|x| of momentum", abs(over[-1]), "<", 0.1),
        f"Momentum 0.9 is over the plateau after {crossed[1]:.0f} steps and over the bump, where "
        f"gradient descent ends at x = {minimum:.2f}. Gradient descent does not stay on the "
        f"plateau for ever: it needs {crossed[0] / crossed[1]:.1f} times as many steps (claim 1). "
        "Momentum carries only the speed it arrives with: set down at rest in the local minimum it "
        f"ends at x = {rest[-1]:.2f} too.",
        "Left: the valley is at 0; the upper line creeps. Right: the line that arrives with speed "
        "passes the local minimum at 2.2, the other two end in it.",
        Panel("A plateau", "step", "distance x to the valley", lines(left), LOG_X),
        Panel("A small local minimum", "step", "x", lines(right), levels=levels),
    )


@claim(3)
def overshoot(steps: int = 400) -> Found:
    """Momentum overshoots and oscillates; a larger friction (smaller β) damps it."""
    rate, betas = 0.1, (0.4, 0.8, 0.9, 0.99)
    ways = {beta: slide(rate, beta, 1.0, lambda x, row: x, steps) for beta in betas}
    over = {beta: max(0.0, -float(way.min())) for beta, way in ways.items()}
    # On a quadratic of curvature 1 there is no oscillation up to this momentum.
    critical = (1 - rate**0.5) ** 2
    past = ", ".join(f"{over[beta]:.0%} at β = {beta:g}" for beta in reversed(betas))
    swings = lines({beta: way[:121] for beta, way in ways.items()}, label=BETA)
    from_08, from_09 = over[0.8] - over[0.9], over[0.9] - over[0.99]
    return (
        Measurement("overshoot at β = 0.9, of the way there", over[0.9], ">", 0.3),
        Measurement("overshoot at β = 0.8 less that at 0.9", from_08, "<", -0.1),
        Measurement("overshoot at β = 0.9 less that at 0.99", from_09, "<", -0.1),
        Measurement("overshoot at β = 0.4, below critical", over[0.4], "<", 1e-3),
        f"On the quadratic x²/2 with learning rate {rate} the first swing goes past the minimum by "
        f"{past}. Below (1−√η)² = {critical:.2f} there is none.",
        "Each line is the way to the minimum at 0: the nearer β is to 1, the further it swings to "
        "the other side, and the longer.",
        Panel("The way down x²/2", "step", "x", swings, levels=[("minimum", 0.0)]),
    )


@claim(4)
def nesterov_on_a_bowl(rates: int = 60, momentums: int = 34) -> Found:
    """Nesterov needs fewer steps and oscillates less than momentum on an elongated bowl."""
    curvature, start = np.array([1.0, 50.0], "float32"), np.array([10.0, 1.0], "float32")

    def slope(point: Any, row: Any) -> Any:
        return ops.convert_to_tensor(curvature) * point

    def height(*coordinates: np.ndarray) -> np.ndarray:
        points = np.stack(coordinates, axis=-1).astype("float64")
        return 0.5 * (curvature * points**2).sum(axis=-1)

    goal, swept = 1e-4 * float(height(*start)), np.geomspace(2e-3, 0.08, rates)

    def fewest_steps(nesterov: bool) -> tuple[float, float, float]:
        """Return the fewest steps over all rates and momentums, with that rate and momentum."""
        descent = Descent(SGD(1.0, momentum=0.5, nesterov=nesterov), start, slope, rates=swept)
        found = []
        for beta in np.linspace(0.3, 0.96, momentums):
            descent.restart(momentum=float(beta))
            with np.errstate(over="ignore", invalid="ignore"):
                needed = 1 + steps_until(height(*np.moveaxis(descent.run(100), -1, 0)), goal)
            found.append((needed.min(), swept[needed.argmin()], beta))
        return min(found)

    ways = {
        name: descend(SGD(0.01, momentum=0.9, nesterov=nesterov), start, slope, 300)
        for name, nesterov in (("momentum", False), ("Nesterov", True))
    }
    losses = {name: height(*way.T) for name, way in ways.items()}
    slow, quick = (float(steps_until(loss, goal)) for loss in losses.values())
    wide, narrow = (float(np.abs(np.diff(way[:, 1])).sum()) for way in ways.values())
    (heavy, _, heavy_beta), (ahead, _, ahead_beta) = map(fewest_steps, (False, True))
    tuned_name = "steps, Nesterov / momentum, each at its best η and β"
    trails = [Line(name, *way.T, style="dots") for name, way in ways.items()]
    shown = lines({name: loss[:161] for name, loss in losses.items()})
    axes = "The way down an elongated bowl", "x (curvature 1)", "y (curvature 50)"
    return (
        Measurement("steps, Nesterov / momentum, η = 0.01, β = 0.9", quick / slow, "<", 1),
        Measurement("path across the valley, Nesterov / momentum", narrow / wide, "<", 0.5),
        Measurement(tuned_name, float(ahead / heavy), "<", 1, expected=False),
        f"With the same η = 0.01 and β = 0.9 Nesterov needs {quick:.0f} steps and momentum "
        f"{slow:.0f}, and it swings across the valley {1 / (narrow / wide):.1f} times less. Not as "
        f"claimed: with the best η and β for each, momentum needs {heavy:.0f} steps (β = "
        f"{heavy_beta:.2f}) and Nesterov {ahead:.0f} (β = {ahead_beta:.2f}), as Polyak's theory of "
        "quadratics has it. Nesterov forgives a β that is too large.",
        "Left: both start at the right; momentum zigzags across the valley, Nesterov turns into "
        "it. Right: the loss of momentum trembles with each swing, that of Nesterov does not.",
        Panel(*axes, trails, height=height),
        Panel("The loss", "step", "loss", shown, LOG_Y, levels=[("reached", goal)]),
    )
