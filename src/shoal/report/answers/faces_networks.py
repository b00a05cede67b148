"""Answers about FaceNet, first part: its networks, what they cost, and what is learned from."""

from collections.abc import Iterator

from shoal.report.answers.blocks import Block, Points, Prose, formula
from shoal.report.answers.found import Found, Reason

_LARGER = Reason(text="A larger budget measures it.", command="shoal study faces --budget default")
_NN1, _INCEPTION, _SMALL = ("nn1",), ("nn2", "nn3", "nn4"), ("nns1", "nns2")


def families(found: Found) -> Iterator[Block]:
    """5a."""
    yield Points(
        items=(
            "**NN1, after Zeiler and Fergus.** A plain column of convolutions, with $1\\times 1$ convolutions between "
            "them that mix channels, and three fully connected layers at the end. Those layers hold nearly all "
            "parameters; the convolutions do nearly all the arithmetic.",
            "**NN2, NN3 and NN4, after Inception.** Each block runs $1\\times 1$, $3\\times 3$ and $5\\times 5$ "
            "convolutions and pooling beside each other, each behind a $1\\times 1$ convolution that makes the "
            "channels few, and joins what comes out. A mean over places stands at the end in place of wide "
            "layers. NN3 is NN2 on smaller images; NN4 is smaller in both, and leaves the $5\\times 5$ filters of "
            "late blocks out.",
            "**NNS1 and NNS2** are small networks of the second kind, for phones. Their layers were not published; "
            "Shoal's meet the published budgets and say so.",
        )
    )
    yield found.tell(
        "Counted from the layers, NN1 has {many} parameters and {much} million FLOPS, NN2 {few} parameters and "
        "{as_much} million: for about the same arithmetic, the second family stores far less.",
        many=found.cell("networks", "nn1", "parameters"),
        much=found.cell("networks", "nn1", "FLOPS"),
        few=found.cell("networks", "nn2", "parameters"),
        as_much=found.cell("networks", "nn2", "FLOPS"),
    )
    named = (*_NN1, *_INCEPTION, *_SMALL)
    yield found.table(
        "networks",
        columns=("pixels", "parameters", "FLOPS", "the paper prints", "its VAL", "layers"),
        where=("network", named),
    )
    yield found.claim(
        "tables_are_reproduced",
        supported="Every row of the paper's two tables comes out of the layers as printed.",
        contradicted="Not every row of the paper's two tables comes out of the layers as printed; the table has which.",
    )


def triplets_or_classes(found: Found) -> Iterator[Block]:
    """5b."""
    yield Prose(
        text="A **classifier** gets one output for each person of the training set and is punished unless the "
        "right one is largest. What one wants is the layer below it, and one hopes that it also tells people "
        "apart whom the classifier never knew. The **triplet loss** asks for what is wanted: an image of a person "
        "shall be nearer to others of that person than to any of somebody else, by a margin $\\alpha$, in the "
        "very distance that is used afterwards:"
    )
    yield formula(
        r"L = \sum_{(a,p,n)} \left[\, \|f(a)-f(p)\|^2 - \|f(a)-f(n)\|^2 + \alpha \,\right]_+, \qquad \|f(x)\| = 1",
        "the loss sums, over anchor, positive and negative, by how much the distance to the positive plus the margin "
        "exceeds the distance to the negative",
    )
    yield Points(
        items=(
            "The classifier's last layer grows with the number of people; a triplet needs none, and people may be "
            "added.",
            "The classifier uses every image in every step, and is easy to train; a triplet teaches only if it is well "
            "chosen (the next question).",
            "A classifier pulls all images of a person towards one direction; triplets let them lie along a "
            "manifold, as long as others stay away.",
        )
    )
    yield Prose(text="Both were trained on the same people, with the same layers, for the same time:")
    yield found.claim(
        "triplets_beat_classification",
        supported="The triplet loss does at least as well here.",
        contradicted="Classification does better here: in so little time, on so few people, a loss that uses "
        "every image wins over one that has to find its lessons.",
        unless=_LARGER,
    )
    yield found.table("verification", columns=("right (%)", "95 % interval", "minutes", "epochs"))
    yield found.picture("accuracy")


def not_all_triplets(found: Found) -> Iterator[Block]:
    """5c."""
    yield Prose(
        text="With $P$ people and $K$ images of each, an anchor, another image of the same person and one of "
        "somebody else can be chosen in"
    )
    yield formula(
        r"\underbrace{P K (K-1)}_{\text{pairs}} \cdot \underbrace{(P-1) K}_{\text{negatives}} \in O(P^2 K^3)",
        "P K times K less one pairs, each with P less one times K negatives",
    )
    yield Prose(text="ways. Counted for sets of the training people, and for batches:")
    yield found.table("sets")
    yield found.table("batches")
    yield found.picture("triplets")
    yield found.claim(
        "triplets_are_too_many",
        supported="There are more than a training can look at.",
        contradicted="So small a set could be looked at whole: here it is no matter of too many.",
    )
    yield Prose(text="Would most of them be wasted? A triplet that satisfies the margin has no gradient:")
    yield found.claim(
        "most_are_satisfied",
        supported="Late in training most are of that kind.",
        contradicted="In this run most still teach something at the end.",
    )
    yield found.claim(
        "informative_fall",
        supported="The share that teaches falls as training goes on.",
        contradicted="The share that teaches does not fall in this run.",
    )
    yield found.picture("informative")
    yield Prose(
        text="**What instead:** large batches with several images of each person; every pair of anchor and positive in "
        "them; and for each pair one negative of the batch, chosen by where the network of the moment puts it. That is "
        "mining; question 5e has which negative."
    )


def costs(found: Found) -> Iterator[Block]:
    """5d."""
    yield Prose(
        text="FLOPS are counted as the paper does: for each convolution and each fully connected layer, weights "
        "and biases times the places of its output. MACs count products only. ResNet-50, which is younger than "
        "the paper, stands beside its networks, counted in the same way:"
    )
    yield found.table("networks")
    yield found.tell(
        "NN1 has {one}, NN2 {two} and ResNet-50 {resnet} parameters; their MACs for one image are {one_macs}, "
        "{two_macs} and {resnet_macs} million.",
        one=found.cell("networks", "nn1", "parameters"),
        two=found.cell("networks", "nn2", "parameters"),
        resnet=found.cell("networks", "resnet50", "parameters"),
        one_macs=found.cell("networks", "nn1", "MACs"),
        two_macs=found.cell("networks", "nn2", "MACs"),
        resnet_macs=found.cell("networks", "resnet50", "MACs"),
    )
    yield found.claim(
        "tables_are_reproduced",
        supported="The counts can be trusted: the same code gives the paper's printed tables, row by row.",
        contradicted="The counts are to be taken with care: the same code does not give all of the paper's "
        "printed rows.",
    )
    yield found.table("layers")
