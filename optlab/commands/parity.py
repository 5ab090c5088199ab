"""`optlab parity`: how far each algorithm is from the built-in."""

from optlab.backend import start_keras
from optlab.options import Backend, Json, Optimizers, Seed
from optlab.output import print_json


def parity(
    optimizers: Optimizers = None,
    seed: Seed = 0,
    as_json: Json = False,
    backend: Backend = None,
) -> int:
    """Measure how far each algorithm is from Keras' built-in; exit code 1 if one is too far."""
    start_keras(backend)
    from keras_optlab.lab import parity
    from keras_optlab.lab.errors import InputError, pick
    from keras_optlab.lab.terminal import progress_bar, simple_table, wide_console

    names = pick(optimizers, parity.ALGORITHMS, "optimizer") if optimizers else None
    cases = parity.cases(names)
    if not cases:
        raise InputError(f"this version of Keras has no counterpart of {', '.join(names or ())}")
    results = []
    with progress_bar() as progress:
        for number, case in enumerate(cases):
            progress(case.algorithm, number, len(cases))
            results.append(parity.measure(case, seed))
    passed = sum(each.passed for each in results)
    if as_json:
        print_json([{**each._asdict(), "passed": each.passed} for each in results])
    else:
        table = simple_table("Algorithm", "Arguments", "Reference", "Error", "Tolerance", "")
        table.columns[1].justify, table.columns[1].no_wrap = "left", False
        for each in results:
            error = f"{each.error:.1e}" if each.error else "0"
            verdict = "ok" if each.passed else "TOO FAR"
            cells = each.algorithm, each.arguments, each.reference, error
            table.add_row(*cells, f"{each.tolerance:.0e}", verdict)
        console = wide_console()
        console.print(table)
        console.print(
            f"{passed} of {len(results)} cases within tolerance after {parity.STEPS} steps. "
            "Error: difference of the weights, relative to the distance travelled."
        )
    return 0 if passed == len(results) else 1
