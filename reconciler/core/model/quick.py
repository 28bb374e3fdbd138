"""Values of which there are a hundred thousand: frozen for whoever reads and checks the code, and made as fast as plain ones."""

from __future__ import annotations

from dataclasses import field, fields, make_dataclass
from typing import Any, TypeVar

T = TypeVar("T")


def quick(cls: type[T]) -> type[T]:
    """A frozen dataclass with the `__init__` of a plain one, which takes a fifth of the time: a frozen one sets each field by a call.

    The checker of types keeps it frozen; while it runs nobody does.
    """
    model: Any = cls
    parts: Any = [(f.name, Any, field(default=f.default, default_factory=f.default_factory)) for f in fields(model)]
    plain: Any = make_dataclass(cls.__name__, parts, repr=False, eq=False)
    model.__init__ = plain.__init__
    del model.__setattr__, model.__delattr__
    return cls
