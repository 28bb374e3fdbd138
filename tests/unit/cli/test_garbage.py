"""The garbage collector is the command line's alone, and rests only until a plan is made."""

from __future__ import annotations

import gc

from reconciler.cli.running import collect_again


def test_what_was_switched_off_is_switched_on_again_and_looks_at_what_comes_later_only() -> None:
    before = gc.get_freeze_count()
    gc.disable()
    try:
        collect_again()
        assert gc.isenabled()
        assert gc.get_freeze_count() > before
    finally:
        gc.enable()


def test_a_host_that_never_switched_it_off_keeps_its_own_way() -> None:
    before = gc.get_freeze_count()
    collect_again()
    assert (gc.isenabled(), gc.get_freeze_count()) == (True, before)
