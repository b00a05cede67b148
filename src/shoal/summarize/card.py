"""The card of a model: what it was trained on, how well it does, and what it is not made for."""

from typing import TYPE_CHECKING, Any

from shoal.measure import count_parameters

if TYPE_CHECKING:
    from shoal.summarize.summarizer import Summarizer

LIMITS = (
    "It writes what summaries in its training data look like, and can state what the document does not say.",
    "What comes after the first tokens that it reads is not seen.",
    "Other languages and kinds of text than those of its training data come out badly.",
)


def card_of(summarizer: "Summarizer") -> str:
    """The card as Markdown."""
    config, about = summarizer.model.config, summarizer.about
    lines = [
        "# A summarizer made with Shoal",
        "",
        f"- {count_parameters(summarizer.model):,} parameters: {config.encoder_layers} + {config.decoder_layers} "
        f"blocks of width {config.dim}, {config.attention} attention, vocabulary {config.vocabulary:,}.",
        f"- Reads {config.max_source} tokens of a document, writes at most {config.max_target}.",
        "",
        "## Data",
        "",
        *(_data(about) or ["Not recorded."]),
        "",
        "## Training",
        "",
        *_training(summarizer),
        "",
        "## Scores",
        "",
        *(_scores(about) or ["None recorded; `shoal summarize score` measures and adds them."]),
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in LIMITS),
        "",
        "## Use",
        "",
        "```python",
        "from shoal.summarize import Summarizer",
        "",
        'summarizer = Summarizer.from_pretrained("this folder")',
        'summarizer.summarize(["a long text"])',
        "```",
    ]
    return "\n".join(lines) + "\n"


def _data(about: dict[str, Any]) -> list[str]:
    parts = [part for part in ("training", "validation") if part in about]
    found = [f"- {part}: {about[part]['pairs']:,} pairs of {about[part]['name']}" for part in parts]
    if about.get("held back"):
        found.append(f"- held back from the training data, to watch it: {about['held back']:,} pairs")
    if cut := about.get("training", {}).get("documents cut"):
        found.append(f"- training documents that were longer than the model reads, and cut: {cut:,}")
    return found


def _training(summarizer: "Summarizer") -> list[str]:
    history = summarizer.history
    if not history.rows:
        return ["Not recorded."]
    last = history.rows[-1]
    said = [f"- {last['step']:,} steps, {last['epoch']:.2f} epochs, {history.seconds / 60:.1f} minutes."]
    losses = [
        f"{name.removesuffix('_loss').replace('_', ' ')} {last[name]:.3f}" for name in last if name.endswith("_loss")
    ]
    said.append(f"- Loss at the end, nats per token: {', '.join(losses)}.")
    if summarizer.verdict:
        said.append(f"- Verdict: {summarizer.verdict}")
    return said


def _scores(about: dict[str, Any]) -> list[str]:
    return [f"- {name}: {text}" for name, text in about.get("scores", {}).items()]
