"""The room of attention: its numbers are the library's, its drawings say what they hold, no parameter makes it fail."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from shoal.attention import estimate_error, linear_attention, softmax_attention_reference
from shoal.errors import InputError
from shoal.report.numbers import number
from shoal.web.live import cells_svg, place
from shoal.web.rooms.attention_live import DIM, MAPS, TOKENS, Asked, fitted, measure, tokens

PART = {"hx-request": "true"}


@pytest.mark.parametrize("asked", [Asked(), Asked(map="positive", scale=2.0, causal=True, length=128, seed=3)])
def test_numbers_are_the_librarys(asked: Asked) -> None:
    found = measure(asked)
    q, k, v = tokens(asked.kind, asked.length, asked.seed, "test")
    phi = fitted(asked.map, asked.features, asked.kind, asked.seed, asked.scale)
    how = {"is_causal": asked.causal, "scale": asked.scale * DIM**-0.5}
    out = linear_attention(q, k, v, feature_map=phi, **how).double()
    exact = softmax_attention_reference(q.double(), k.double(), v.double(), **how)
    assert found.error == pytest.approx(float((out - exact).norm() / exact.norm()), rel=1e-6)
    assert found.estimate == estimate_error(q, k, v, phi, seed=asked.seed, **how)
    for rows in (found.exact, found.linear):
        matrix = torch.tensor(rows)
        assert matrix.shape == (TOKENS, TOKENS)
        assert torch.allclose(matrix.sum(1), torch.ones(TOKENS, dtype=matrix.dtype), atol=1e-4)
        assert not asked.causal or torch.equal(matrix, matrix.tril())
    assert found.linear_seconds > 0
    assert found.exact_seconds > 0


@pytest.mark.parametrize("name", MAPS)
def test_every_map_has_its_page(client: TestClient, name: str) -> None:
    part = client.get("/attention", params={"map": name, "length": 64, "features": 16}, headers=PART)
    assert part.status_code == 200
    assert "<html" not in part.text
    assert part.text.count('class="cells"') == 2


def test_the_page_shows_what_is_asked_and_says_the_result(client: TestClient) -> None:
    asked = {"map": "sderf", "length": 128, "features": 32, "scale": 0.5, "causal": "true", "seed": 7, "kind": "iso"}
    page = client.get("/attention", params=asked).text
    found = measure(Asked(map="sderf", length=128, features=32, scale=0.5, causal=True, seed=7, kind="iso"))
    assert f"<dd><b>{number(found.error)}</b></dd>" in page
    assert '<option value="sderf" selected>' in page
    assert re.search(r'name="causal" value="true" checked', page)
    assert re.search(r'name="seed"[^>]* value="7"', page)
    assert "sderf with 32 features is off by" in page
    default = client.get("/attention").text
    assert "checked" not in default


@settings(max_examples=25)
@given(
    asked=st.fixed_dictionaries(
        {},
        optional={
            "map": st.sampled_from([*MAPS, "learned", "", "../x", "<script>x"]),
            "kind": st.sampled_from(["aniso", "iso", "x"]),
            "length": st.sampled_from([64, 128, 63, -1, 10**9, "many", "1e3", ""]),
            "features": st.sampled_from([8, 16, 7, 0, 512, "8.5", ""]),
            "scale": st.sampled_from([0.25, 1, 4, 5, "nan", "inf", "-1", "x"]),
            "causal": st.sampled_from(["true", "false", "maybe", ""]),
            "seed": st.sampled_from([0, 1, -1, 2**31, 2**70, "x"]),
        },
    ),
    part=st.booleans(),
)
def test_no_parameter_makes_it_fail(client: TestClient, asked: dict[str, object], part: bool) -> None:
    found = client.get("/attention", params=asked, headers=PART if part else {})  # type: ignore[arg-type]
    assert found.status_code in {200, 422}
    assert "<script>x" not in found.text
    assert ('role="alert"' in found.text) == (found.status_code == 422)


def test_wrong_settings_are_refused_with_what_is_right() -> None:
    for asked, said in [
        ({"length": 65}, "length: expected a multiple of 64 from 64 to 1024, got 65"),
        ({"scale": float("nan")}, "scale: expected a multiple of 0.25 from 0.25 to 4, got nan"),
        ({"map": "landmarks"}, "did you mean 'landmark'?"),
    ]:
        with pytest.raises(InputError, match=re.escape(said)):
            Asked(**asked)


def test_cells_are_drawn_by_their_step() -> None:
    svg = cells_svg([[0.0, -1.0, 1.0], [float("nan"), 0.01, 9.0]], 1.0, 'a "label" & <more>')
    assert svg.count("<path") == 2
    assert 'd="M0 0h2v1h-2zM0 1h2v1h-2z"' in svg  # what is not above 0, NaN and the least, each row's as one
    assert 'd="M2 0h1v1h-1zM2 1h1v1h-1z"' in svg
    assert "a &#34;label&#34; &amp; &lt;more&gt;" in svg
    assert (place(float("nan"), 0.1, 1), place(-1, 0.1, 1), place(0.1, 0.01, 1)) == (0.0, 0.0, 50.0)
