"""Answers about FaceNet, second part: mining, generations that compare, sizes, and what emerges."""

from collections.abc import Iterator

from shoal.report.answers.blocks import Block, Points, Prose, formula
from shoal.report.answers.code import code
from shoal.report.answers.found import Found, Reason

_LARGER = Reason(text="A larger budget measures it.", command="shoal study faces --budget default")


def semi_hard(found: Found) -> Iterator[Block]:
    """5e."""
    yield Prose(
        text="A negative is **semi-hard** for an anchor and a positive if it is farther than the positive, so "
        "that the order is right already, but not by the whole margin, so that there is something left to learn:"
    )
    yield formula(
        r"\|f(a)-f(p)\|^2 < \|f(a)-f(n)\|^2 < \|f(a)-f(p)\|^2 + \alpha",
        "the negative is farther from the anchor than the positive, by less than the margin",
    )
    yield Prose(
        text="**Why not the hardest?** The negative that is nearest of all is often a wrong label or a bad "
        "picture; and early on, when all faces lie close together, the quickest way to make its loss smaller is "
        "to put all of them into one point, where the loss is the margin and the gradient is gone. **Why not "
        "any?** They may satisfy the margin already. Of each pair, Shoal takes the nearest negative beyond the "
        "positive, for all pairs of a batch at once:"
    )
    yield code("shoal.faces.mining_torch", "semi_hard_negatives", "_beyond")
    yield found.claim(
        "semi_hard_learns",
        supported="Semi-hard negatives teach more than the hardest.",
        contradicted="In this run semi-hard negatives do not teach more than the hardest.",
    )
    yield found.claim(
        "hardest_collapse",
        supported="The hardest do draw all faces into one point.",
        contradicted="The hardest do not draw all faces into one point here.",
    )
    yield found.claim(
        "random_stalls",
        supported="Random negatives teach less in the same time: too many of them say nothing.",
        contradicted="Random negatives teach as much in this run: so early, many of them still say something.",
    )
    yield found.table("mining")
    yield found.picture("distances")


def harmonic(found: Found) -> Iterator[Block]:
    """5f."""
    yield Prose(
        text="A gallery of embeddings was made by an older network, v1; a better one, v2, replaces it. Its "
        "embeddings live in a space of their own, so that nothing compares, and everybody would have to be "
        "embedded again, whose pictures may be gone. **Harmonic embeddings** are those of a new network that was "
        "trained to compare with the old ones: triplets mix both generations, the old embeddings being fixed, so "
        "that a new query is near the old embeddings of the same person and away from those of others."
    )
    yield Points(
        items=(
            "**v1/v1** and **v2/v2**: a generation by itself, the two yardsticks.",
            "**v2/v1**: a new query in an old gallery, the case in question.",
            "**Ridge**: a linear map from new to old, fitted to images that both have embedded. It trains no "
            "network, and is what harmonic training has to beat.",
        )
    )
    yield found.picture("generations")
    yield found.table("generations")
    yield found.claim(
        "generations_do_not_compare",
        supported="Without any of this, two generations do not compare.",
        contradicted="Two generations compare even as they are, more than by chance: they are not as unlike as "
        "thought.",
    )
    yield found.claim(
        "harmonic_beats_old",
        supported="After harmonic training a new query does better in the old gallery than an old one did: the gallery "
        "gains by the new network without being touched.",
        contradicted="After harmonic training a new query does no better in the old gallery than an old one did.",
    )
    yield found.claim(
        "harmonic_beats_ridge",
        supported="And better than by a linear map.",
        contradicted="A linear map, which trains nothing, does as well or better here.",
    )
    yield found.claim(
        "harmonic_keeps_new",
        supported="And the new network keeps what it knows.",
        contradicted="The new network pays for it with some of what it knows.",
    )


def embedding_size(found: Found) -> Iterator[Block]:
    """5g."""
    yield Prose(
        text="An embedding needs as many numbers as it takes to keep people apart in all the ways in which faces "
        "vary, and every one of them is stored for every face. The paper found hardly a difference over a wide "
        "range, and its largest size slightly worse, perhaps because it would have needed longer training. Its "
        "numbers stand beside those of this run:"
    )
    yield found.table("dims", unless=_LARGER)
    yield found.picture("dims", unless=_LARGER)
    yield found.claim(
        "larger_embeddings_gain_little",
        supported="Here, too, a larger embedding gains little.",
        contradicted="Here a larger embedding gains more than a little.",
        unless=_LARGER,
    )


def data_size(found: Found) -> Iterator[Block]:
    """5h."""
    yield Prose(
        text="More people show more of how faces differ. The paper saw much gained by the first step to more data and "
        "little by the last. This run has a tiny part of the paper's images; what can be compared is the direction, in "
        "the same training time for all:"
    )
    yield found.table("shares", unless=_LARGER)
    yield found.picture("shares", unless=_LARGER)
    yield found.claim(
        "more_data_help",
        supported="More people help.",
        contradicted="More people do not help, in the same time: this training is too short to use them.",
        unless=_LARGER,
    )
    yield found.claim(
        "returns_diminish",
        supported="And the returns diminish: the last step gains less than the first.",
        contradicted="The returns do not diminish in this range: the last step gains as much as the first.",
        unless=_LARGER,
    )


def emergent(found: Found) -> Iterator[Block]:
    """5i."""
    yield Prose(
        text="Nothing in the loss speaks of groups. It compares three images at a time. Yet if people end up as "
        "tight clouds with room between them, plain Euclidean distance should be enough to put an album in order, "
        "without knowing anybody in it or how many there are. It is measured with a threshold that other people "
        "chose:"
    )
    yield found.claim(
        "identities_cluster",
        supported="Identities do cluster by plain distance, more than the untrained network makes them.",
        contradicted="Identities do not cluster by plain distance, or no more than the untrained network makes them.",
    )
    yield found.claim(
        "changed_faces_cluster",
        supported="And they stay together when light, place or sharpness change: that was not asked for either.",
        contradicted="They do not stay together under all changes of light, place and sharpness.",
    )
    yield found.table("clusters")
    yield found.picture("clusters")
    yield found.table("altered")
