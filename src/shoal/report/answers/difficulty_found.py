"""Answers about example difficulty, second part: where images are settled, which, and how right they are there."""

from collections.abc import Iterator

from shoal.report.answers.blocks import Block, Points, Prose
from shoal.report.answers.found import Found, Reason


def many_leave_early(found: Found) -> Iterator[Block]:
    """4a-vi."""
    yield Prose(text="First: do they? So many images are settled at each probe, training images each without itself:")
    yield found.picture("depths_test")
    yield found.picture("depths_training")
    yield found.claim(
        "settled_early",
        supported="They do. Most images of a data set are typical ones: they lie among many of their own class, and "
        "colour, texture and coarse shape, which early layers have, are enough to tell them from the others. The "
        "layers after that work for the few; that is what early exits live on.",
        contradicted="In this run they do not: most images go deep. Where classes differ in what late layers find, or "
        "where the network is small for its task, there is nothing to settle early.",
        inconclusive="In this run that is not decided; see the reason at the claim. Were it so, it would be for this "
        "reason: most images of a data set are typical, and colour, texture and coarse shape, which early layers have, "
        "are enough to tell them from the others.",
    )


def accuracy_falls(found: Found) -> Iterator[Block]:
    """4a-vii."""
    yield Prose(
        text="Depth asks when the network makes up its mind, not whether it is right. Accuracy among the images "
        "of each depth tells whether the two have to do with each other:"
    )
    yield found.picture("by_depth")
    yield found.claim(
        "accuracy_falls",
        supported="They have: what is settled late is more often wrong. An image that stays between classes over many "
        "layers has neighbours of several classes; the last layers decide for one of them, and chance has a part in "
        "it. Layers do not make images wrong. Images that are ambiguous need the layers.",
        contradicted="They have not, in this run: what is settled late is right as often.",
    )
    yield found.claim(
        "confidence_falls",
        supported="The network itself is less sure of such images.",
        contradicted="The network is as sure of such images as of others.",
    )
    yield found.claim(
        "margin_falls",
        supported="And its lead over the second class is smaller.",
        contradicted="And its lead over the second class is no smaller.",
    )


def hard_against_easy(found: Found) -> Iterator[Block]:
    """4a-viii."""
    yield Prose(
        text="The hardest and the easiest quarter of the test images, by what was measured about each; the effect "
        "size is the difference of their means in standard deviations:"
    )
    yield found.table("properties")
    yield found.picture("examples")
    yield Prose(
        text="Is it surprising? One would expect hard images to be dark, cluttered or covered. Depth knows nothing of "
        "that. It may well rank a clear picture of a rare kind as harder than a blurred picture of a common one, since "
        "it asks for neighbours and not for beauty. What this run says:"
    )
    yield found.claim(
        "hard_is_atypical",
        supported="Being unlike one's class goes with difficulty, which is what neighbours would suggest.",
        contradicted="Being unlike one's class does not go with difficulty here, which is a surprise.",
    )
    yield found.claim(
        "hard_is_low_in_contrast",
        supported="A plain property of pixels goes with difficulty as well.",
        contradicted="A plain property of pixels, contrast, tells nothing of the kind: hard images look no worse.",
    )
    yield found.claim(
        "errors_of_most_lie_deeper",
        supported="Some hard images are not hard but mislabelled; they are found deep down, too.",
        contradicted="Mislabelled images are not found among the deep ones here.",
        unless=Reason(
            text="It needs data that several people have labelled, such as CIFAR-10 with CIFAR-10N beside it."
        ),
    )


def by_layer(found: Found) -> Iterator[Block]:
    """4a-ix."""
    yield Prose(
        text="Early layers of an image network respond to edges and colours, those in the middle to textures and "
        "parts, the last ones to whole things; that is what their receptive fields and many pictures of them "
        "suggest. A class that colour and texture give away should then be settled early, one that only its parts "
        "tell from its neighbours late. Here is which class is settled where:"
    )
    yield found.picture("classes")
    yield found.tell(
        "Settled first on average is {first}, at a mean depth of {at_first}; last is {last}, at {at_last}. Of the "
        "first, {early} are settled in the first half of the probes; of the last, {late}.",
        first=found.cell("classes", 0, "class"),
        at_first=found.cell("classes", 0, "mean depth"),
        last=found.cell("classes", -1, "class"),
        at_last=found.cell("classes", -1, "mean depth"),
        early=found.cell("classes", 0, "in the first half"),
        late=found.cell("classes", -1, "in the first half"),
    )
    yield found.claim(
        "classes_differ",
        supported="Classes do differ by more than chance makes them: layers are not alike in what they settle.",
        contradicted="Classes differ no more than chance makes them: no layer belongs to a class.",
    )
    yield found.table("classes")
    yield Points(
        items=(
            "The first rows of the table are what early layers are enough for; ask what these classes have in "
            "common in colour, background and texture.",
            "The last rows are classes that have a neighbour: look up who is taken for whom in the galleries.",
        )
    )
    yield found.picture("altered")
