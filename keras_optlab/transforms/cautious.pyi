# Written by tests/stubs.py from the tables of arguments. Do not edit.

from typing import Any, Literal, final

from keras_optlab.transforms.base import Transform, Values

@final
class Cautious(Transform):
    def __init__(self, scaling: Literal["mean", "count"] = "mean") -> None: ...
    @property
    def scaling(self) -> Literal["mean", "count"]: ...
    def agreement(self, step: Any, g: Any, p: Any, s: Values, h: Values) -> dict[str, Any]: ...
    def step(
        self, step: Any, g: Any, p: Any, s: Values, h: Values
    ) -> tuple[Any, dict[str, Any]]: ...
