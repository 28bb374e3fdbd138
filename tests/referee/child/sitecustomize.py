"""Where Python starts in the processes that tests start: a sandbox in one of them is recorded too (see ../recording.py)."""

from __future__ import annotations

import os
import sys
from typing import Any


class Hook:
    """Waits until the sandbox is imported, so that nothing else in the process gets slower."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        if name != "reconciler.sandbox.app":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                load(module)
                recording().record(_folder(), module.Sandbox)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # this one loader, for this one module
        return spec


def _folder() -> Any:
    from pathlib import Path

    return Path(os.environ["RECONCILER_REFEREE"])


def recording() -> Any:
    """The module beside this folder, without the tests on the path."""
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    spec = spec_from_file_location("recording_of_the_tests", Path(__file__).parents[1] / "recording.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


if "RECONCILER_REFEREE" in os.environ:
    sys.meta_path.insert(0, Hook())
