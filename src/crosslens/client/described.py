"""Methods that are described elsewhere: what they take and what their documentation says."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

MethodT = TypeVar("MethodT", bound=Callable[..., Any])


def documented(describe: Callable[..., Any]) -> Callable[[MethodT], MethodT]:
    """Give a method the name, the documentation and the parameters of what describes it."""
    told = inspect.signature(describe)
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    kind = str(told.return_annotation).partition("[")[2].removesuffix("]")

    def decorate(method: MethodT) -> MethodT:
        method.__name__ = method.__qualname__ = describe.__name__
        method.__doc__ = describe.__doc__
        method.__dict__["__signature__"] = told.replace(
            parameters=[own, *told.parameters.values()], return_annotation=kind
        )
        return method

    return decorate
