"""`optlab parity`: how far each algorithm is from the built-in."""

from typing import TYPE_CHECKING, Any

from optlab.backend import start_keras
from optlab.options import Backend, Json, Optimizers, Seed
from optlab.output import print_json

if TYPE_CHECKING:
    from rich.table import Table

    from keras_optlab.lab.parity import Result


def parity(
    optimizers: Optimizers = None,
    seed: Seed = 0,
    as_json: Json = False,
    backend: Backend = None,
) -> int:
    """Measure how far each algorithm is from Keras' own; exit code 1 if one is too far."""
    start_keras(backend)
    from keras_optlab.lab import parity
    from keras_optlab.lab.errors import InputError, pick
    from keras_optlab.lab.terminal import progress_bar, wide_console

    names = pick(optimizers, parity.ARGUMENTS, "optimizer") if optimizers else None
    cases = parity.cases(names)
    if not cases:
        raise InputError(f"this Keras has nothing to compare {', '.join(names or ())} with")
    results = []
    with progress_bar() as progress:
        for number, case in enumerate(cases):
            progress(case.algorithm, number, len(cases))
            results.append(parity.measure(case, seed))
    passed = sum(result.passed for result in results)
    if as_json:
        print_json([as_numbers(result) for result in results])
    else:
        console = wide_console()
        console.print(results_table(results))
        console.print(
            f"{passed} of {len(results)} cases within tolerance after {parity.STEPS} steps. "
            "Error: difference of the weights, relative to the distance travelled."
        )
    return 0 if passed == len(results) else 1


def results_table(results: "list[Result]") -> "Table":
    """The errors, for the terminal."""
    from keras_optlab.lab.terminal import simple_table

    table = simple_table("Algorithm", "Arguments", "Reference", "Error", "Tolerance", "")
    table.columns[1].justify, table.columns[1].no_wrap = "left", False
    for result in results:
        table.add_row(
            result.case.algorithm,
            result.case.label,
            result.reference,
            f"{result.error:.1e}" if result.error else "0",
            f"{result.tolerance:.0e}",
            "ok" if result.passed else "TOO FAR",
        )
    return table


def as_numbers(result: "Result") -> dict[str, Any]:
    """What JSON says of a case: all figures, and the case by its algorithm and arguments."""
    case = {"algorithm": result.case.algorithm, "arguments": result.case.label}
    figures = {name: value for name, value in vars(result).items() if name != "case"}
    return {**case, **figures, "passed": bool(result.passed)}
