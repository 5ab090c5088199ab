"""What it costs to look for NaN and infinity in gradients, when there are none.

python -m benchmarks.nonfinite --backend tensorflow
"""

from benchmarks import options, variants


def main() -> None:
    """Measure and report."""
    parser = options.parser("nonfinite", "Step time with a check.", rounds=9, modes=True)
    options.add_count(parser, "--size", 25_000_000, "elements of the matrix")
    options.add_cases(parser, ["SGD momentum", "Adam", "Lamb"])
    options.add_batch_seconds(parser)
    chosen = options.parse(parser)
    modes = ("apply", "skip", "raise")
    results = variants.time_variants({mode: {"nonfinite": mode} for mode in modes}, chosen)
    variants.publish("A check for non-finite gradients", results, chosen, [])


if __name__ == "__main__":
    main()
