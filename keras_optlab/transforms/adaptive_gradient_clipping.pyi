# Written by tests/stubs.py from the tables of arguments. Do not edit.

from typing import Any, final

from keras_optlab.transforms.base import Transform, Values

SMALLEST: float

def unit_norms(x: Any) -> Any: ...

@final
class AdaptiveGradientClipping(Transform):
    def __init__(self, clipping: float = 0.01, epsilon: float = 0.001) -> None: ...
    @property
    def clipping(self) -> float: ...
    @property
    def epsilon(self) -> float: ...
    def gradient(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]: ...
