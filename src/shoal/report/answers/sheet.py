"""The answer sheet: every question, in our own words, with what answers it.

The ids are those of the course sheet that Shoal grew from; `QUESTIONS` is the one list of them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from shoal.report.answers import (
    attention,
    circuits,
    difficulty,
    difficulty_found,
    exits,
    faces_networks,
    faces_training,
    process,
    summarize,
)
from shoal.report.answers.blocks import Block
from shoal.report.answers.found import Found
from shoal.studies.result import Result

FromStudy = Callable[[Found], Iterator[Block]]
FromAll = Callable[[Sequence[Result]], Iterator[Block]]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question of the sheet.

    Args:
        id: as the sheet has it, for example "4a-iv".
        short: what it is about, in a few words, for lists.
        text: the question.
        study: the study that answers it; empty for what all runs answer together.
        answer: gives the answer from what that study found.
        from_all: gives it from all results, where no one study does.
    """

    id: str
    short: str
    text: str
    study: str = ""
    answer: FromStudy | None = None
    from_all: FromAll | None = None


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the sheet."""

    title: str
    questions: tuple[Question, ...]


def _of(study: str) -> Callable[[str, str, FromStudy, str], Question]:
    """Questions of one study, each by its id, what it is about, its answer and its text."""
    return lambda id, short, answer, text: Question(id=id, short=short, text=text, study=study, answer=answer)


_attention, _circuits, _summarize = _of("attention"), _of("circuits"), _of("summarize")
_difficulty, _exits, _faces = _of("difficulty"), _of("exits"), _of("faces")

SHEET = (
    Part(
        title="Attention at linear cost",
        questions=(
            _attention(
                "1a-i",
                "The Gaussian in the softmax",
                attention.gaussian_kernel,
                "Softmax attention compares a query with a key by exp(q·k/√D). Show that a Gaussian kernel is inside, "
                "and find its width.",
            ),
            _attention(
                "1a-ii",
                "Random Fourier features, and their cost",
                attention.random_features,
                "Approximate softmax attention with random Fourier features. What do time and memory depend on, "
                "and how good is the approximation?",
            ),
            _attention(
                "1b",
                "The causal form as a recurrence",
                attention.causal_recurrence,
                "Now let every token see only itself and what came before. Write the approximation as a "
                "recurrence: what is its state, and what does one more token cost?",
            ),
        ),
    ),
    Part(
        title="Heads that select",
        questions=(
            _circuits(
                "2a",
                "Selection by content",
                circuits.by_content,
                "A head shall look at tokens by what they are. Put one that is set by hand beside one that is learned: "
                "what is alike, what differs, and why?",
            ),
            _circuits(
                "2b",
                "Selection by position",
                circuits.by_position,
                "A head shall look at tokens by where they stand. The same comparison again; and what do several heads "
                "make of a task that needs both?",
            ),
        ),
    ),
    Part(
        title="A summarizer",
        questions=(
            _summarize(
                "3a",
                "Training and validation loss",
                summarize.two_losses,
                "Draw training and validation loss of the summarizer. What do they say, when is it overfitting, "
                "and when is it only a gap?",
            ),
        ),
    ),
    Part(
        title="Example difficulty",
        questions=(
            _difficulty(
                "4a-i",
                "What difficulty is",
                difficulty.setup,
                "What is meant by the difficulty of an example, and how is the experiment set up?",
            ),
            _difficulty(
                "4a-ii",
                "What makes an example difficult",
                difficulty.what_makes_it,
                "What makes an example of these data difficult?",
            ),
            _difficulty(
                "4a-iii",
                "Why train to the end first",
                difficulty.why_converged,
                "Why should the network have converged before the difficulty of examples is measured with it?",
            ),
            _difficulty(
                "4a-iv",
                "What hooks are for",
                difficulty.hooks,
                "What do forward hooks do, and what are they needed for here?",
            ),
            _difficulty(
                "4a-v",
                "Why neighbours, and on which data",
                difficulty.nearest_neighbours,
                "Why is a k-nearest-neighbour classifier asked at each layer, and which data does it look at?",
            ),
            _difficulty(
                "4a-vi",
                "Why many leave early",
                difficulty_found.many_leave_early,
                "Why could many examples leave the network after a few layers?",
            ),
            _difficulty(
                "4a-vii",
                "Why accuracy falls with depth",
                difficulty_found.accuracy_falls,
                "Why are predictions that are made in later layers less often right?",
            ),
            _difficulty(
                "4a-viii",
                "Hard against easy examples",
                difficulty_found.hard_against_easy,
                "What tells hard examples from easy ones, and is that what one would expect?",
            ),
            _difficulty(
                "4a-ix",
                "Patterns by layer",
                difficulty_found.by_layer,
                "What do the examples have in common that are settled at one layer?",
            ),
        ),
    ),
    Part(
        title="Networks that stop early",
        questions=(
            _exits(
                "4b-i",
                "The plain network",
                exits.plain,
                "How accurate and how fast is a plain ResNet-18, and how many MACs does it need for an image?",
            ),
            _exits(
                "4b-ii",
                "The network with exits",
                exits.early,
                "The same for a ResNet-18 with early exits, whose MACs differ from image to image.",
            ),
            _exits(
                "4b-iii", "The two compared", exits.compared, "Compare the two. Are the differences more than chance?"
            ),
            _exits(
                "4b-iv",
                "The lowest MACs",
                exits.lowest,
                "How low can the mean MACs be made, and what accuracy is left there?",
            ),
            _exits(
                "4b-v",
                "Early exit or a smaller network",
                exits.when_smaller,
                "When would you take a network with early exits, and when simply a smaller one?",
            ),
        ),
    ),
    Part(
        title="Face embeddings",
        questions=(
            _faces(
                "5a",
                "Two families of networks",
                faces_networks.families,
                "FaceNet was built with two kinds of architecture. What are they, and how do they differ?",
            ),
            _faces(
                "5b",
                "Triplets or classes",
                faces_networks.triplets_or_classes,
                "How does training with a triplet loss differ from training a classifier and taking its last layer but "
                "one?",
            ),
            _faces(
                "5c",
                "Why not all triplets",
                faces_networks.not_all_triplets,
                "Why is not every triplet used, and what is done instead?",
            ),
            _faces(
                "5d",
                "Parameters and FLOPS",
                faces_networks.costs,
                "How many parameters and operations do these networks have, and how does ResNet-50 compare?",
            ),
            _faces(
                "5e",
                "Semi-hard negatives",
                faces_training.semi_hard,
                "What are semi-hard negatives, and why are they preferred?",
            ),
            _faces(
                "5f",
                "Harmonic embeddings",
                faces_training.harmonic,
                "What are harmonic embeddings, and what problem do they solve?",
            ),
            _faces(
                "5g",
                "Size of the embedding",
                faces_training.embedding_size,
                "How does the size of the embedding matter?",
            ),
            _faces(
                "5h",
                "Amount of training data",
                faces_training.data_size,
                "How does the amount of training data matter?",
            ),
            _faces(
                "5i",
                "What emerges",
                faces_training.emergent,
                "Name a property of the embedding that nothing asked for, and show it.",
            ),
            Question(
                id="5j",
                short="The most interesting idea",
                text="Which idea of the paper do you find the most interesting, and why? About a hundred words.",
                from_all=process.interesting_idea,
            ),
        ),
    ),
    Part(
        title="The work itself",
        questions=(
            Question(
                id="6",
                short="Resources, people, time",
                text="How did the work go: what did you use, with whom did you work, and how long did it take?",
                from_all=process.process,
            ),
        ),
    ),
)

QUESTIONS = tuple(question for part in SHEET for question in part.questions)
