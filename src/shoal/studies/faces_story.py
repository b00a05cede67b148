"""The story of the study of faces: what teaches, what an embedding knows, whether two generations compare."""

from shoal.studies.faces_config import BUDGETS
from shoal.studies.faces_names import MAIN, MINED, UNTRAINED
from shoal.studies.faces_paper import TRAINED_ON
from shoal.studies.faces_tables_measured import KINDS
from shoal.studies.faces_words import in_words
from shoal.studies.result import Result
from shoal.studies.story import Formula, Headline, Story
from shoal.studies.telling import Said, Told
from shoal.studies.wording import lasting

WORDS = {
    "semi_hard_learns": Said(
        supported="Semi-hard negatives teach a network more than the hardest of each batch: {effect} points more of "
        "the test pairs are right.",
        contradicted="Semi-hard negatives teach a network no more than the hardest of each batch here: {size} points "
        "fewer of the test pairs are right.",
        whether="semi-hard negatives teach more than the hardest of each batch",
        shown=("mining", "accuracy", "verification"),
    ),
    "hardest_collapse": Said(
        supported="Training with the hardest negatives from the start draws all faces into one point: two people lie "
        "{effect} times as far apart as with semi-hard ones.",
        contradicted="Training with the hardest negatives from the start did not draw all faces into one point here: "
        "two people lie {effect} times as far apart as with semi-hard ones.",
        whether="training with the hardest negatives from the start draws all faces into one point",
        shown=("distances", "mining"),
    ),
    "random_stalls": Said(
        supported="Random negatives teach less in the same time: {effect} points fewer are right than with semi-hard "
        "ones.",
        contradicted="Random negatives teach no less in the same time than semi-hard ones: {size} points more are "
        "right.",
        whether="random negatives teach less than semi-hard ones in the same time",
        shown=("informative", "mining", "accuracy"),
    ),
    "triplets_beat_classification": Said(
        supported="The triplet loss is at least as good as classification of the training people, by {effect} points.",
        contradicted="Classification of the training people gives the better embedding in the same time, by {size} "
        "points.",
        whether="the triplet loss is at least as good as classification of the training people",
        shown=("accuracy", "verification"),
    ),
    "triplets_are_too_many": Said(
        supported="Not all triplets can be used: to see each once, a training would need {effect} times its steps.",
        contradicted="All triplets could be used here: to see each once takes {effect} times the steps of the "
        "training.",
        whether="there are too many triplets to use them all",
        shown=("triplets", "sets", "batches"),
    ),
    "most_are_satisfied": Said(
        supported="Most triplets teach a trained network nothing: {percent} of them satisfy the margin already.",
        contradicted="Most triplets still teach the trained network something: only {percent} of them satisfy the "
        "margin.",
        whether="most triplets teach nothing to a network that was trained for long",
        shown=("batches", "informative"),
    ),
    "informative_fall": Said(
        supported="The share of triplets that teach something fell with training, by {effect} points.",
        contradicted="The share of triplets that teach something did not fall with training (a difference of "
        "{effect} points).",
        whether="the share of triplets that teach something falls with training",
        shown=("batches", "informative"),
    ),
    "larger_embeddings_gain_little": Said(
        supported="Longer embeddings gain little ({effect} points for the longest).",
        contradicted="Longer embeddings gain {effect} points, more than expected.",
        whether="longer embeddings gain little",
        shown=("dims",),
    ),
    "more_data_help": Said(
        supported="More training people make a better network in the same time, by {effect} points from the fewest "
        "to all.",
        contradicted="More training people do not make a better network in the same time here (a difference of "
        "{effect} points).",
        whether="more training people make a better network in the same time",
        shown=("shares",),
    ),
    "returns_diminish": Said(
        supported="The last step to more people gained less than the first, by {effect} points.",
        contradicted="The last step to more people gained no less than the first: returns do not diminish yet.",
        whether="returns of more people diminish",
        shown=("shares",),
    ),
    "jpeg_costs_little": Said(
        supported="JPEG compression of good quality costs at most {bound} point (measured: {effect}).",
        contradicted="JPEG compression costs {effect} points even at good quality.",
        whether="JPEG compression of good quality costs at most {bound} point",
        shown=("jpeg", "quality"),
    ),
    "resolution_matters": Said(
        supported="Pixels matter: in the smallest images {effect} points fewer are right.",
        contradicted="Pixels matter little here: the smallest images cost {effect} points.",
        whether="images of the fewest pixels are told apart less well",
        shown=("sides", "quality"),
    ),
    "threshold_keeps": Said(
        supported="A threshold that other people chose keeps its promise on new people: {effect} % of strangers are "
        "accepted, of {bound} % allowed.",
        contradicted="A threshold that other people chose breaks its promise on new people: {effect} % of strangers "
        "are accepted, of {bound} % allowed.",
        whether="a threshold that other people chose keeps its promise on new people",
        shown=("paper", "roc"),
    ),
    "generations_do_not_compare": Said(
        supported="Embeddings of two networks that were trained apart do not compare: across them {effect} points "
        "above chance are right.",
        contradicted="Embeddings of two networks that were trained apart compare somewhat: across them {effect} "
        "points above chance are right.",
        whether="embeddings of two networks that were trained apart do not compare",
        shown=("generations",),
    ),
    "harmonic_beats_old": Said(
        supported="After harmonic training the new network works on the old gallery {effect} points better than the "
        "old network did, and nobody is embedded again.",
        contradicted="Even after harmonic training the new network works on the old gallery {size} points worse than "
        "the old network did.",
        whether="after harmonic training the new network works on the old gallery better than the old one did",
        shown=("generations",),
    ),
    "harmonic_beats_ridge": Said(
        supported="Harmonic training beats a linear map between the two embeddings by {effect} points.",
        contradicted="A linear map between the two embeddings, which takes no training, is {size} points better than "
        "harmonic training.",
        whether="harmonic training beats a linear map between the two embeddings",
        shown=("generations",),
    ),
    "harmonic_keeps_new": Said(
        supported="The new network keeps its own accuracy where it is made compatible (a difference of {effect} "
        "points).",
        contradicted="Being compatible costs the new network {size} points of its own accuracy.",
        whether="being compatible costs the new network accuracy of its own",
        shown=("generations",),
    ),
    "identities_cluster": Said(
        supported="Embeddings of one person lie together, though nothing was trained to cluster: clusters by "
        "distance gain {effect} of BCubed F over what needs no training.",
        contradicted="Clusters by distance are worse than what needs no training, by {size} of BCubed F.",
        whether="clusters by distance are better than what needs no training",
        shown=("clusters",),
    ),
    "changed_faces_cluster": Said(
        supported="Clusters stand flips, shifts, light and blur: the worst of them costs {effect} points.",
        contradicted="Clusters do not stand every alteration: the worst of them costs {effect} points.",
        whether="clusters stand flips, shifts, light and blur",
        shown=("clusters", "altered"),
    ),
    "tables_are_reproduced": Said(
        supported="All {bound} rows of the paper's tables of layers are reproduced from the networks as built.",
        contradicted="Of the {bound} rows of the paper's tables of layers, {effect} are reproduced.",
        whether="the paper's tables of layers are reproduced",
        shown=("layers", "networks"),
    ),
}

_FORMULAS = (
    Formula(
        latex=r"L = \sum \left[ \lVert f(a) - f(p) \rVert^2 - \lVert f(a) - f(n) \rVert^2 + \alpha \right]_+, \quad "
        r"\lVert f(x) \rVert = 1",
        says="The triplet loss: an anchor a must lie closer to another image p of its person than to anybody else's "
        "image n, by a margin alpha. What does so already adds nothing. Embeddings have length one.",
    ),
    Formula(
        latex=r"\lVert f(a) - f(p) \rVert^2 < \lVert f(a) - f(n) \rVert^2 < \lVert f(a) - f(p) \rVert^2 + \alpha",
        says="A negative is semi-hard where it is farther than the positive, but within the margin: it teaches "
        "something and is not a mistake.",
    ),
    Formula(
        latex=r"\mathrm{VAL}(d) = \frac{| \{ (i, j) \in S : D_{ij} \leq d \} |}{| S |}, \quad \mathrm{FAR}(d) = "
        r"\frac{| \{ (i, j) \in U : D_{ij} \leq d \} |}{| U |}",
        says="At a threshold d on the squared distance: VAL is the share of the pairs of one person that are "
        "accepted, FAR the share of the pairs of two people that are.",
    ),
    Formula(
        latex=r"L_{\mathrm{harmonic}} = \sum \left[ \lVert u - v \rVert^2 - \lVert u - w \rVert^2 + \alpha "
        r"\right]_+, \quad u, v, w \in \{ f_{\mathrm{new}} \} \cup \{ f_{\mathrm{old}} \}",
        says="The harmonic loss: the same over triplets that mix new embeddings with old ones, which stay as they "
        "are. Anchor and positive are not both old.",
    ),
    Formula(
        latex=r"\min_{W, b} \ \frac{1}{n} \sum_{i=1}^{n} \lVert W f_{\mathrm{new}}(x_i) + b - f_{\mathrm{old}}(x_i) "
        r"\rVert^2 + \lambda \lVert W \rVert^2",
        says="The baseline: a linear map from new embeddings to old ones of the same images, by ridge regression. No "
        "network is trained for it.",
    ),
)


def tell(result: Result) -> Result:
    """The result with its story.

    Args:
        result: of the study of faces.
    """
    told = Told(result, WORDS)
    story = Story(asked=_asked(), done=_done(told), means=_means(told), changes=_changes(told), formulas=_FORMULAS)
    return told.told(_headline(told), story)


def _headline(told: Told) -> Headline:
    sentences = {
        "supported": "A new network can work on an old one's gallery, better than the old one did, and nobody is "
        "embedded again.",
        "contradicted": "A new network that is made to work on an old one's gallery is worse there than the old one "
        "was.",
        "inconclusive": "A new network can be made to work on an old one's gallery; whether it is better there is "
        "not settled here.",
    }
    sentence = sentences[told.claims["harmonic_beats_old"].verdict]
    if not _are_faces(told):
        sentence = f"On digits in place of faces: {sentence[0].lower()}{sentence[1:]}"
    if not _learned(told):
        sentence = f"{sentence[:-1]}, though these networks have hardly learned."
    new, old = (_generation(told, name) for name in ("harmonic", "old"))
    what = f"of test pairs right with both (the old network alone: {old})"
    return Headline(sentence=sentence, value=new, what=what, picture="generations")


def _generation(told: Told, name: str) -> str:
    """An accuracy of two generations, the mean where there are several pairs of networks: the last row of its kind."""
    table = told.table("generations")
    rows = [row for row in table.rows if row[1] == KINDS[name]] if table else []
    return f"{float(rows[-1][2] or 0):.1f} %" if rows else "–"


def _are_faces(told: Told) -> bool:
    return bool(told.data.get("are faces", True))


def _learned(told: Told) -> bool:
    """Whether the network is surely better than before its training: the low end of its interval is above that."""
    interval = str(told.cell("verification", in_words(MAIN), "95 % interval") or "")
    before = told.cell("verification", in_words(UNTRAINED), "right (%)")
    return not interval or not isinstance(before, int | float) or float(interval.split(" to ")[0]) > before


def _asked() -> tuple[str, ...]:
    return (
        "FaceNet (Schroff et al. 2015) maps a face to a point so that images of one person lie close together and "
        "others far apart. Whoever has the points can compare, search and cluster with nothing but distances. It "
        "learns from triplets: an anchor, another image of the same person, and one of somebody else.",
        "The study asks which triplets teach something, what helps and what harms an embedding, and a question of "
        "every gallery that lives for years: when the network is replaced, do its embeddings compare with the old "
        "ones, or has everybody to be embedded again?",
    )


def _done(told: Told) -> tuple[str, ...]:
    s, data = told.settings, told.data
    mined = ", ".join(MINED)
    digits = " These are digits and not faces: they show how the methods work, and say nothing about faces."
    faces = "" if _are_faces(told) else digits
    pairs = data["test pairs"].partition(": ")[2]
    return (
        f"On {data['title']}, a network ({s['network']}, {s['image_size']} pixels a side, embeddings of "
        f"{s['embedding_dim']} numbers) was trained for {_time(told, MAIN)} on {data['to train on']}; others, for "
        f"{_time(told, 'semi-hard')} each or less, with triplets alone ({mined} negatives). All are compared on "
        f"pairs of test images ({pairs}) of people whom none has seen. Thresholds are chosen on others again "
        f"({data['to choose with']}).{faces}",
        f"For the two generations an older network (v1) saw half of the people for half of the time, and a newer one "
        f"(v2) all of them. Then v2 was made compatible in two ways: by a linear map that is fitted to embeddings of "
        f"the training images, and by harmonic training, which takes {_time(told, 'harmonic 1')}.",
    )


def _time(told: Told, name: str) -> str:
    part = f"train: {name}"
    return lasting(told.result.seconds[part]) if part in told.result.seconds else "some time"


def _means(told: Told) -> tuple[str, ...]:
    triplets = (
        "semi_hard_learns",
        "hardest_collapse",
        "random_stalls",
        "triplets_beat_classification",
        "triplets_are_too_many",
        "most_are_satisfied",
        "informative_fall",
    )
    embedding = (
        "identities_cluster",
        "changed_faces_cluster",
        "threshold_keeps",
        "larger_embeddings_gain_little",
        "more_data_help",
        "returns_diminish",
        "jpeg_costs_little",
        "resolution_matters",
        "tables_are_reproduced",
    )
    generations = ("generations_do_not_compare", "harmonic_beats_old", "harmonic_beats_ridge", "harmonic_keeps_new")
    found = told.paragraphs(triplets, embedding, generations)
    if _learned(told):
        return found
    warning = (
        "The network is not surely better on the test pairs than before its training: what follows was measured, but "
        "says little about networks that have learned."
    )
    return (f"{warning} {found[0]}", *found[1:])


def _changes(told: Told) -> tuple[str, ...]:
    s, full = told.settings, BUDGETS["full"]
    more = ""
    if 0 < s["minutes"] < full.minutes:
        more = (
            f" This run gave its network {s['minutes']:g} minutes at {s['image_size']} pixels a side; `--budget full` "
            f"gives it {full.minutes:g} at {full.image_size}."
        )
    better = f" Data that would tell more: {told.data['better']}." if told.data.get("better") else ""
    return (
        f"More people, more pixels and more time: the paper trained on {TRAINED_ON}, and its numbers stand beside "
        f"these in the tables. Directions can be compared, levels cannot.{more}{better}",
        "Intervals are over test pairs, not over trainings: another seed gives another network, and differences of a "
        "point or two may turn. Photos that are aligned otherwise, or people of another group, need thresholds of "
        "their own.",
        "A gallery of your own is a test that no study replaces: `shoal gallery upgrade GALLERY NEW.safetensors "
        "--photos FOLDER` compares both ways on its own people, writes no old embedding again, and refuses a network "
        "that would recognise them worse. `docs/gallery.md` says how.",
    )
