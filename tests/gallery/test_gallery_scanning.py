"""Looking for many byte strings at once finds what looking for each finds."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shoal.gallery.scanning import found_in

FEW_LETTERS = st.binary(max_size=200).map(lambda b: bytes(x % 3 for x in b))  # what repeats itself is found often


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(st.binary(max_size=300), FEW_LETTERS),
    needles=st.lists(st.one_of(st.binary(min_size=1, max_size=20), FEW_LETTERS.filter(bool)), max_size=6),
    cuts=st.lists(st.tuples(st.integers(0, 299), st.integers(1, 60)), max_size=6),
    at_once=st.integers(1, 400),
)
def test_the_same_are_found(tmp_path: Path, content: bytes, needles: list[bytes], cuts, at_once: int):
    needles += [piece for start, length in cuts if (piece := content[start : start + length])]
    path = tmp_path / "file"
    path.write_bytes(content)
    assert found_in([path], needles, at_once) == {needle for needle in needles if needle in content}


@pytest.mark.parametrize("needles", [[], [b"abc"], [b"0123456789" * 5]])
def test_files_that_are_empty_or_gone_hold_nothing(tmp_path: Path, needles: list[bytes]):
    (tmp_path / "empty").touch()
    assert found_in([tmp_path / "empty", tmp_path / "gone"], needles) == set()


def test_a_thousand_in_a_large_file_are_found_in_a_moment(tmp_path: Path):
    """Each alone would take a thousand passes."""
    import random
    import time

    rng = random.Random(0)
    content = rng.randbytes(8_000_000) + bytes(4_000_000)
    there = [content[at : at + 48] for at in range(0, 8_000_000, 8_000)]
    path = tmp_path / "file"
    path.write_bytes(content)
    began = time.process_time()
    found = found_in([path], [*there, *(rng.randbytes(48) for _ in range(1_000)), b"\x01" + bytes(47)])
    assert found == set(there)
    assert time.process_time() - began < 4  # two thousand passes are 24 GB
