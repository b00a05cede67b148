"""The story of the summarizer's study: what losses tell, and what a summary is worth (see `telling`)."""

from shoal.studies.result import Result
from shoal.studies.story import Formula, Headline, Story
from shoal.studies.summarize_config import BUDGETS
from shoal.studies.telling import Said, Told, listed
from shoal.studies.wording import lasting

FIRST, MODEL = "first sentence", "model, 4 beams"  # rows of the table of scores

WORDS = {
    "training_loss_falls": Said(
        supported="The training loss fell, by {effect} nats per token between the first and the last quarter of the "
        "looks.",
        contradicted="The training loss rose, by {size} nats per token between the first and the last quarter of the "
        "looks: the training did not work.",
        whether="the training loss fell",
        shown=("losses",),
    ),
    "validation_loss_falls": Said(
        supported="The validation loss fell, by {effect} nats, so that what was learned holds for new documents.",
        contradicted="The validation loss rose, by {size} nats: what was learned does not hold for new documents.",
        whether="the validation loss fell",
        shown=("losses",),
    ),
    "overfitting_is_called": Said(
        supported="A summarizer that saw a few pairs again and again was told that it overfits: its validation loss "
        "rose by {effect} nats while its training loss fell.",
        contradicted="A summarizer that saw a few pairs again and again was told that it overfits, though its "
        "validation loss did not rise.",
        whether="a summarizer that sees a few pairs again and again overfits",
        shown=("losses_overfit", "trainings"),
    ),
    "a_gap_is_normal": Said(
        supported="Validation lay above training without rising, which is a gap and no overfitting.",
        contradicted="Validation did not only lie above training, it rose, by {effect} nats over the last fifth: "
        "more than a gap.",
        whether="a gap between training and validation stayed just a gap",
        shown=("losses",),
    ),
    "a_shift_is_no_overfitting": Said(
        supported="Validation documents are harder than training documents that were held back, by {effect} nats, "
        "before any pair was seen twice: that part of a gap is a shift between groups of documents.",
        contradicted="Validation documents are no harder than training documents that were held back: there is no "
        "shift between groups of documents here.",
        whether="validation documents are harder than training documents that were held back",
        shown=("losses",),
    ),
    "the_verdict_is_right": Said(
        supported="On simulated curves of known truth the verdict is right in {percent} of cases.",
        contradicted="On simulated curves of known truth the verdict is right in only {percent} of cases.",
        whether="the verdict is right on nearly all of the simulated curves",
        shown=("checks",),
    ),
    "beats_first_sentence": Said(
        supported="The summaries are closer to those of people than the document's first sentence is, by {effect} "
        "ROUGE-L.",
        contradicted="The document's first sentence is closer to people's summaries than the summarizer is, by "
        "{size} ROUGE-L: by this measure it is the better summary.",
        whether="the summaries are closer to those of people than the document's first sentence is",
        shown=("scores", "examples"),
    ),
    "beams_help": Said(
        supported="Following four summaries at once gains {effect} ROUGE-L over taking the likeliest token each time.",
        contradicted="Following four summaries at once loses {size} ROUGE-L against taking the likeliest token each "
        "time.",
        whether="following four summaries at once is better than taking the likeliest token each time",
        shown=("scores", "examples"),
    ),
    "does_not_say_the_same": Said(
        supported="Different documents get different summaries, so that it does not say the same of everything.",
        contradicted="Many documents get the same summary: {percent} of the summaries differ.",
        whether="different documents get different summaries",
        shown=("checks", "examples", "looking"),
    ),
    "linear_learns_as_well": Said(
        supported="In the same time linear attention reached a validation loss that is at most {bound} nats above "
        "that of exact attention, in one training each.",
        contradicted="In the same time linear attention stayed {effect} nats above exact attention's validation "
        "loss, in one training each.",
        whether="linear attention learns as well as exact attention in the same time",
        shown=("exact_linear", "trainings"),
    ),
    "linear_is_cheaper": Said(
        supported="At the longest documents that were timed, a training step is {effect} times as fast with linear "
        "attention.",
        contradicted="Even at the longest documents that were timed, a training step is not faster with linear "
        "attention ({effect} times as fast).",
        whether="a training step on long documents is faster with linear attention",
        shown=("cost_by_length", "costs"),
    ),
    "remembering_is_faster": Said(
        supported="Remembering what was computed for earlier tokens makes writing {effect} times as fast, with the "
        "same probabilities.",
        contradicted="Remembering what was computed for earlier tokens makes writing {effect} times as fast, less "
        "than the {bound} times hoped for.",
        whether="remembering what was computed for earlier tokens makes writing {bound} times as fast",
        shown=("checks",),
    ),
}

_FORMULAS = (
    Formula(
        latex=r"L = -\frac{1}{T} \sum_{t=1}^{T} \log p(y_t \mid y_1, \ldots, y_{t-1}, x)",
        says="The loss: the mean, over the tokens of a summary, of the negative logarithm of the probability that "
        "the model gives to the next right token, having read the document and the summary so far. In nats per token.",
    ),
    Formula(
        latex=r"L_{\mathrm{validation}} - L_{\mathrm{training}} = \left( L_{\mathrm{held\ back}} - "
        r"L_{\mathrm{training}} \right) + \left( L_{\mathrm{validation}} - L_{\mathrm{held\ back}} \right)",
        says="A gap has two parts. Held-back pairs are like the training pairs but were never trained on: what they "
        "lie above training is learned by heart. What validation lies above held-back pairs is a shift between groups.",
    ),
    Formula(
        latex=r"P = \frac{\mathrm{common}}{\mathrm{words\ written}}, \quad R = \frac{\mathrm{common}}{\mathrm{words\ "
        r"of\ the\ reference}}, \quad F = \frac{2 P R}{P + R}",
        says="ROUGE compares words with those of a person's summary: single words (ROUGE-1), pairs (ROUGE-2), or the "
        "longest common sequence (ROUGE-L). F joins precision and recall; here from 0 to 100.",
    ),
)


def tell(result: Result) -> Result:
    """The result with its story.

    Args:
        result: of the summarizer's study.
    """
    told = Told(result, WORDS)
    story = Story(asked=_asked(), done=_done(told), means=_means(told), changes=_changes(told), formulas=_FORMULAS)
    return told.told(_headline(told), story)


def _headline(told: Told) -> Headline:
    found = told.claims["beats_first_sentence"]
    trained = f"A summarizer that learned from nothing in {_time(told, 'summarizer')}"
    ends = {
        "supported": f"{trained} comes closer to people's summaries than the document's first sentence.",
        "contradicted": f"{trained} is not yet as good as the document's first sentence.",
        "inconclusive": f"{trained} may or may not be better than the document's first sentence: this run does not "
        "settle it.",
    }
    scores = [told.cell("scores", row, "ROUGE-L") for row in (MODEL, FIRST)]
    both = " against ".join(f"{score:.1f}" for score in scores if isinstance(score, int | float))
    value = f"{found.effect:+.1f}".replace("-", "−")
    return Headline(sentence=ends[found.verdict], value=value, what=f"ROUGE-L ({both})", picture="losses")


def _time(told: Told, name: str) -> str:
    minutes = told.cell("trainings", name, "minutes")
    return lasting(60 * minutes) if isinstance(minutes, int | float) else "a short time"


def _asked() -> tuple[str, ...]:
    return (
        "A summarizer reads a document and writes a short text, a token at a time. When it is trained from nothing "
        "on pairs of document and summary, when has it learned enough, and when does it begin to learn its pairs by "
        "heart? A falling training loss does not tell, and neither does a gap between training and validation loss: "
        "the validation documents may just be of another kind.",
        "Beside that: are the summaries better than what needs no training, the document's first sentence? And does "
        "linear attention pay where documents are long?",
    )


def _done(told: Told) -> tuple[str, ...]:
    s, data = told.settings, told.data
    counts = ", ".join(f"{data[part]:,} for {part}" for part in ("training", "validation", "test") if part in data)
    rows = f"{s['test_rows']:,}"
    lengths = listed([f"{length:,}" for length in s["lengths"]])
    return (
        f"The texts are {data.get('name', 'pairs of document and summary')}: {counts} (pairs of a document and a "
        f"summary by people). Four encoder–decoder transformers were trained on them: the summarizer, for "
        f"{_time(told, 'summarizer')}; one with exact and one with linear attention, for "
        f"{_time(told, 'exact attention')} each; and one that sees only {s['overfit_rows']:,} pairs, again and "
        "again. While they trained, three losses were measured: on validation pairs, on training pairs that were "
        "held back, and on those of them that share nothing with what is trained on.",
        f"The verdict (underfit, good or overfit) compares how well curves that only fall and curves that fall and "
        f"rise explain the losses. It was tried on {s['curves']:,} simulated curves of known truth. At the end "
        f"summaries of at most {rows} test documents were written and scored once, and training steps were timed on "
        f"documents of {lengths} tokens.",
    )


def _means(told: Told) -> tuple[str, ...]:
    losses = (
        "training_loss_falls",
        "validation_loss_falls",
        "overfitting_is_called",
        "a_gap_is_normal",
        "a_shift_is_no_overfitting",
        "the_verdict_is_right",
    )
    summaries = ("beats_first_sentence", "beams_help", "does_not_say_the_same")
    costs = ("linear_learns_as_well", "linear_is_cheaper", "remembering_is_faster")
    found = told.paragraphs(losses, summaries, costs)
    if not told.claims["validation_loss_falls"].unsettled:
        return found
    warning = (
        "The trainings were too short to be judged: what is said of summaries and of attention was measured, but of "
        "models that have hardly learned."
    )
    return (f"{warning} {found[0]}", *found[1:])


def _changes(told: Told) -> tuple[str, ...]:
    s, full = told.settings, BUDGETS["full"]
    epochs = told.cell("trainings", "summarizer", "epochs")
    seen = ""
    if isinstance(epochs, int | float) and epochs < 1:
        seen = f"In this run the summarizer saw {epochs:.1%} of its pairs once. ".replace("%", " %")
    more = ""
    if s["minutes"] < full.minutes:
        more = (
            f" `--budget full` trains a model of size “{full.size}” for {full.minutes:g} minutes, "
            f"this run one of size “{s['size']}” for {s['minutes']:g}."
        )
    return (
        f"{seen}Longer training and a larger model change everything that is said of the summaries; after enough "
        f"passes over the same pairs a summarizer that is good now may overfit.{more}",
        "Other texts have other first sentences: where these already are summaries, as in news, they are hard to "
        "beat. The lengths at which linear attention pays depend on the machine, the model and the number of features.",
    )
