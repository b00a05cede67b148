"""The room of circuits: rules that are typed are compiled and proved, learned heads come from the newest run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from shoal.circuits import compile_rule, parse_rule, verify
from shoal.engine import RunFolder
from shoal.errors import ShoalError
from shoal.studies.circuits_config import CircuitsConfig, resolve
from shoal.studies.circuits_kept import load_kept_circuits
from shoal.studies.circuits_measurements import good_heads
from shoal.studies.circuits_tasks import short_tasks
from shoal.studies.measured_rows import Rows
from shoal.web.app import create_app
from tests.report.fabricate import fabricate
from tests.web.conftest import ORIGIN

PART = {"hx-request": "true"}
TASK = next(task for task in short_tasks() if task.name == "same & not_self")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a circuits run has learned one of its rules."""
    folder = tmp_path_factory.mktemp("circuits") / "circuits-quick"
    config = resolve(CircuitsConfig(budget="quick", seeds=2))
    with RunFolder(folder, {"study": "circuits"}) as opened:
        assert good_heads(config, Rows(opened), TASK, 3)
    result = fabricate()
    object.__setattr__(result, "study", "circuits")
    result.save(folder / "result.json")
    return folder


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_a_rule_is_compiled_and_proved(client: TestClient) -> None:
    part = client.get("/circuits/check", params={"rule": "same & not_self"}, headers=PART).text
    rule = parse_rule("same & not_self")
    assert str(verify(compile_rule(rule, "ABC", 4), rule)).split(":")[0] in part
    assert "W_Q" in part
    wrong = client.get("/circuits/check", params={"rule": "same &"}, headers=PART)
    assert wrong.status_code == 200  # half a rule is no mistake yet
    assert 'role="alert"' in wrong.text
    page = client.get("/circuits", params={"rule": "samé"})
    assert page.status_code == 422
    assert 'value="samé"' in page.text  # what was typed stays


def test_a_typed_rule_comes_first_and_the_sequence_is_that_of_the_address(client: TestClient) -> None:
    data = data_of(client.get("/circuits", params={"rule": "first | previous", "sequence": "cab"}).text)
    assert data["rules"][0]["text"] == str(parse_rule("first | previous"))
    assert data["rules"][0]["learned"] == []
    assert [data["vocabulary"][i] for i in data["start"]] == ["C", "A", "B"]
    assert len(data["rules"]) == len(short_tasks()) + 1
    known = data_of(client.get("/circuits", params={"rule": "previous"}).text)
    assert known["rules"][0]["text"] == "previous()"
    assert len(known["rules"]) == len(short_tasks())
    wrong = client.get("/circuits", params={"sequence": "XYZ"})
    assert wrong.status_code == 422
    assert "token: expected one of A, B, C" in wrong.text


def test_learned_heads_are_those_of_the_newest_run(run: Path) -> None:
    app = create_app(run.parent)
    app.state.house.wait_until_warm()
    client = TestClient(app, base_url=ORIGIN)
    page = client.get("/circuits").text
    learned = {rule["text"]: rule["learned"] for rule in data_of(page)["rules"]}
    kept = load_kept_circuits(run)
    assert learned[str(TASK.parsed)][0]["W_Q"] == kept[str(TASK.parsed)][0].W_Q.double().tolist()
    assert sum(map(bool, learned.values())) == 1
    assert all(verify(head, TASK.parsed).holds for head in kept[str(TASK.parsed)])
    assert "no finished run" not in page


def test_a_run_of_another_form_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(ShoalError, match="make a new run"):
        load_kept_circuits(tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"part": 3}\n[1]}\n{torn')
    with pytest.raises(ShoalError, match="expected rows of the circuits study"):
        load_kept_circuits(tmp_path)


def test_scripts_are_the_reports_own(client: TestClient) -> None:
    assert "function backward" in client.get("/circuits/attention.js").text
    assert client.get("/circuits/page.css.js").status_code == 422
    assert client.get("/circuits/..%2fpage.js").status_code == 404


WORDS = st.sampled_from(
    ["same", "first", "not_self", "unique", "at(2)", "token('A')", "&", "|", "~", "(", ")", "é", "<b>"]
)


@settings(max_examples=12)
@given(rule=st.lists(WORDS, max_size=8).map(" ".join) | st.text(max_size=30), sequence=st.text(max_size=8))
def test_no_rule_and_no_sequence_makes_it_fail(client: TestClient, rule: str, sequence: str) -> None:
    part = client.get("/circuits/check", params={"rule": rule}, headers=PART)
    assert part.status_code == 200
    assert "<script>x" not in part.text
    assert client.get("/circuits", params={"rule": rule, "sequence": sequence}).status_code in {200, 422}
    assert client.get("/circuits", params={"rule": "same & " * 500}).status_code == 422
