"""A study tells its story in order, its claims lead to their evidence, and what studies share is said once."""

import dataclasses

from shoal.report import render
from shoal.report.about import common, differing
from tests.report.fabricate import fabricate, fabricate_small
from tests.report.outline import Element, outline


def test_the_story_is_told_in_order(single: Element):
    heads = [head.text for head in single.all("h2")]
    assert heads == [
        "What is asked",
        "What was done",
        "What came out",
        "What it means",
        "What would change it",
        "How it was run",
    ]
    story = fabricate().story
    assert story is not None
    told = single.text
    places = [told.index(text) for text in (*story.asked, *story.done, *fabricate().summary[:1], *story.means)]
    assert places == sorted(places)


def test_without_a_story_the_findings_come_first(several: Element):
    (study,) = several.all("article", id="attention")
    assert [head.text for head in study.all("h3")] == ["What was claimed, and what was found", "How it was run"]
    assert study.all("section")[0].text == fabricate_small().summary[0]


def test_claims_lead_to_their_evidence_and_back(single: Element):
    (claim,) = single.all("article", id="exits-claim-halves-the-macs")
    (shown,) = claim.all("p", class_="links")
    assert [(link.text, link.attributes["href"]) for link in shown.all("a")] == [
        ("Figure 2", "#exits-figure-frontier"),
        ("Table 2", "#exits-table-comparison"),
    ]
    (figure,) = single.all("figure", id="exits-figure-frontier")
    assert figure.all("figcaption")[0].text.startswith("Figure 2. ")
    assert [(link.text, link.attributes["href"]) for link in figure.all("p", class_="links")[0].all("a")] == [
        ("supported: Halves the MACs", "#exits-claim-halves-the-macs"),
        ("supported: Keeps the accuracy", "#exits-claim-keeps-the-accuracy"),
    ]
    (table,) = single.all("div", id="exits-table-comparison")
    assert [link.text for link in table.all("p", class_="links")[0].all("a")] == ["supported: Halves the MACs"]


def test_what_shows_nothing_has_no_links(single: Element):
    (claim,) = single.all("article", id="exits-claim-heads-are-free")
    (figure,) = single.all("figure", id="exits-figure-losses")
    assert not claim.all("p", class_="links")
    assert not figure.all("p", class_="links")


def test_what_studies_share_is_said_once():
    first = dataclasses.replace(fabricate_small(), environment={"seed": 1, "commit": "4f1c2ab"}, seconds={"a": 60.0})
    second = dataclasses.replace(
        first, environment={"seed": 2, "commit": "4f1c2ab"}, notes={"who": "A. Student"}, data={"name": "digits"}
    )
    page = outline(render([first, second]))
    (about,) = page.all("section", id="about")
    for text in ("4f1c2ab", "2 min 00 s in all", "digits", "A. Student"):
        assert text in about.text
    times = [[cell.text for cell in row.children[:2]] for row in about.all("tbody")[0].all("tr")]
    assert times == [["attention", "1 min 00 s"], ["attention-2", "1 min 00 s"]]
    for study, seed in zip(page.all("article", class_="study"), ("1", "2"), strict=True):
        assert "4f1c2ab" not in study.text
        assert f"seed {seed}" in study.all("section", class_="run")[0].text


def test_a_page_of_one_study_says_all_of_its_run_there(single: Element):
    assert not single.all("section", id="about")
    assert "4f1c2ab" in single.all("section", class_="run")[0].text


def test_common_and_differing_part_groups_entry_by_entry():
    one = {"machine": {"cores": 2, "threads": 1}, "seed": 0, "precision": "fp32"}
    two = {"machine": {"cores": 2, "threads": 2}, "seed": 0}
    shared = common([one, two, {}])
    assert shared == {"machine": {"cores": 2}, "seed": 0}
    assert differing(one, shared) == {"machine": {"threads": 1}, "precision": "fp32"}
    assert differing(two, shared) == {"machine": {"threads": 2}}
    assert common([one]) == one
    assert common([{}, {}]) == {}
