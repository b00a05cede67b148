"""An encoder–decoder transformer that trains anywhere, writes summaries, and says when it overfits.

    summarizer = fit(train, validation, SummarizerConfig(minutes=5))     # pairs of document and summary
    print(summarizer.verdict)                                            # "good: …"
    summarizer.summarize(["a long text …"])
    score(summarizer.summarize(documents), references)                   # ROUGE with intervals

Rooms within: `attending`, `blocks`, `copying` and `model` (the transformer), `tokenizer`, `token_batches`, `objective`
and `training`; `rules` and `search` (writing); `words`, `rouge`, `scoring` and `baselines`; `loss_shapes`, `loss_fits`,
`loss_gaps`, `diagnosis` and `verdict` (overfitting), `curves` (simulated ones); `summarizer`, `saving` and `card`;
`explaining` (what it looked at).
"""

from shoal.summarize.baselines import RougeTable, baselines, lead
from shoal.summarize.comparing import compare
from shoal.summarize.curves import SimulatedCurve, simulate
from shoal.summarize.diagnosis import diagnose
from shoal.summarize.explaining import Explanation, explain
from shoal.summarize.model import SummaryModel
from shoal.summarize.model_config import ModelConfig
from shoal.summarize.rules import WritingRules
from shoal.summarize.scoring import Rouge, score
from shoal.summarize.sentences import first_sentence
from shoal.summarize.summarizer import Summarizer
from shoal.summarize.summarizer_config import SummarizerConfig
from shoal.summarize.tokenizer import Tokenizer
from shoal.summarize.training import fit
from shoal.summarize.verdict import Verdict

__all__ = [
    "Explanation",
    "ModelConfig",
    "Rouge",
    "RougeTable",
    "SimulatedCurve",
    "Summarizer",
    "SummarizerConfig",
    "SummaryModel",
    "Tokenizer",
    "Verdict",
    "WritingRules",
    "baselines",
    "compare",
    "diagnose",
    "explain",
    "first_sentence",
    "fit",
    "lead",
    "score",
    "simulate",
]
