"""The story of the early-exit study: what stopping early saves, what it costs, and when it is the wrong tool."""

from shoal.studies.difficulty_measured import CONVERGED, FEWEST_EPOCHS, LAST
from shoal.studies.exits_config import BUDGETS
from shoal.studies.result import Result
from shoal.studies.story import Formula, Headline, Story
from shoal.studies.telling import Said, Told, listed, number, share
from shoal.studies.wording import lasting

DIGITS = ("digits", "mnist")  # data on which nearly everything is easy
GUESSING = 1.5  # times the accuracy of guessing, that is hardly more

WORDS = {
    "halves_the_macs": Said(
        supported="Stopping early halves the arithmetic or better: {percent} of the plain network's MACs are left.",
        contradicted="Stopping early does not halve the arithmetic: {percent} of the plain network's MACs are left.",
        whether="stopping early halves the arithmetic",
        shown=("frontier_macs", "comparison", "savings"),
    ),
    "keeps_the_accuracy": Said(
        supported="The answers are within half a point of those of a plain network of the same layers, or better "
        "({effect} points).",
        contradicted="Stopping early costs accuracy: {size} points fewer are right than with a plain network of the "
        "same layers.",
        whether="stopping early keeps the accuracy of a plain network to within half a point",
        shown=("frontier_macs", "comparison"),
    ),
    "saves_time": Said(
        supported="What is saved in MACs shows on the clock: {percent} of the ratio of MACs is gained in speed.",
        contradicted="Less is saved on the clock than in MACs: {percent} of the ratio of MACs is gained in speed.",
        whether="what is saved in MACs shows on the clock",
        shown=("frontier_time", "comparison"),
    ),
    "early_leavers_are_easier": Said(
        supported="Images that leave early are the easier ones, with {effect} points more right among them.",
        contradicted="Images that leave early are not the easier ones: {size} points fewer are right among them.",
        whether="images that leave early are the easier ones",
        shown=("exits", "first_and_last"),
    ),
    "later_exits_are_better": Said(
        supported="Depth does buy accuracy: asked about every image, the end is right {effect} points more often "
        "than the first exit.",
        contradicted="Depth buys no accuracy here: asked about every image, the end is right {size} points less "
        "often than the first exit.",
        whether="the end of the network is more often right than its first exit",
        shown=("exits",),
    ),
    "pushing_costs_accuracy": Said(
        supported="Pushed as far as it goes, the network loses {size} points against the chosen thresholds.",
        contradicted="Pushed as far as it goes, the network is right {size} points more often than with the chosen "
        "thresholds.",
        whether="a network that is pushed as far as it goes loses accuracy",
        shown=("frontier_macs", "savings", "comparison"),
    ),
    "keeps_its_promise": Said(
        supported="The certificate kept its promise: on new images {effect} points were lost, of {bound} allowed.",
        contradicted="The certificate broke its promise on the test images: {effect} points were lost, of {bound} "
        "allowed.",
        whether="the certificate kept its promise on new images",
        shown=("promise",),
    ),
    "follows_prediction_depth": Said(
        supported="Where an image leaves goes with how deep a plain network has to go for it: a {strength} relation "
        "(rank correlation {effect}).",
        contradicted="Where an image leaves does not go with how deep a plain network has to go for it (rank "
        "correlation {effect}).",
        whether="where an image leaves goes with how deep a plain network has to go for it",
        shown=("exit_by_depth", "exits"),
    ),
    "beats_smaller_networks": Said(
        supported="At the accuracy of smaller networks early exit needs {percent} of their MACs: here it is the "
        "better choice.",
        contradicted="At the accuracy of smaller networks early exit needs {effect} times their MACs: here a smaller "
        "network is the better choice.",
        whether="early exit or a smaller network is the better choice",
        shown=("smaller", "lowest", "frontier_macs"),
    ),
    "gains_where_difficulty_spreads": Said(
        supported="Early exit does better where easy and hard images are mixed than where they are alike, by "
        "{effect} of the smaller networks' MACs.",
        contradicted="Early exit does no better where easy and hard images are mixed than where they are alike "
        "({effect} of the smaller networks' MACs).",
        whether="early exit does better where easy and hard images are mixed",
        shown=("spread", "exit_by_depth"),
    ),
}

_FORMULAS = (
    Formula(
        latex=r"e(x) = \min \{ i : s_i(x) \geq \tau_i \}, \quad s_i(x) = \max_c p_i(c \mid x)",
        says="The rule of confidence: an image leaves at the first exit whose largest probability reaches the exit's "
        "threshold. Margin takes the lead over the second largest instead, entropy all probabilities.",
    ),
    Formula(
        latex=r"\overline{\mathrm{MACs}} = \frac{1}{n} \sum_{x} C_{e(x)}",
        says="Mean MACs: the multiply–adds of everything up to the exit that each image takes, heads included, "
        "averaged over the images.",
    ),
    Formula(
        latex=r"P\left( E[\, 1_{\mathrm{end\ right}} - 1_{\mathrm{exit\ right}} \,] \leq \varepsilon \right) \geq 1 "
        r"- \delta",
        says="The certificate: with probability 1 − δ over the images that it was tested on, the accuracy lost "
        "against the end of the same network is at most ε on all data like these.",
    ),
)


def tell(result: Result) -> Result:
    """The result with its story.

    Args:
        result: of the early-exit study.
    """
    told = Told(result, WORDS)
    story = Story(asked=_asked(), done=_done(told), means=_means(told), changes=_changes(told), formulas=_FORMULAS)
    return told.told(_headline(told), story)


def _headline(told: Told) -> Headline:
    found, kept = told.claims["halves_the_macs"], told.verdict("keeps_the_accuracy")
    cost = told.claims["keeps_the_accuracy"].effect
    left = share(found.effect)
    endings = {
        "supported": ", and keeps its accuracy to within half a point.",
        "contradicted": f", at {number(abs(cost))} points less accuracy.",
        "inconclusive": "; whether it keeps the accuracy to within half a point is not settled here.",
    }
    spends = f"A network that may stop early spends {left} of the arithmetic of a plain one"
    sentence = f"{spends}{endings[kept or 'inconclusive']}"
    if _untaught(told):
        sentence = f"{spends}, but neither has learned enough here to say more."
    return Headline(sentence=sentence, value=left, what="of the arithmetic of a plain network", picture="frontier_macs")


def _asked() -> tuple[str, ...]:
    return (
        "A network spends the same arithmetic on every image, though some would be answered right after a few "
        "layers. With an exit after these layers, a small classifier of its own, easy images can leave early, and "
        "the rest goes on. How much is saved, and what does it cost?",
        "A smaller network saves arithmetic too, without any exits. So the fair question is which of both needs less "
        "at the same accuracy. And whoever relies on thresholds wants a promise: at most so much accuracy lost, with "
        "such a confidence.",
    )


def _done(told: Told) -> tuple[str, ...]:
    s, data = told.settings, told.data
    widths = listed([str(width) for width in s["smaller"]])
    parts = ("train the plain network", "train the early-exit network", "train smaller networks")
    plain, early, smaller = (_minutes(told, part) for part in parts)
    digits = " Digits are easy: what is found here need not hold for photographs." if data["name"] in DIGITS else ""
    return (
        f"Three kinds of networks were trained apart on {data['name']} ({data['training']:,} training images): a "
        f"plain one ({s['model']}, {s['width']} channels) for {plain}, the same layers with {len(s['at'])} exits for "
        f"{early}, and smaller networks ({widths} channels) for {smaller} in all. {_state(told)}{digits}",
        f"Thresholds, one for each exit, were chosen on {data['validation']:,} validation images, where "
        f"{100 * s['max_accuracy_drop']:g} points of accuracy may be lost ({s['policy']} decides); on the same "
        f"images a certificate was asked for. Then {data['test']:,} test images were looked at once. MACs are "
        "multiply–adds of an image, counted; times are medians of one run, all networks in turn.",
    )


def _minutes(told: Told, part: str) -> str:
    return lasting(told.result.seconds[part]) if part in told.result.seconds else "some time"


def _state(told: Told) -> str:
    """How far the plain network got, from what it said of validation images while it was trained."""
    rows = _watched(told)
    accuracy = f"The plain network answers {told.cell('comparison', 'plain', 'accuracy')} of the test images right"
    if not rows:
        return f"{accuracy}."
    epochs, last = rows[-1]
    _, before = min(rows, key=lambda row: abs(row[0] - (1 - LAST) * epochs))
    gain = last - before
    if LAST * epochs < FEWEST_EPOCHS:
        return f"{accuracy} after {number(epochs)} epochs, which are too few to have converged."
    if gain >= 100 * CONVERGED:
        gained = f"still gained {number(gain)} points on validation images over the last fifth of them"
        return f"{accuracy} after {number(epochs)} epochs, and {gained}: it has not converged."
    return f"{accuracy} after {number(epochs)} epochs, and gained no more over the last fifth of them."


def _watched(told: Told) -> list[tuple[float, float]]:
    """Epoch and validation accuracy in percent of the plain network, from the picture of the trainings."""
    pictures = [picture for picture in told.result.pictures if picture.id == "accuracy"]
    return [
        (row["x"], row["y"]) for picture in pictures for row in picture.rows if row["series"] == "plain, validation"
    ]


def _untaught(told: Told) -> bool:
    """Whether the plain network does hardly better than guessing."""
    said = str(told.cell("comparison", "plain", "accuracy") or "")
    accuracy, classes = float(said.split(" ")[0] or 100) / 100, told.data.get("classes", 0)
    return bool(classes) and accuracy < GUESSING / classes


def _means(told: Told) -> tuple[str, ...]:
    saved = ("halves_the_macs", "keeps_the_accuracy", "saves_time", "pushing_costs_accuracy", "keeps_its_promise")
    depth = ("early_leavers_are_easier", "later_exits_are_better", "follows_prediction_depth")
    compared = ("beats_smaller_networks", "gains_where_difficulty_spreads")
    found = told.paragraphs(saved, depth, compared)
    if not _untaught(told):
        return found
    warning = (
        "The networks do hardly better than guessing: what follows was measured, but tells nothing of networks that "
        "have learned."
    )
    return (f"{warning} {found[0]}", *found[1:])


def _changes(told: Told) -> tuple[str, ...]:
    s, full = told.settings, BUDGETS["full"]
    more = ""
    if 0 < s["minutes"] < full.minutes:
        more = f" Here each network had {s['minutes']:g} minutes, with `--budget full` it has {full.minutes:g}."
    better = f" Data that would tell more: {told.data['better']}." if told.data.get("better") else ""
    return (
        f"Training time matters: in few minutes a small network gets through more images than a large one, and a "
        f"network with exits learns several tasks at once.{more}{better}",
        "A larger allowance for lost accuracy saves more. More validation images make thresholds surer and the "
        "certificate bolder. Speed depends on the machine and on the batch: rows that have left make room only where "
        "there are others.",
    )
