"""Step time of many small variables, and time to the first step, which compiles.

python -m benchmarks.many_variables --backend tensorflow --first-step
"""

import argparse
import functools
import itertools

from benchmarks import backend, bandwidth, duel, measure, options, problem
from benchmarks.contenders import CASES, Case
from benchmarks.problem import Shape

SHAPES = ((64, 64), (64,))
# Only a few, as TensorFlow takes up to half a minute to compile each of them.
DEFAULT_CASES = ["SGD momentum", "Adagrad", "RMSprop", "Adam", "AdamW", "Lion", "Lamb"]


def main() -> None:
    """Measure and report."""
    parser = options.parser(
        "many_variables", "Step time for many small variables.", rounds=3, modes=True
    )
    options.add_count(parser, "--variables", 500, "variables, by turns 64 x 64 and 64")
    parser.add_argument(
        "--first-step",
        action="store_true",
        help="the time to the first step: build, trace, compile, run",
    )
    options.add_cases(parser, DEFAULT_CASES, among=CASES)
    options.add_batch_seconds(parser)
    chosen = options.parse(parser)
    shapes = list(itertools.islice(itertools.cycle(SHAPES), chosen.variables))
    key = ["many_variables", backend.NAME, chosen.mode]
    if chosen.first_step:
        what, key = "Time to the first step", [*key, "first_step"]
        for side in chosen.cases[0].sides:
            # Load what only the first step of a process needs.
            first_step(chosen.cases[0], side, shapes, chosen.mode)
        results = {case.name: first_steps(case, shapes, chosen) for case in chosen.cases}
        notes = ["Build, trace, compile and run; optimizer and variables new in each round."]
    else:
        what, stream = "Step time", bandwidth.fastest()
        results = {
            case.name: duel.time_steps(case, shapes, chosen, stream) for case in chosen.cases
        }
        notes = [duel.memory_note(results, stream), duel.agreement(results)]
    report = duel.report(
        key=tuple(key),
        title=f"{what}, {chosen.variables:,} variables, {backend.NAME}, {chosen.mode}",
        results=results,
        rounds=chosen.rounds,
        notes=notes,
    )
    duel.draw(report.title, "ms", results, report.file(chosen.out, ".png"))
    report.publish(chosen)


def first_steps(case: Case, shapes: list[Shape], chosen: argparse.Namespace) -> duel.Result:
    """Time the first step of each side, in turns."""
    contenders = {
        side: functools.partial(first_step, case, side, shapes, chosen.mode) for side in case.sides
    }
    return duel.Result(measure.in_turns(contenders, chosen.rounds))


def first_step(case: Case, side: str, shapes: list[Shape], mode: str) -> float:
    """Return the seconds to the end of the first step, with nothing left from earlier steps."""
    backend.fresh_start()
    variables = problem.variables(shapes)
    gradients = backend.held(problem.gradients(shapes), mode)

    def first() -> None:
        backend.Step(case.make(side, mode), variables, gradients, mode).run(1)

    return measure.timed(first)


if __name__ == "__main__":
    main()
