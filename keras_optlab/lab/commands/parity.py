"""`optlab parity`: how far each algorithm is from the built-in."""

import argparse

from keras_optlab.lab.arguments import add_optimizers, add_seed
from keras_optlab.lab.errors import InputError, pick
from keras_optlab.lab.terminal import progress_bar, require, simple_table, wide_console

NAME = "parity"
SUMMARY = "how far each algorithm is from the built-in; exit code 1 if one is too far"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_optimizers(parser)
    add_seed(parser)


def run(options: argparse.Namespace) -> int:
    """Print the errors; 1 if any is over its tolerance."""
    require("rich")
    from keras_optlab.lab import parity

    named = options.optimizers
    cases = parity.cases(pick(named, parity.ARGUMENTS, "optimizer") if named else None)
    if not cases:
        raise InputError(f"this Keras has nothing to compare {', '.join(named)} with")
    results = []
    with progress_bar() as progress:
        for number, case in enumerate(cases):
            progress(case.algorithm, number, len(cases))
            results.append(parity.measure(case, options.seed))
    table = simple_table("Algorithm", "Arguments", "Reference", "Error", "Tolerance", "")
    table.columns[1].justify, table.columns[1].no_wrap = "left", False
    for result in results:
        error = f"{result.error:.1e}" if result.error else "0"
        figures = (error, f"{result.tolerance:.0e}")
        verdict = "ok" if result.passed else "TOO FAR"
        case = result.case
        table.add_row(case.algorithm, case.label, result.reference, *figures, verdict)
    failed = sum(not result.passed for result in results)
    console = wide_console()
    console.print(table)
    console.print(
        f"{len(results) - failed} of {len(results)} cases within tolerance after {parity.STEPS} "
        "steps. Error: difference of the weights, relative to the distance travelled.",
    )
    return 1 if failed else 0
