"""The cost of keeping the small updates of bfloat16 weights.

python -m benchmarks.rounding --backend jax
"""

from benchmarks import options, variants

MODES = ("nearest", "compensated", "stochastic")


def main() -> None:
    """Measure and report."""
    parser = options.parser("rounding", "Step time of a bfloat16 matrix.", rounds=7, modes=True)
    options.add_count(parser, "--size", 25_000_000, "elements of the matrix")
    options.add_cases(parser, ["SGD momentum", "Adam"])
    options.add_batch_seconds(parser)
    chosen = options.parse(parser)
    results = variants.time_variants(
        {mode: {"rounding": mode} for mode in MODES}, chosen, "bfloat16"
    )
    variants.publish(
        "Rounding of a bfloat16 matrix",
        results,
        chosen,
        ["`compensated` keeps 2 more bytes a weight, the others none; slots are float32."],
    )


if __name__ == "__main__":
    main()
