"""The story of the difficulty study: how deep images have to go, and what makes them hard (see `telling`)."""

from shoal.studies.difficulty_claims import PEOPLE
from shoal.studies.difficulty_config import BUDGETS
from shoal.studies.difficulty_interventions import INTERVENTIONS
from shoal.studies.result import Result
from shoal.studies.story import Formula, Headline, Story
from shoal.studies.telling import Said, Told, listed, share
from shoal.studies.wording import lasting

DIGITS = ("digits", "mnist")  # data on which nearly everything is easy


def _altered(title: str) -> Said:
    return Said(
        supported=f"With {title} the same images are settled later, by {{effect}} probes on average.",
        contradicted=f"With {title} the same images are settled no later ({{effect}} probes on average).",
        whether=f"{title} makes the same images harder",
        shown=("interventions", "altered"),
    )


def _mislabelled(who: str) -> Said:
    return Said(
        supported=f"Training images that people label wrongly {who} lie {{effect}} probes deeper, though the network "
        "never saw people's labels.",
        contradicted=f"Training images that people label wrongly {who} do not lie deeper ({{effect}} probes).",
        whether=f"training images that people label wrongly {who} lie deeper",
        shown=("people",),
    )


WORDS = {
    "settled_early": Said(
        supported="Most images are settled early: {percent} of them in the first half of the probes.",
        contradicted="Most images are not settled early: {percent} of them in the first half of the probes.",
        whether="most images are settled in the first half of the probes",
        shown=("depths_test", "layers"),
    ),
    "accuracy_falls": Said(
        supported="The deeper an image has to go, the more often it is answered wrong: a {strength} relation (rank "
        "correlation {effect}).",
        contradicted="Images that have to go deeper are not more often answered wrong (rank correlation {effect}).",
        whether="deeper images are more often answered wrong",
        shown=("by_depth", "depths_test"),
    ),
    "confidence_falls": Said(
        supported="The network's confidence is lower for deeper images ({strength}, {effect}).",
        contradicted="The network's confidence is not lower for deeper images ({effect}).",
        whether="the network's confidence is lower for deeper images",
        shown=("by_depth", "scores"),
    ),
    "margin_falls": Said(
        supported="The lead of the network's answer over the next one is smaller for deeper images ({strength}, "
        "{effect}).",
        contradicted="The lead of the network's answer over the next one is not smaller for deeper images ({effect}).",
        whether="the lead of the network's answer over the next one is smaller for deeper images",
        shown=("by_depth", "scores"),
    ),
    "seeds_agree": Said(
        supported="Depth belongs to the image more than to the network: one that was trained from other first "
        "weights ranks the images alike (rank correlation {effect}).",
        contradicted="Depth belongs to the network as much as to the image: one that was trained from other first "
        "weights ranks the images differently (rank correlation {effect}).",
        whether="a network that was trained from other first weights ranks images alike",
        shown=("agreement", "seeds"),
    ),
    "early_is_about_underfitting": Said(
        supported="What is hard early in training is partly another thing: the same network, looked at early, agrees "
        "less with its own end than the other network does. Depth should be read from a network that has converged.",
        contradicted="What is hard early in training is hard in the end: the same network, looked at early, agrees "
        "with its own end no less than the other network does.",
        whether="what is hard early in training is another thing than what is hard in the end",
        shown=("agreement", "convergence"),
    ),
    "classes_differ": Said(
        supported="Classes are settled at different layers: their mean depths lie {effect} probes further apart than "
        "chance would have them.",
        contradicted="Classes are settled at the same layers: their mean depths lie no further apart than chance "
        "would have them.",
        whether="classes are settled at different layers",
        shown=("classes",),
    ),
    "hard_is_low_in_contrast": Said(
        supported="Hard images are lower in contrast: a {strength} relation ({effect}).",
        contradicted="Hard images are not lower in contrast ({effect}).",
        whether="hard images are lower in contrast",
        shown=("properties", "examples"),
    ),
    "hard_is_atypical": Said(
        supported="Hard images are atypical of their class: a {strength} relation ({effect}).",
        contradicted="Hard images are not atypical of their class ({effect}).",
        whether="hard images are atypical of their class",
        shown=("properties", "examples"),
    ),
    "hard_is_near_a_boundary": Said(
        supported="Hard images lie near a boundary, where a small change of the pixels makes another class win: a "
        "{strength} relation ({effect}).",
        contradicted="Hard images do not lie nearer to a boundary between classes ({effect}).",
        whether="hard images lie near a boundary between classes",
        shown=("properties", "scores"),
    ),
    "people_disagree": Said(
        supported="Hard images are the ones that people disagree on: a {strength} relation ({effect}).",
        contradicted="Hard images are not the ones that people disagree on ({effect}).",
        whether="hard images are the ones that people disagree on",
        shown=("properties",),
    ),
    **{f"{name}_deepens": _altered(how.title) for name, how in INTERVENTIONS.items()},
    **{f"errors_of_{name}_lie_deeper": _mislabelled(words) for name, words in PEOPLE.values()},
}

_FORMULAS = (
    Formula(
        latex=r"\hat{y}_l(x) = \arg\max_c \left| \{ j \in N_k(h_l(x)) : y_j = c \} \right|",
        says="The vote of a probe: at layer l, the class that most of the k training images have whose features lie "
        "nearest to those of the image.",
    ),
    Formula(
        latex=r"\mathrm{depth}(x) = \min \{ l : \hat{y}_m(x) = \hat{y}(x) \ \mathrm{for\ all} \ m \geq l \}",
        says="Prediction depth: the first probe from which on all probes vote for the network's own answer, right or "
        "wrong. Depth 0 is settled at the pixels; where not even the last probe agrees, depth is the number of probes.",
    ),
    Formula(
        latex=r"\mathrm{soft\ depth}(x) = P \left( 1 - \frac{1}{P k} \sum_{l=0}^{P-1} \left| \{ j \in N_k(h_l(x)) : "
        r"y_j = \hat{y}(x) \} \right| \right)",
        says="Soft depth: the number of probes times the share of all neighbors, over all probes, that do not have "
        "the network's answer. It has no steps, and puts images of the same depth into an order.",
    ),
)


def tell(result: Result) -> Result:
    """The result with its story.

    Args:
        result: of the difficulty study.
    """
    told = Told(result, WORDS)
    story = Story(asked=_asked(), done=_done(told), means=_means(told), changes=_changes(told), formulas=_FORMULAS)
    return told.told(_headline(told), story)


def _headline(told: Told) -> Headline:
    found = told.claims["settled_early"]
    sentences = {
        "supported": "Most images need only the early layers of a network: from there on the answer stays the same.",
        "contradicted": "Most images need the late layers of this network before its answer is settled.",
        "inconclusive": "Whether most images need only the early layers of a network is too close to call here.",
    }
    unfinished = (
        "How deep images have to go, in a network that had not converged: what is hard for it may be what it has not "
        "learned."
    )
    sentence = unfinished if found.unsettled else sentences[found.verdict]
    what = "of the test images are settled in the first half of the layers asked"
    return Headline(sentence=sentence, value=share(found.effect), what=what, picture="depths_test")


def _asked() -> tuple[str, ...]:
    return (
        "Some images are harder for a network than others. One can ask at every layer: do the training images that "
        "look most alike there have the class that the network gives in the end? The layer from which on they do is "
        "the image's prediction depth.",
        "The study asks what goes with depth (errors, confidence, the same image in another network), and what makes "
        "images deep: low contrast, an unusual look, another class nearby, or damage that is done to them. In a "
        "network that still learns, depth is about what it has not learned yet; so it is checked first whether it "
        "has converged.",
    )


def _done(told: Told) -> tuple[str, ...]:
    s, data = told.settings, told.data
    trained = f"{data.get('training', s['train_rows']):,} images of {data['name']}"
    epochs, minutes = (told.cell("convergence", "network", name) for name in ("epochs", "minutes"))
    names = listed([how.title for how in INTERVENTIONS.values()])
    layers = told.table("layers")
    probes = len(layers.rows) - 1 if layers else 0
    digits = " Digits are easy: what is found here need not hold for photographs." if data["name"] in DIGITS else ""
    return (
        f"A network ({s['model']}, {s['width']} channels) was trained on {trained} for {epochs} epochs "
        f"({_minutes(minutes)}), and another one from other first weights. Both were looked at on {data['test']:,} "
        f"test images, once, after both trainings.{digits}",
        f"At {probes} places, from the pixels to the softmax, a probe asks the {s['k']} nearest of "
        f"{data.get('training images that probes see', s['references']):,} training images. The first "
        f"{s['altered_rows']:,} test images were altered as well ({names}). What people said of the images, where "
        "that is known, is for the analysis only. Intervals draw images anew, not networks.",
    )


def _minutes(minutes: object) -> str:
    return lasting(60 * minutes) if isinstance(minutes, int | float) else "some time"


def _means(told: Told) -> tuple[str, ...]:
    depth = ("settled_early", "accuracy_falls", "confidence_falls", "margin_falls")
    networks = ("seeds_agree", "early_is_about_underfitting", "classes_differ")
    hard = ("hard_is_low_in_contrast", "hard_is_atypical", "hard_is_near_a_boundary", "people_disagree")
    altered = tuple(f"{name}_deepens" for name in INTERVENTIONS)
    errors = tuple(f"errors_of_{name}_lie_deeper" for name, _ in PEOPLE.values())
    return told.paragraphs(depth, networks, (*hard, *altered, *errors))


def _changes(told: Told) -> tuple[str, ...]:
    s, full = told.settings, BUDGETS["full"]
    more = ""
    if 0 < s["minutes"] < full.minutes:
        more = f" This run gave each network {s['minutes']:g} minutes, `--budget full` gives it {full.minutes:g}."
    better = f" Data that would tell more: {told.data['better']}." if told.data.get("better") else ""
    longer = (
        "Longer training comes first: while validation accuracy rises, difficulty is about what is not learned yet."
    )
    state = "Both networks had converged; another recipe may still train better ones." if _converged(told) else longer
    return (
        f"{state}{more}{better}",
        "Another architecture has other layers, and so other depths. Two seeds say little about what a third would "
        "do; people's judgements are known for CIFAR-10 only.",
    )


def _converged(told: Told) -> bool:
    return all(told.cell("convergence", name, "converged") == "yes" for name in ("network", "second network"))
