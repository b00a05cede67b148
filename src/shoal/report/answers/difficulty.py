"""Answers about example difficulty, first part: what it is, what makes it, and how it is measured."""

from collections.abc import Iterator

from shoal.report.answers.blocks import Block, Points, Prose, formula
from shoal.report.answers.code import code
from shoal.report.answers.found import Found, Reason


def setup(found: Found) -> Iterator[Block]:
    """4a-i."""
    yield Prose(
        text="How hard is one image for a network? Not its loss at the end, but how far into the network it has "
        "to go until its answer is settled. A **probe** stands at the input, at layers on the way, and at the "
        "softmax. It does not learn anything: it looks at the training images whose activations at that layer are "
        "nearest, and lets them vote with their labels."
    )
    yield formula(
        r"\mathrm{depth}(x) = \min\{\,l : \text{all probes } l, l+1, \dots, L \text{ say what the network says of "
        r"} x\,\}",
        "the depth of x is the first probe from which on all probes say what the network says",
    )
    yield Points(
        items=(
            "**Prediction depth**, as above, needs no label: it is about the network's answer, right or wrong. Zero is "
            "settled in the pixels already; the number of probes is never settled.",
            "**Soft depth** counts the share of neighbours against that answer over all probes; it tells images apart "
            "that have the same depth.",
            "**Earliest correct** is a second definition: the first probe that says the true label by enough votes.",
        )
    )
    yield found.tell(
        "In this run each probe asked {k} neighbours. These layers were recorded, and so much they knew:",
        k=found.setting("k"),
    )
    yield found.table("layers", columns=("rows made by", "right, test", "right, training"))
    yield found.picture("probes")
    yield Prose(text="What is asked first of such depths is whether most images are settled early or late:")
    yield found.claim(
        "settled_early",
        supported="Most are settled early; a later answer says why.",
        contradicted="Most are settled late, in this run; a later answer says more.",
    )
    yield Prose(text="Depth is one way to say “hard” among several; so far do others go with it in this run:")
    yield found.table("scores")


def what_makes_it(found: Found) -> Iterator[Block]:
    """4a-ii."""
    yield Prose(
        text="Look first. Here are images that are settled first, last, settled early and lost again, and some whose "
        "labels look wrong:"
    )
    yield found.picture("examples")
    yield Prose(text="What the eye suspects can be measured on every image and compared with its depth:")
    yield found.claim(
        "hard_is_low_in_contrast",
        supported="Low contrast goes with depth.",
        contradicted="Low contrast does not go with depth here, rather the other way round.",
    )
    yield found.claim(
        "hard_is_atypical",
        supported="An atypical pose, background or kind of its class goes with depth: such an image is far from "
        "the mean of its class.",
        contradicted="Images far from the mean of their class are not the deep ones here.",
    )
    yield found.claim(
        "hard_is_near_a_boundary",
        supported="Closeness to the border of another class goes with depth.",
        contradicted="Closeness to the border of another class does not go with depth here.",
    )
    yield found.claim(
        "people_disagree",
        supported="What is hard for the network is hard for people, too.",
        contradicted="What is hard for the network is not what people disagree on.",
        unless=Reason(
            text="It needs labels of several people for each image, which only some data have: CIFAR-10 has them, with "
            "CIFAR-10H beside it."
        ),
    )
    yield found.table("properties")
    yield Prose(
        text="Going together is not causing. To see what makes an image hard, take an image that is not, change "
        "one thing about it, and measure again:"
    )
    for name, what in (
        ("noise", "Noise"),
        ("low_contrast", "Taking contrast away"),
        ("occlusion", "Covering a part"),
        ("cropping", "Cropping, which takes the surroundings away,"),
    ):
        yield found.claim(
            f"{name}_deepens",
            supported=f"{what} makes the same images deeper.",
            contradicted=f"{what} does not make the same images deeper.",
        )
    yield found.picture("interventions")
    yield found.picture("altered")


def why_converged(found: Found) -> Iterator[Block]:
    """4a-iii."""
    yield Prose(
        text="A network that was trained for a moment knows little, and what it finds hard is what it has not learned "
        "yet. Its depths are a map of its own gaps. Only when training has nothing more to give can what is left be "
        "called a property of the image. Two comparisons tell whether that is so: the same network early and late, and "
        "two networks that differ in their seeds alone. If difficulty belongs to images, two converged networks agree "
        "about it, and an early one agrees less with either."
    )
    yield found.claim(
        "seeds_agree",
        supported="Two seeds rank the images alike: difficulty is in the images.",
        contradicted="Two seeds do not rank the images alike: much of this difficulty is the network's own.",
    )
    yield found.claim(
        "early_is_about_underfitting",
        supported="And the early network agrees less: its difficulty was about underfitting.",
        contradicted="But the early network agrees as well: on these data what is hard is seen soon.",
    )
    yield found.table("agreement")
    yield found.picture("seeds")
    yield Prose(
        text="Had these networks converged? Where one gained validation accuracy over the last fifth of its "
        "training, this study judges nothing that rests on depths; it says “inconclusive”."
    )
    yield found.table("convergence")
    yield found.picture("training")


def hooks(found: Found) -> Iterator[Block]:
    """4a-iv."""
    del found
    yield Prose(
        text="A network returns logits; what its layers computed on the way is thrown away. A **forward hook** is a "
        "function that PyTorch calls after a module has run, with its input and its output. It lets one listen in "
        "without changing a line of the network, which matters where the network is another's. This is what Shoal "
        "does, in full:"
    )
    yield code("shoal.measure.recording", "record")
    yield Points(
        items=(
            "One hook for each layer keeps its output: detached, so that no graph is kept alive; pooled, because a map "
            "of all positions of all images does not fit into memory; and copied, because the next layer may work in "
            "place and would overwrite it.",
            "Hooks on the whole model begin and end a pass. What a pass gives counts only when the pass ends well, so "
            "that each layer has one row for each example, in one order.",
            "The stack takes all hooks away again, whatever happens. A hook that is forgotten keeps listening and "
            "keeps memory.",
        )
    )
    yield code("shoal.measure.recording", "Recording")


def nearest_neighbours(found: Found) -> Iterator[Block]:
    """4a-v."""
    yield Prose(
        text="Why neighbours and no trained classifier at each layer? A trained one, even a linear one, finds "
        "what could be read out of a layer after more learning; it brings knowledge of its own and settings of "
        "its own. Neighbours ask only which images this layer already puts together. There is nothing to train, "
        "it is the same at every layer, and at the last it can be held against the network's own answer."
    )
    yield Points(
        items=(
            "**On which data?** The references are training images: their labels are known to the network, and test "
            "labels must not be used to measure the difficulty of test images.",
            "**Training images are measured without themselves.** Each is its own nearest neighbour, at distance zero; "
            "left in, it would vote for its own label, and everything would look easy.",
            "**Where training images pull away from test images**, a layer knows them by heart: compare both columns.",
        )
    )
    yield found.table(
        "layers", columns=("right, test", "right, training", "settled here, test", "settled here, training")
    )
    yield found.picture("depths_training")
    yield Prose(text="From votes to depth, as it runs:")
    yield code("shoal.difficulty.votes", "count_votes", "depth_of_agreement")
