"""Data that a range test can go through again and again, and that is left as it was."""

import types
from collections.abc import Callable, Iterator
from typing import Any, final

import keras


def rewindable(x: Any) -> Any:
    """The data as `fit` is to get it."""
    if isinstance(x, types.GeneratorType):
        raise ValueError(
            "A generator cannot be rewound, and the batches that the test takes would be lost. "
            f"Received: x={x!r}. Give the function that makes it, without calling it: "
            f"`{x.__name__}`, or `lambda: {x.__name__}(...)`."
        )
    if isinstance(x, types.FunctionType | types.MethodType):
        return batches_of(x)
    if isinstance(x, keras.utils.PyDataset):
        return Batches(x)
    return x


def batches_of(function: Callable[[], Iterator]) -> Iterator:
    """The batches of a generator function, called again whenever they are used up."""
    while True:
        count = 0
        for batch in function():
            count += 1
            yield batch
        if not count:
            raise ValueError(
                "The function given as `x` must return a generator of batches. Received: "
                f"x={function!r}, whose generator is empty."
            )


@final
class Batches(keras.utils.PyDataset):
    """The batches of a dataset, which does not learn of epochs and so cannot reorder itself.

    Args:
        dataset: `keras.utils.PyDataset`.
    """

    def __init__(self, dataset: keras.utils.PyDataset) -> None:
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self.dataset = dataset

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]

    # Keras documents None too, but pyright infers from its code that there is none.
    @property
    def num_batches(self) -> int | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The number of batches, None if there is no end."""
        return self.dataset.num_batches
