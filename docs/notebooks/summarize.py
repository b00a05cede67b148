"""Lesson: training a small summarizer, and telling overfitting from a gap.

The source of summarize.ipynb; `python docs/notebooks/build.py` converts it.
"""

# %% [markdown]
# # What two losses tell: a summarizer that says when it overfits
#
# An encoder–decoder transformer learns to write the first line of a docstring from the rest of it. Texts are few and
# minutes are short here, so it will not become good. That is the point: you will see it learn, see it begin to learn by
# heart, and see how the two are told apart by numbers rather than by eye.

# %%
import altair as alt
import torch

from shoal.data.texts import read_docstrings, split_pairs
from shoal.summarize import SummarizerConfig, baselines, diagnose, explain, fit, score, simulate

alt.renderers.enable("svg")  # drawn here, without a network
torch.set_num_threads(1)

# %% [markdown]
# ## Texts that are everywhere
#
# Every Python has a standard library, and its docstrings are pairs of document and summary. They are read as text,
# nothing is imported. `split_pairs` keeps pairs of one module, and equal texts, on one side: a summary in the test set
# that was also in the training set would measure memory.

# %%
train, validation, test = split_pairs(read_docstrings(packages=(), most=500), validation=60, test=60)
print(f"{len(train)} pairs to learn from, {len(validation)} to watch, {len(test)} to report on")

# %%
document, summary = train.documents[3], train.summaries[3]
print(f"document: {document[:200]} …\n\nsummary:  {summary}")

# %% [markdown]
# ## What needs no training
#
# ROUGE counts words that a summary shares with a reference: ROUGE-1 single words, ROUGE-2 pairs, ROUGE-L the longest
# common subsequence. The first words of a document are a summary that costs nothing. Measure it first:

# %%
baselines(test.documents, test.summaries)

# %% [markdown]
# ## Training
#
# The model reads a document $x$ and writes a summary $y$ token by token. The loss is the mean negative log-likelihood
#
# $$L = -\frac1T\sum_{t=1}^{T}\log p(y_t \mid y_{<t}, x),$$
#
# in nats: a loss of $\ln 1000 \approx 6.9$ is what guessing among a thousand tokens gives. Three losses are measured:
# on training pairs, on training pairs that were **held back**, and on **validation** pairs.

# %%
config = SummarizerConfig(
    minutes=0,
    epochs=20,
    size="tiny",
    vocabulary=600,
    max_source=40,
    max_target=16,
    batch_tokens=1024,
    patience=0,  # go on after the best, to see what happens
    held_back=20,
    dropout=0.0,
    precision="fp32",
)
few = train.take(range(100))
summarizer = fit(few, validation, config)
summarizer

# %%
names = {"train_loss": "training", "held_back_loss": "held back", "validation_loss": "validation"}
rows = [
    {"step": row["step"], "loss": row[name], "of": title}
    for row in summarizer.history.rows
    for name, title in names.items()
]
alt.Chart(alt.Data(values=rows), title="Three losses").mark_line(point=True).encode(
    x="step:Q", y=alt.Y("loss:Q", title="nats a token", scale=alt.Scale(zero=False)), color=alt.Color("of:N", title="")
)

# %% [markdown]
# Training loss keeps falling. Is the rest overfitting? Two different things make a gap:
#
# - held back less training: what was learned by heart. It grows while training goes on;
# - validation less held back: another kind of text. It is there from the first look on, and does no harm.
#
# And a third thing decides: whether the validation loss *rises* after its lowest. `diagnose` fits curves that only fall
# and curves that fall and rise, and says "overfit" if a rise explains the points far better:

# %%
summarizer.verdict

# %% [markdown]
# ## Is the verdict right?
#
# On real curves nobody knows the truth. `simulate` draws curves of which it is known, some with a rise, some without:

# %%
right = []
for seed in range(10):
    curve = simulate(seed)
    verdict = diagnose(curve.rows)
    right.append((verdict.kind == "overfit") == curve.overfits)
    print(f"truth {curve.kind:8} verdict {verdict.kind:8} {'' if right[-1] else '  <- differs'}")
print(f"{sum(right)} of {len(right)} are told right")
assert sum(right) >= 8

# %% [markdown]
# ## Writing
#
# The likeliest token each time is greedy writing. A beam follows the best few beginnings at once. Scores of finished
# summaries are divided by length$^p$, with $p$ the `length_penalty`: with 0 short ones win, since every further token
# makes the sum of log-probabilities smaller.

# %%
some = list(test.documents[:20])
for beams in (1, 4):
    written = summarizer.summarize(some, num_beams=beams, max_words=10)
    print(f"{beams} beams: {score(written, list(test.summaries[:20]))}")
print("\nfor example:", written[:3])

# %% [markdown]
# Compare with the baselines above: after seconds of training on a hundred pairs the model loses to the first sentence.
# More pairs and minutes change that: `shoal summarize fit docstrings --minutes 5`.
#
# ## What it looked at
#
# `explain` gives all attention, and how likely each token was copied from the document rather than written.

# %%
seen = explain(summarizer, few.documents[0], few.summaries[0])
looking = seen.looking[-1].mean(0)  # the last layer, mean of its heads: (summary, document)
rows = [
    {"from": f"{j:02d} {seen.document[j]}", "to": f"{i:02d} {seen.summary[i]}", "attention": float(looking[i, j])}
    for i in range(len(seen.summary))
    for j in range(len(seen.document))
]
alt.Chart(alt.Data(values=rows), title="Where the decoder looks").mark_rect().encode(
    x=alt.X("from:N", title="document", sort=None),
    y=alt.Y("to:N", title="summary", sort=None),
    color=alt.Color("attention:Q", scale=alt.Scale(scheme="blues")),
)

# %% [markdown]
# ## Try it
#
# 1. Train on 40 pairs, then on all. From which step on does the verdict say "overfit", if it does?
# 2. Set `dropout=0.2`. Which of the two gaps changes?
# 3. Write masks, a running decoder and a verdict of your own: exercises 07 and 08 in `docs/exercises`.
