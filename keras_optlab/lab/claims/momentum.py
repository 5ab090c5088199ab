"""Claims 1 to 4: momentum and Nesterov's accelerated gradient."""

from typing import Any

import numpy as np
from keras import ops

from keras_optlab.lab.claims.descent import descend, sweep
from keras_optlab.lab.claims.evidence import Evidence, Measurement, steps_until
from keras_optlab.lab.claims.picture import LOG_BOTH, LOG_X, LOG_Y, Line, Panel, lines
from keras_optlab.optimizers import SGD

# The elongated bowl of claim 4: ½ Σ curvature x².
CURVATURE = np.array([1.0, 50.0], "float32")
BOWL_START = np.array([10.0, 1.0], "float32")
REACHED = 1e-4


def speed_on_a_slope(steps: int = 600) -> Evidence:
    """Claim 1: the speed that momentum reaches on a constant slope."""
    speeds = {}
    for momentum in (0.0, 0.5, 0.9, 0.99):
        optimizer = SGD(0.01, momentum=momentum)
        way = descend(optimizer, [0.0], lambda x, row: ops.ones_like(x), steps)[:, 0]
        speeds[momentum] = -np.diff(way.astype("float64")) / 0.01
    ratio = {momentum: speed[-1] / speeds[0.0][-1] for momentum, speed in speeds.items()}
    off = {momentum: abs(ratio[momentum] - 1 / (1 - momentum)) for momentum in (0.5, 0.9)}
    warm_up = int(np.argmax(speeds[0.9] > 9)) + 1
    return Evidence(
        1,
        "On a constant slope momentum reaches 1/(1−β) times the speed of gradient descent "
        "(10x at 0.9).",
        (
            Measurement("distance of the speed at β = 0.9 from 10x", off[0.9], "<", 0.1),
            Measurement("distance of the speed at β = 0.5 from 2x", off[0.5], "<", 0.02),
        ),
        f"At β = 0.9 the speed ends at {ratio[0.9]:.2f} times that of gradient descent, at 0.5 at "
        f"{ratio[0.5]:.2f}, at 0.99 at {ratio[0.99]:.1f}. It takes time: nine tenths of it are "
        f"there after {warm_up} steps at 0.9, and at 0.99 all of it only after hundreds.",
        "Each line climbs to its own level, 1/(1−β), and the higher the level the longer it takes.",
        (
            Panel(
                "Speed on a constant slope",
                "step",
                "speed / (learning rate × slope)",
                lines(of_momentum(speeds), np.arange(1, steps + 1)),
                LOG_BOTH,
                levels=[("2", 2), ("10", 10), ("100", 100)],
            ),
        ),
    )


def of_momentum(ways: dict[float, np.ndarray]) -> dict[str, np.ndarray]:
    """The same by label."""
    return {f"β = {momentum:g}": way for momentum, way in ways.items()}


def plateau_and_bump(steps: int = 8000) -> Evidence:
    """Claim 2: momentum crosses a plateau and a small local minimum."""

    def on_plateau(momentum: float) -> np.ndarray:
        return descend(SGD(0.5, momentum=momentum), [10.0], plateau_slope, steps)[:, 0]

    def over_bump(momentum: float, start: float) -> np.ndarray:
        return descend(SGD(0.1, momentum=momentum), [start], bumpy_slope, 300)[:, 0]

    plain, heavy = on_plateau(0.0), on_plateau(0.9)
    crossed = [float(steps_until(np.abs(x), 0.5)) for x in (plain, heavy)]
    stuck, over = over_bump(0.0, 6.0), over_bump(0.9, 6.0)
    minimum = float(stuck[-1])
    rest = over_bump(0.9, minimum)
    plateau = {"gradient descent": plain, "momentum 0.9": heavy}
    bump = {
        "gradient descent": stuck,
        "momentum 0.9": over,
        "momentum 0.9, from rest in the minimum": rest,
    }
    levels = [("local minimum", minimum), ("lowest point", 0.0)]
    return Evidence(
        2,
        "Momentum crosses a plateau, and a small local minimum, in which gradient descent stays.",
        (
            Measurement("x of gradient descent after 1,000 steps, start 10", plain[1000], ">", 5),
            Measurement("|x| of momentum after 1,000 steps", abs(heavy[1000]), "<", 0.1),
            Measurement("x of gradient descent behind the bump", stuck[-1], ">", 2),
            Measurement("|x| of momentum", abs(over[-1]), "<", 0.1),
        ),
        f"Momentum 0.9 is over the plateau after {crossed[1]:.0f} steps and over the bump, where "
        f"gradient descent ends at x = {minimum:.2f}. Gradient descent does not stay on the "
        f"plateau for ever: it needs {crossed[0] / crossed[1]:.1f} times as many steps (claim 1). "
        "Momentum carries only the speed it arrives with: set down at rest in the local minimum "
        f"it ends at x = {rest[-1]:.2f} too.",
        "Left: the valley is at 0; the upper line creeps. Right: the line that arrives with speed "
        "passes the local minimum at 2.2, the other two end in it.",
        (
            Panel("A plateau", "step", "distance x to the valley", lines(plateau), LOG_X),
            Panel("A small local minimum", "step", "x", lines(bump), levels=levels),
        ),
    )


def plateau_slope(x: Any, row: Any) -> Any:
    """Gradient of a hollow around 0, with a slope of 0.002 everywhere."""
    return x * ops.exp(-ops.square(x) / 2) + 0.002


def bumpy_slope(x: Any, row: Any) -> Any:
    """Gradient of a bowl with bumps."""
    return 0.1 * x + 0.3 * ops.sin(2.5 * x)


def overshoot(steps: int = 400) -> Evidence:
    """Claim 3: momentum overshoots, and friction damps it."""
    rate = 0.1
    # On a quadratic of curvature 1 there is no oscillation up to this momentum.
    critical = (1 - rate**0.5) ** 2
    ways = {
        momentum: descend(SGD(rate, momentum=momentum), [1.0], lambda x, row: x, steps)[:, 0]
        for momentum in (0.4, 0.8, 0.9, 0.99)
    }
    over = {momentum: max(0.0, -float(way.min())) for momentum, way in ways.items()}
    swings = lines(of_momentum({momentum: way[:121] for momentum, way in ways.items()}))
    from_08, from_09 = over[0.8] - over[0.9], over[0.9] - over[0.99]
    return Evidence(
        3,
        "Momentum overshoots and oscillates; a larger friction (smaller β) damps it.",
        (
            Measurement("overshoot at β = 0.9, of the way there", over[0.9], ">", 0.3),
            Measurement("overshoot at β = 0.8 less that at 0.9", from_08, "<", -0.1),
            Measurement("overshoot at β = 0.9 less that at 0.99", from_09, "<", -0.1),
            Measurement("overshoot at β = 0.4, below critical", over[0.4], "<", 1e-3),
        ),
        f"On the quadratic x²/2 with learning rate {rate} the first swing goes past the minimum by "
        + ", ".join(f"{over[m]:.0%} at β = {m:g}" for m in reversed(over))
        + f". Below (1−√η)² = {critical:.2f} there is none.",
        "Each line is the way to the minimum at 0: the nearer β is to 1, the further it swings to "
        "the other side, and the longer.",
        (Panel("The way down x²/2", "step", "x", swings, levels=[("minimum", 0.0)]),),
    )


def nesterov_on_a_bowl(rates: int = 60, momentums: int = 34) -> Evidence:
    """Claim 4: Nesterov's gradient and momentum on an elongated bowl."""
    goal = REACHED * float(bowl_loss(BOWL_START))
    ways, steps, path, best = {}, {}, {}, {}
    for name, nesterov in {"momentum": False, "Nesterov": True}.items():
        way = descend(SGD(0.01, momentum=0.9, nesterov=nesterov), BOWL_START, bowl_slope, 300)
        ways[name] = way
        steps[name] = float(steps_until(bowl_loss(way), goal))
        path[name] = float(np.abs(np.diff(way[:, 1])).sum())
        best[name] = tuned(nesterov, np.geomspace(2e-3, 0.08, rates), momentums)
    sooner = steps["Nesterov"] / steps["momentum"]
    swing = path["Nesterov"] / path["momentum"]
    (heavy, _, heavy_beta), (ahead, _, ahead_beta) = best["momentum"], best["Nesterov"]
    tuned_name = "steps, Nesterov / momentum, each at its best η and β"
    losses = lines({name: bowl_loss(way)[:161] for name, way in ways.items()})
    return Evidence(
        4,
        "Nesterov needs fewer steps and oscillates less than momentum on an elongated bowl.",
        (
            Measurement("steps, Nesterov / momentum, η = 0.01, β = 0.9", sooner, "<", 1),
            Measurement("path across the valley, Nesterov / momentum", swing, "<", 0.5),
            Measurement(tuned_name, ahead / heavy, "<", 1, expected=False),
        ),
        f"With the same η = 0.01 and β = 0.9 Nesterov needs {steps['Nesterov']:.0f} steps and "
        f"momentum {steps['momentum']:.0f}, and it swings across the valley {1 / swing:.1f} times "
        f"less. Not as claimed: with the best η and β for each, momentum needs {heavy:.0f} steps "
        f"(β = {heavy_beta:.2f}) and Nesterov {ahead:.0f} (β = {ahead_beta:.2f}), as Polyak's "
        "theory of quadratics has it. Nesterov forgives a β that is too large.",
        "Left: both start at the right; momentum zigzags across the valley, Nesterov turns into "
        "it. Right: the loss of momentum trembles with each swing, that of Nesterov does not.",
        (
            Panel(
                "The way down an elongated bowl",
                "x (curvature 1)",
                "y (curvature 50)",
                [Line(name, way[:, 0], way[:, 1], style="dots") for name, way in ways.items()],
                height=lambda x, y: bowl_loss(np.stack([x, y], axis=-1)),
            ),
            Panel("The loss", "step", "loss", losses, LOG_Y, levels=[("reached", goal)]),
        ),
    )


def bowl_loss(points: np.ndarray) -> np.ndarray:
    """Height of the elongated bowl at points along the last axis."""
    return 0.5 * (CURVATURE * np.asarray(points, "float64") ** 2).sum(axis=-1)


def bowl_slope(point: Any, row: Any) -> Any:
    """Gradient of the elongated bowl."""
    return ops.convert_to_tensor(CURVATURE) * point


def tuned(nesterov: bool, rates: np.ndarray, momentums: int) -> tuple[float, float, float]:
    """The fewest steps to the bottom of the bowl, and the learning rate and momentum for it."""
    descent = sweep(SGD(1.0, momentum=0.5, nesterov=nesterov), rates, BOWL_START, bowl_slope)
    found = []
    for momentum in np.linspace(0.3, 0.96, momentums):
        descent.restart(momentum=float(momentum))
        with np.errstate(over="ignore", invalid="ignore"):
            losses = bowl_loss(descent.run(100))
        needed = 1 + steps_until(losses, REACHED * bowl_loss(BOWL_START))
        found.append((float(needed.min()), float(rates[needed.argmin()]), float(momentum)))
    return min(found)
