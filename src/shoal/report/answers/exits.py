"""Answers about a plain network, one with early exits, and smaller ones."""

from collections.abc import Iterator

from shoal.report.answers.blocks import Block, Points, Prose, formula
from shoal.report.answers.found import Found, Reason

_COST = (
    "accuracy",
    "95 % interval",
    "mean MACs (M)",
    "images a second, batch",
    "images a second, batch 1",
    "parameters",
)


def plain(found: Found) -> Iterator[Block]:
    """4b-i."""
    yield Prose(
        text="A multiply–accumulate, or MAC, is one product that is added to a sum; almost all of a network's "
        "arithmetic is that. A convolution with a $k\\times k$ kernel from $C$ to $C'$ channels, at $H\\times W$ "
        "places, has $k^2\\,C\\,C'\\,H\\,W$ of them. Shoal counts what really runs, layer by layer, while an "
        "image passes."
    )
    yield found.tell(
        "The plain network has {right} of the test images right ({interval}), with {macs} million MACs for every "
        "image, {parameters} million parameters, and {many} images a second in batches, {single} one at a time.",
        right=found.cell("comparison", "plain", "accuracy"),
        interval=found.cell("comparison", "plain", "95 % interval"),
        macs=found.cell("comparison", "plain", "mean MACs"),
        parameters=found.cell("comparison", "plain", "parameters"),
        many=found.cell("comparison", "plain", "images a second, batch"),
        single=found.cell("comparison", "plain", "images a second, batch 1"),
    )
    yield found.table("comparison", columns=_COST, where=("network", ("plain",)))
    yield Prose(text="It is the yardstick of all that follows. What the network with exits is held to first of all:")
    yield found.claim(
        "keeps_the_accuracy",
        supported="The plain network's accuracy is reached, within the allowance, by one that stops early.",
        contradicted="The plain network's accuracy is not reached by one that stops early: what it spends on "
        "every image does buy something.",
    )
    yield found.picture("accuracy")
    yield found.picture("loss")


def early(found: Found) -> Iterator[Block]:
    """4b-ii."""
    yield Prose(
        text="The same layers, with small heads on some of them: a mean over places and one linear layer. An "
        "image leaves at the first head whose answer is good enough, by a threshold of that head, and is not in "
        "the batch any more when the next layer runs. Its MACs are those up to there, heads included; the mean "
        "over images is what counts:"
    )
    yield formula(
        r"\bar{c} = \sum_{e} p_e\, c_e, \qquad \bar{a} = \sum_{e} p_e\, a_e",
        "mean MACs are the sum over exits of the share p that leaves there times the MACs c to there; accuracy is the "
        "sum of the share times the accuracy a among those that leave",
    )
    yield found.tell(
        "It has {right} of the test images right ({interval}) for {macs} million MACs an image on average, {share} of "
        "the plain network's; {many} images a second in batches, {single} one at a time.",
        right=found.cell("comparison", "early exit", "accuracy"),
        interval=found.cell("comparison", "early exit", "95 % interval"),
        macs=found.cell("comparison", "early exit", "mean MACs"),
        share=found.cell("comparison", "early exit", "share of the plain"),
        many=found.cell("comparison", "early exit", "images a second, batch"),
        single=found.cell("comparison", "early exit", "images a second, batch 1"),
    )
    yield found.table("exits")
    yield found.claim(
        "early_leavers_are_easier",
        supported="Who leaves early is easier, as it should be: the thresholds find them.",
        contradicted="Who leaves early is not easier: the thresholds do not find the easy images.",
    )
    yield found.claim(
        "later_exits_are_better",
        supported="And the end of the network knows more than its first exit: going on is worth something.",
        contradicted="But the end of the network knows no more than its first exit: in this run there is nothing to go "
        "on for.",
    )
    yield found.claim(
        "follows_prediction_depth",
        supported="Where an image leaves goes with the depth at which a plain network settles it: both find the same "
        "difficulty.",
        contradicted="Where an image leaves has little to do with the depth at which a plain network settles it.",
    )
    yield found.picture("exits_by_class")
    yield found.picture("first_and_last")


def compared(found: Found) -> Iterator[Block]:
    """4b-iii."""
    yield Prose(
        text="Compare on the same images, pair by pair: an interval of the difference is narrower then than two "
        "intervals side by side. And compare with a plain network that was trained by itself, for as long; a "
        "network with exits that never leave is not the same thing, since its heads have pulled at the layers."
    )
    yield found.table("comparison", where=("network", ("plain", "early exit", "early exit, never leaving")))
    yield found.claim(
        "halves_the_macs",
        supported="Half of the arithmetic, or more, is saved.",
        contradicted="Less than half of the arithmetic is saved.",
    )
    yield found.claim(
        "keeps_the_accuracy",
        supported="The price in accuracy is small.",
        contradicted="The price in accuracy is not small.",
    )
    yield found.claim(
        "saves_time",
        supported="What is saved shows on the clock, in good part.",
        contradicted="What is saved shows on the clock only in part: smaller batches at the later layers use a machine "
        "less well, and to decide takes time, too.",
    )
    yield found.picture("frontier_time")


def lowest(found: Found) -> Iterator[Block]:
    """4b-iv."""
    yield Prose(
        text="Thresholds are a dial. Low ones let everybody leave at the first exit, which is the lowest that a "
        "network with exits can cost; high ones let nobody leave. In between lies a frontier: what "
        "accuracy so much arithmetic buys."
    )
    yield found.picture("frontier_macs")
    yield found.tell(
        "As bold as it goes, it spends {macs} million MACs an image, {share} of the plain network's, and has {right} "
        "right ({interval}).",
        macs=found.cell("comparison", "early exit, as bold", "mean MACs"),
        share=found.cell("comparison", "early exit, as bold", "share of the plain"),
        right=found.cell("comparison", "early exit, as bold", "accuracy"),
        interval=found.cell("comparison", "early exit, as bold", "95 % interval"),
    )
    yield found.claim(
        "pushing_costs_accuracy",
        supported="Pushed so far, it loses accuracy: nothing is free at that end.",
        contradicted="Pushed so far, it loses none in this run: its later layers are not worth their arithmetic.",
    )
    yield Prose(text="Asked the other way round, the lowest MACs at a given accuracy:")
    yield found.table("lowest")
    yield found.table("savings")
    yield found.claim(
        "keeps_its_promise",
        supported="A loss that was promised beforehand was kept to on new images.",
        contradicted="A loss that was promised beforehand was not kept to on new images.",
    )


def when_smaller(found: Found) -> Iterator[Block]:
    """4b-v."""
    yield Prose(
        text="A network with exits has to beat not only the big network that it was made from, but also any small "
        "one that is as accurate. The break-even is the share of a smaller network's MACs that early exit needs "
        "for the same accuracy: below one it pays, above one the smaller network is the better choice."
    )
    yield found.table("smaller")
    yield found.claim(
        "beats_smaller_networks",
        supported="Here early exit pays.",
        contradicted="Here it does not: a smaller network, trained for as long, is the better choice at its accuracy.",
    )
    yield Prose(text="When would it? A small network spends the same on every image. Exits gain by spending unequally:")
    yield found.claim(
        "gains_where_difficulty_spreads",
        supported="They gain more where easy and hard images are mixed than where images are alike.",
        contradicted="In this run they do not gain more where easy and hard images are mixed.",
    )
    yield found.table("spread", unless=Reason(text="It needs more test images, to part them by difficulty."))
    yield Points(
        items=(
            "**Early exit**, where difficulty spreads widely, where a big network is given and cannot be trained "
            "anew, where the accuracy of the big one is needed for the few hard cases, or where the dial has to "
            "be turned while it runs.",
            "**A smaller network**, where images are alike, where every answer has to take the same time, where "
            "batches are large and hardware likes them full, or where memory is short: exits save no parameters.",
        )
    )
    yield found.picture("frontier_macs")
