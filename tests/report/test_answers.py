"""The answer sheet, before it is a page: every question is answered from the results, by their verdicts."""

import inspect
import itertools
import re
from dataclasses import replace
from typing import Any, get_args

import pytest

from shoal.measure import record
from shoal.report.answers import QUESTIONS
from shoal.report.answers.answering import Answer, answer_all
from shoal.report.answers.blocks import Block, Code, Judged, Missing, Points, Prose, Tabled, Words
from shoal.report.answers.code import code
from shoal.report.answers.found import Found
from shoal.report.answers.inline import html_of, plain_text
from shoal.studies.failure import Failure
from shoal.studies.result import Claim, Result, Table, Verdict
from tests.report.answer_results import STUDIES, judged, whole, without_one_part

IDS = (  # of the course sheet
    *("1a-i", "1a-ii", "1b", "2a", "2b", "3a"),
    *("4a-i", "4a-ii", "4a-iii", "4a-iv", "4a-v", "4a-vi", "4a-vii", "4a-viii", "4a-ix"),
    *("4b-i", "4b-ii", "4b-iii", "4b-iv", "4b-v"),
    *("5a", "5b", "5c", "5d", "5e", "5f", "5g", "5h", "5i", "5j", "6"),
)
READERS = ("5j", "6")
NOTES = {"who": "A. Student", "with_whom": "nobody", "resources": "the paper", "time_spent": "a day", "idea": "Mining."}


def of(answers: tuple[Answer, ...], kind: type[Any]) -> list[Any]:
    return [block for answer in answers for block in answer.blocks if isinstance(block, kind)]


def by_id(answers: tuple[Answer, ...]) -> dict[str, tuple[Block, ...]]:
    return {answer.question.id: answer.blocks for answer in answers}


def test_all_questions_are_there() -> None:
    assert tuple(question.id for question in QUESTIONS) == IDS
    assert {question.study for question in QUESTIONS} == {*STUDIES, ""}
    assert all(question.text.endswith((".", "?")) and question.short for question in QUESTIONS)


def test_every_question_is_answered_from_all_results() -> None:
    answers = answer_all([replace(result, notes=NOTES) for result in whole()])
    assert not of(answers, Missing)
    for answer in answers:
        assert len(answer.blocks) > 1, answer.question.id
        assert (answer.result is None) == (answer.question.id in READERS)
    derived = by_id(answers)
    for question in ("1a-i", "1a-ii", "1b"):
        assert sum(type(block).__name__ == "Typeset" for block in derived[question]) >= 2, question


def test_every_answer_of_a_study_rests_on_what_it_found() -> None:
    explained = {"4a-iv", "4a-v"}  # what hooks and neighbours are for: nothing is claimed of them
    for answer in answer_all(whole()):
        if answer.question.study and answer.question.id not in explained:
            assert any(isinstance(block, Judged) for block in answer.blocks), answer.question.id


@pytest.mark.parametrize("study", STUDIES)
def test_questions_of_studies_that_did_not_run_say_so(study: str) -> None:
    one = next(result for result in whole() if result.study == study)
    for answer in answer_all([one]):
        if answer.question.study == study:
            assert not any(isinstance(block, Missing) for block in answer.blocks)
        elif answer.question.study:
            (said,) = answer.blocks
            assert isinstance(said, Missing)
            assert said.command == f"shoal study {answer.question.study}"
            assert answer.question.study in said.text


def test_a_study_that_failed_says_why() -> None:
    failure = Failure(study="circuits", error="ran out of memory", command="shoal study circuits --seed 1")
    said = by_id(answer_all(whole()[:1], [failure]))["2a"]
    assert said == (
        Missing(text="The study of circuits failed: ran out of memory", command="shoal study circuits --seed 1"),
    )


def test_of_several_runs_the_first_answers() -> None:
    first = whole()[4]
    second = replace(first, tables=())
    assert answer_all([first, second])[15].result is first
    assert answer_all([second, first])[15].result is second


@pytest.mark.parametrize("verdict", get_args(Verdict))
def test_the_answers_follow_the_verdicts(verdict: Verdict) -> None:
    answers = answer_all([judged(result, verdict) for result in whole()])
    found = of(answers, Judged)
    assert len(found) > 60
    assert {block.claim.verdict for block in found} == {verdict}
    assert all(block.reading.endswith(".") for block in found)


def test_every_verdict_is_read_in_its_own_words() -> None:
    readings = {
        verdict: [(b.claim.id, b.reading) for b in of(answer_all([judged(r, verdict) for r in whole()]), Judged)]
        for verdict in get_args(Verdict)
    }
    for one, other in itertools.combinations(readings.values(), 2):
        assert not set(one) & set(other)


def test_a_reason_that_nothing_can_be_decided_is_told() -> None:
    (result,) = (result for result in whole() if result.study == "difficulty")
    claims = tuple(replace(claim, unsettled="not converged: it is too early") for claim in result.claims)
    (block,) = (b for b in by_id(answer_all([replace(result, claims=claims)]))["4a-vii"] if is_claim(b, "margin_falls"))
    assert isinstance(block, Judged)
    assert block.reading == "This run cannot tell: not converged: it is too early."


def is_claim(block: Block, name: str) -> bool:
    return isinstance(block, Judged) and block.claim.id == name


@pytest.mark.parametrize("study", STUDIES)
def test_what_is_missing_is_said(study: str) -> None:
    (result,) = (result for result in whole() if result.study == study)
    named = 0
    for name, less in without_one_part(result):
        answers = answer_all([less])
        lacking = [
            block for a in answers if a.question.study == study for block in a.blocks if isinstance(block, Missing)
        ]
        named += bool(lacking)
        for block in lacking:
            assert block.text.startswith("This run "), name
            assert block.command or block.reason, name
    assert named > 5


def test_a_smaller_budget_is_told_which_one_measures_more() -> None:
    (faces,) = (result for result in whole() if result.study == "faces")
    less = replace(faces, tables=tuple(table for table in faces.tables if table.id != "dims"))
    said = [block for block in by_id(answer_all([less]))["5g"] if isinstance(block, Missing)]
    command = "shoal study faces --budget default"
    assert said == [
        Missing(text="This run has no table “dims”.", reason="A larger budget measures it.", command=command)
    ]


def test_what_is_missing_for_one_reason_is_said_at_once() -> None:
    (faces,) = (result for result in whole() if result.study == "faces")
    (said,) = of(
        tuple(a for a in answer_all([replace(faces, tables=(), pictures=())]) if a.question.id == "5g"), Missing
    )
    assert said.text == "This run has no table “dims”. This run has no picture “dims”."


class TestNumbers:
    """No number is typed: those of a run are looked up, and change with it."""

    KNOWN = re.compile(
        r"ResNet-\d+|NNS?\d|\bv[12]\b|question \d\w+|\$[^$]*\$|`[^`]*`|--\S+"  # names, formulas and code
    )

    def digits(self, text: str) -> list[str]:
        return re.findall(r"\d+", self.KNOWN.sub("", text))

    def test_texts_hold_none(self) -> None:
        bare = [
            replace(judged(result, verdict), tables=tuple(map(blank, result.tables)), settings={"k": "some"})
            for verdict in get_args(Verdict)
            for result in whole()
        ]
        for results in thirds(bare):
            for answer in answer_all(results):
                if answer.question.id in READERS:
                    continue
                for text in texts(answer.blocks):
                    assert not self.digits(text), (answer.question.id, text)

    def test_they_change_with_the_results(self) -> None:
        for sign in "78":
            answers = answer_all([numbered(result, sign) for result in whole()])
            found = [number for block in of(answers, Prose) for number in self.digits(block.text)]
            assert len(found) > 20
            assert {digit for number in found for digit in number} == {sign}

    def test_claims_tables_and_pictures_are_those_of_the_result(self) -> None:
        for result in whole():
            for answer in answer_all([result]):
                for block in answer.blocks:
                    if isinstance(block, Judged):
                        assert any(block.claim is claim for claim in result.claims)
                    if isinstance(block, Tabled) and block.study:
                        rows = next(table.rows for table in result.tables if table.id == block.table.id)
                        cells = {str(cell) for row in rows for cell in row}
                        assert {str(cell) for row in block.table.rows for cell in row} <= cells


def thirds(results: list[Result]) -> list[list[Result]]:
    size = len(STUDIES)
    return [results[at : at + size] for at in range(0, len(results), size)]


def texts(blocks: tuple[Block, ...]) -> list[str]:
    """All text of ours."""
    found = []
    for block in blocks:
        found += [block.text] if isinstance(block, Prose) else []
        found += block.items if isinstance(block, Points) else []
        found += [block.reading] if isinstance(block, Judged) else []
        found += [block.text] if isinstance(block, Missing) else []
    return found


def blank(table: Table) -> Table:
    """The same without a number; the first column names rows."""
    return replace(table, rows=tuple((row[0], *("some" for _ in row[1:])) for row in table.rows))


def numbered(result: Result, sign: str) -> Result:
    """All numbers of one digit: in tables but for the names of rows, in settings, and in what claims say."""

    def changed(value: Any) -> Any:
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int | float):
            return type(value)(sign * 2)
        return re.sub(r"\d", sign, str(value))

    tables = tuple(
        replace(table, rows=tuple((row[0], *map(changed, row[1:])) for row in table.rows)) for table in result.tables
    )
    claims = tuple(replace(claim, measured=changed(claim.measured)) for claim in result.claims)
    settings = {name: changed(value) for name, value in result.settings.items() if not isinstance(value, list | dict)}
    return replace(result, tables=tables, claims=claims, settings=settings)


class TestReader:
    """What the reader wrote, and what waits for it."""

    def test_our_example_is_marked(self) -> None:
        blocks = by_id(answer_all(whole()))["5j"]
        (words,) = (block for block in blocks if isinstance(block, Words))
        assert words.example
        assert "example" in words.by
        assert 80 <= len(words.text.split()) <= 130
        assert any(isinstance(block, Missing) for block in blocks)

    def test_the_idea_replaces_it(self) -> None:
        results = [replace(whole()[0], notes=NOTES), *whole()[1:]]
        blocks = by_id(answer_all(results))["5j"]
        assert [block for block in blocks if isinstance(block, Words)] == [Words(by="The reader", text="Mining.")]
        assert not any(isinstance(block, Missing) for block in blocks)

    def test_the_process(self) -> None:
        results = [replace(whole()[2], notes=NOTES | {"with_whom": ""}), *whole()[:2]]
        blocks = by_id(answer_all(results))["6"]
        assert [block.text for block in blocks if isinstance(block, Words)] == ["A. Student", "the paper", "a day"]
        (missing,) = (block for block in blocks if isinstance(block, Missing))
        assert missing.command == 'shoal report --answers RUN... --with-whom "..."'
        (times,) = (block.table for block in blocks if isinstance(block, Tabled))
        assert [row[0] for row in times.rows] == ["summarize", "attention", "circuits", "all together"]
        assert times.rows[1][1] == "1 min 15 s"
        assert times.rows[1][2:] == ("A processor, 2 cores", "budget quick, seed 0")


class TestFound:
    """Looking things up."""

    TABLE = Table(
        id="t", title="T", columns=("name", "share (%)", "note"), rows=(("one", 12.5, "a"), ("two", None, ""))
    )
    FOUND = Found(Result(study="s", title="S", summary=(), command="shoal study s", tables=(TABLE,)))

    def test_cells(self) -> None:
        assert self.FOUND.cell("t", "one", "share").text == "12.5"
        assert self.FOUND.cell("t", 0, "note").text == "a"
        assert self.FOUND.cell("t", -1, "name").text == "two"
        for row, column in (("two", "share"), ("two", "note"), (2, "note"), (-3, "note"), ("x", "note"), (0, "x")):
            assert self.FOUND.cell("t", row, column).text is None
        assert self.FOUND.cell("x", 0, "note").text is None

    def test_a_cell_that_is_missing_is_named(self) -> None:
        said = self.FOUND.tell(
            "{a} and {b}", a=self.FOUND.cell("t", "one", "note"), b=self.FOUND.cell("t", "two", "note")
        )
        assert said == Missing(text="This run has no “note” of two in the table “t”.", command="shoal study s")

    def test_what_cells_say_is_no_markup(self) -> None:
        table = replace(self.TABLE, rows=(("one", 1.0, "$x$ **<b>** `c`"),))
        found = Found(Result(study="s", title="S", summary=(), command="", tables=(table,)))
        said = found.tell("It is {a}.", a=found.cell("t", "one", "note"))
        assert isinstance(said, Prose)
        assert html_of(said.text) == "It is $x$ **&lt;b&gt;** `c`."

    def test_parts_of_tables(self) -> None:
        part = self.FOUND.table("t", columns=("note",), where=("name", ("one",)))
        assert isinstance(part, Tabled)
        assert part.table.columns == ("name", "note")
        assert part.table.rows == (("one", "a"),)
        assert isinstance(self.FOUND.table("t", columns=("x",)), Missing)
        assert isinstance(self.FOUND.table("t", where=("name", ("three",))), Missing)
        assert isinstance(self.FOUND.table("t", where=("x", ("one",))), Missing)

    def test_verdicts(self) -> None:
        claim = Claim(id="c", sentence="", measured="", effect=1, low=1, high=1, bound=0, direction="above")
        found = Found(Result(study="s", title="S", summary=(), command="", claims=(claim,)))
        assert found.verdict("c") == "supported"
        assert found.verdict("d") is None


def test_code_is_the_real_function() -> None:
    shown = code("shoal.measure.recording", "record")
    real = inspect.getsource(record).splitlines()
    rest = iter(real)
    assert all(line in rest for line in shown.source.splitlines())  # every line, in order
    assert "register_forward_hook" in shown.source
    assert '"""' not in shown.source
    assert shown.source.splitlines()[:2] == real[:2]  # with its decorator
    assert compile(shown.source, "shown", "exec")
    assert "# a copy: the next layer may work in place" in code("shoal.measure.recording", "Recording").source
    with pytest.raises(KeyError, match="no_such"):
        code("shoal.measure.recording", "no_such")


def test_all_code_of_the_sheet_compiles() -> None:
    for block in of(answer_all(whole()), Code):
        assert compile(block.source, block.name, "exec")
        assert len(block.source.splitlines()) > 5


@pytest.mark.parametrize("text", ["5 * 3 = $15", "`a_b` <i>~x~</i> | # [link](u)", r"C:\new", "plain"])
def test_plain_text_stays_plain(text: str) -> None:
    from markupsafe import Markup

    assert html_of(plain_text(text)) == Markup().join([text])  # escaped, and nothing else
