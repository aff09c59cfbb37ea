"""The numbers of every public sampler and law are those of the day on which they were recorded."""

from __future__ import annotations

import json

import numpy as np
import pytest
import recorded

TABLE = json.loads(recorded.FILE.read_text())

#: Rounding differs between processors and versions; it grows in single precision and along the layers.
ELSEWHERE = 2e-4


def test_the_table_knows_every_call():
    assert set(TABLE["calls"]) == set(recorded.calls())


@pytest.mark.parametrize("name", TABLE["calls"])
def test_recorded_numbers_are_the_same(name):
    entry, values = TABLE["calls"][name], recorded.flat(recorded.calls()[name]())
    np.testing.assert_allclose(recorded.kept(values), entry["values"], rtol=ELSEWHERE, atol=ELSEWHERE)
    if recorded.machine() == TABLE["machine"]:
        assert recorded.digest(values) == entry["digest"], f"{name} changed in its last digits"


def test_one_changed_bit_is_noticed():
    values = np.ones(40)
    before = recorded.digest(values)
    values[17] = np.nextafter(1, 2)
    assert recorded.digest(values) != before
