"""PyTorch's 1cycle in plain Python: an oracle that shares no code with the package.

`tests/schedules/test_one_cycle_schedules.py` compares it with numbers recorded from
`torch.optim.lr_scheduler.OneCycleLR`, so no test needs torch for it.
"""

import itertools
import math


def pytorch_cycle(
    max_learning_rate,
    total_steps,
    *,
    anneal="cosine",
    pct_start=0.3,
    three_phase=False,
    div_factor=25.0,
    final_div_factor=1e4,
    base_momentum=0.85,
    max_momentum=0.95,
):
    """Return the learning rate and the momentum of each step, as two lists.

    Like PyTorch, it raises `ZeroDivisionError` if the first phase ends at step 0.
    """
    initial = max_learning_rate / div_factor
    last = initial / final_div_factor
    # The start, then the last step of each phase, with the rate and momentum there.
    points = [
        (0.0, initial, max_momentum),
        (pct_start * total_steps - 1, max_learning_rate, base_momentum),
        (2 * pct_start * total_steps - 2, initial, max_momentum),
        (total_steps - 1, last, max_momentum),
    ]
    if not three_phase:
        del points[2]
    phases = list(itertools.pairwise(points))

    def between(start, end, fraction):
        if anneal == "linear":
            return start + (end - start) * fraction
        return end + (start - end) / 2 * (math.cos(math.pi * fraction) + 1)

    def values(step):
        reached = (phase for phase in phases if step <= phase[1][0])
        (start, *from_), (end, *to) = next(reached, phases[-1])
        fraction = (step - start) / (end - start)
        return [between(a, b, fraction) for a, b in zip(from_, to, strict=True)]

    rates, momenta = zip(*map(values, range(total_steps)), strict=True)
    return list(rates), list(momenta)
