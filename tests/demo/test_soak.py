"""A short run of the soak test, with fake models."""

import time

import psutil
from demo_stand_ins import QUERIES, StandIn, serving
from soak import faults, soak


class Sleepy(StandIn):
    """Sleeps in every call, so that few clients overload the server."""

    def complete(self, prefix, previous, k=10):
        time.sleep(0.005)
        return super().complete(prefix, previous, k)

    def search(self, text):
        time.sleep(0.02)
        return super().search(text)


def soaked(**limits):
    with serving(Sleepy(), **limits) as server:
        return soak(
            psutil.Process(),
            server.address[1],
            (["a title", "another"], QUERIES),
            seconds=0.5,
            rate=20,
            overload_seconds=0.5,
        )


def test_a_short_soak_ends_well():
    found = soaked(max_requests=8)
    assert faults(found) == []
    assert found["steady"]["endings"].keys() == {"answered"}
    assert found["overload"]["endings"]["rejected"] > 0
    assert found["recovered"]["requests"] > 0
    assert found["resident_MB_at_end"] > 0


def test_a_soak_notices_faults():
    found = soaked(max_requests=1000)
    assert faults(found) == ["overload: nothing was rejected"]
    found["steady"]["endings"]["status 500"] = 2
    assert "steady: 2 status 500" in faults(found)
