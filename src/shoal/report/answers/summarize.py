"""The answer about the summarizer's two losses."""

from collections.abc import Iterator

from shoal.report.answers.blocks import Block, Points, Prose
from shoal.report.answers.found import Found


def two_losses(found: Found) -> Iterator[Block]:
    """3a."""
    yield Prose(
        text="The **training loss** is what the steps make smaller, on texts that they see. The **validation loss** is "
        "the same number on texts that no step saw, and it is what one wants to know. Here is how both went:"
    )
    yield found.picture("losses")
    yield found.tell(
        "At the end the training loss was {train} and the validation loss {validation} nats per token, after {epochs} "
        "epochs.",
        train=found.cell("trainings", "summarizer", "training loss"),
        validation=found.cell("trainings", "summarizer", "validation loss"),
        epochs=found.cell("trainings", "summarizer", "epochs"),
    )
    yield found.claim(
        "training_loss_falls",
        supported="The training loss falls: the network learns what it is shown.",
        contradicted="The training loss does not fall: nothing is learned, and all else is noise.",
    )
    yield found.claim(
        "validation_loss_falls",
        supported="The validation loss falls with it: what is learned is true of other texts, too.",
        contradicted="The validation loss does not fall: what is learned is of no use on other texts.",
    )
    yield Prose(text="How to read the two together:")
    yield Points(
        items=(
            "**Both fall still:** underfitting. Train on.",
            "**Both are flat, with a modest gap:** good. A network is always a little better on what it has seen; "
            "a gap alone says nothing. Dropout, which is on in training only, can even turn the gap round.",
            "**Training falls on while validation rises:** overfitting. From that step on texts are learned by heart; "
            "keep the network of the step at which validation was lowest.",
            "**A gap that is there from the start:** the two sets are of different kinds. Texts held back from the "
            "training set, and not yet seen, lie on one line with the training texts then: a shift, not overfitting.",
        )
    )
    yield Prose(text="Which of these it is, is decided by intervals and not by eye. Of this training:")
    yield found.claim(
        "a_gap_is_normal",
        supported="There is a gap, and validation does not rise: a gap only, no overfitting.",
        contradicted="Validation rises at the end: here the gap is more than a gap.",
    )
    yield found.claim(
        "a_shift_is_no_overfitting",
        supported="A part of the gap is there before any text is seen twice: that part is a shift between the sets.",
        contradicted="Validation texts are no harder than texts held back from training: the sets are of one kind.",
    )
    yield Prose(
        text="And to see overfitting for certain, the same network was made to see a few texts again and again:"
    )
    yield found.claim(
        "overfitting_is_called",
        supported="There it is, and the verdict names the step.",
        contradicted="Even that did not make validation rise.",
        inconclusive="In this run that training was not called overfitting, or it is not sure that validation rose: it "
        "was too short for that, or stopped too early.",
    )
    yield found.picture("losses_overfit")
    yield found.table("trainings")
    yield Prose(text="Can the verdict be trusted? It was asked about curves whose truth is known:")
    yield found.claim(
        "the_verdict_is_right",
        supported="Yes, as far as simulated curves are like real ones.",
        contradicted="Not as often as it should be; look at the curves as well.",
    )
