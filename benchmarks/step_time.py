"""Step time of one large matrix, next to Keras and to the memory limit.

python -m benchmarks.step_time --backend torch --mode compiled
"""

from benchmarks import backend, bandwidth, duel, options, problem
from benchmarks.contenders import CASES, OF_MATRICES


def main() -> None:
    """Measure and report."""
    parser = options.parser("step_time", "Step time for one matrix.", rounds=3, modes=True)
    options.add_count(parser, "--size", 25_000_000, "elements of the matrix")
    default = [name for name in CASES if name not in OF_MATRICES]
    options.add_cases(parser, default, among=CASES)
    options.add_batch_seconds(parser)
    chosen = options.parse(parser)
    shapes = [problem.matrix(chosen.size)]
    stream = bandwidth.fastest()
    results = {case.name: duel.time_steps(case, shapes, chosen, stream) for case in chosen.cases}
    rows, columns = shapes[0]
    report = duel.report(
        key=("step_time", backend.NAME, chosen.mode),
        title=f"Step time of a {rows:,} x {columns:,} matrix, {backend.NAME}, {chosen.mode}",
        results=results,
        rounds=chosen.rounds,
        notes=[duel.memory_note(results, stream), duel.agreement(results)],
    )
    duel.draw(report.title, "ms a step", results, report.file(chosen.out, ".png"))
    report.publish(chosen)


if __name__ == "__main__":
    main()
