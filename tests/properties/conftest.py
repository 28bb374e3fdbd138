"""How many worlds are tried: few enough that all of these take well under a minute on one core."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

from tests.desk.soak import SOAKS, times

settings.register_profile(
    "house",
    deadline=None,
    database=None,
    derandomize=not SOAKS,
    max_examples=times(15),
    print_blob=True,
    phases=(Phase.explicit, Phase.generate, *((Phase.shrink,) if os.environ.get("RECONCILER_SHRINK", "1") == "1" else ())),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("house")
