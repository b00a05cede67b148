"""Lesson: attention heads written by hand, proved, and compared with learned ones.

The source of circuits.ipynb; `python docs/notebooks/build.py` converts it.
"""

# %% [markdown]
# # One attention head: by hand, proved, and learned
#
# What can one attention head do? Here a head has no residual connection, no MLP and no norm: contents and places stand
# side by side in the input as one-hot vectors, and
#
# $$O = \mathrm{softmax}\!\left(\frac{(XW_Q)(XW_K)^\top}{\sqrt{d}}\right) X W_V .$$
#
# We write its weights by hand from a rule, prove that they follow it on *every* input, train other heads on the rule's
# outputs alone, and ask in numbers how much the two are alike.

# %%
import altair as alt
import torch

from shoal.circuits import (
    Head,
    ablate,
    compare,
    compile_rule,
    decompile,
    first,
    last,
    learn,
    not_self,
    qk_table,
    same,
    unique,
    verify,
)

alt.renderers.enable("svg")  # drawn here, without a network
torch.set_num_threads(1)

# %% [markdown]
# ## Selection by content
#
# A rule says which keys each query selects; the output is the mean of the tokens there. `same()` selects keys that hold
# the query's own token. Its weights are an identity on the contents, large enough for the softmax to be sharp:

# %%
by_content = compile_rule(same(), vocabulary="ABC", max_len=4)
print(by_content.tables(0))

# %% [markdown]
# Each row is a dimension of the input, here one for each token. There is none for places: this head does not know where
# anything is. What it attends to in the sequence A B C C:


# %%
def attention_picture(head: Head, sequence: str, title: str) -> alt.LayerChart:
    """The attention of every query (down) to every key (across)."""
    weights = head.trace(sequence).attention[0]
    keys = (["null"] if head.layout.null else []) + [f"{i} {token}" for i, token in enumerate(sequence)]
    rows = [
        {"query": f"{i} {sequence[i]}", "key": key, "attention": float(weights[i, j]), "text": f"{weights[i, j]:.2f}"}
        for i in range(len(sequence))
        for j, key in enumerate(keys)
    ]
    chart = alt.Chart(alt.Data(values=rows), title=title, width=220, height=220).encode(
        x=alt.X("key:N", sort=None, axis=alt.Axis(labelAngle=0)), y=alt.Y("query:N", sort=None)
    )
    cells = chart.mark_rect().encode(color=alt.Color("attention:Q", scale=alt.Scale(domain=[0, 1], scheme="blues")))
    return cells + chart.mark_text().encode(
        text="text:N", color=alt.condition("datum.attention > 0.6", alt.value("white"), alt.value("black"))
    )


attention_picture(by_content, "ABCC", "same(): by hand")

# %% [markdown]
# ## Selection by place
#
# `first()` copies the first token everywhere. Now the input has places, p0 to p3; they carry the weights, and contents
# none.

# %%
by_place = compile_rule(first(), vocabulary="ABC", max_len=4)
print(by_place.tables(0))
print("B C A becomes", [[round(x, 2) for x in row] for row in by_place.run("BCA")])

# %% [markdown]
# Scores of contents and places add up, so that one head can ask for both: `same() & not_self()` selects *other* places
# with the same token. Where there are none, a null key with a zero value takes the attention. `unique()` is a rule for
# the output: + where a token occurs once, − where it repeats.
#
# ## Proof
#
# There are only so many sequences of up to four tokens. `verify` looks at all of them:

# %%
rules = {"same": same(), "first": first(), "same & not_self": same() & not_self(), "unique": unique()}
heads = {name: compile_rule(rule, vocabulary="ABC", max_len=4) for name, rule in rules.items()}
for name, rule in rules.items():
    proof = verify(heads[name], rule)
    assert proof.holds
    assert proof.exhaustive
    print(f"{name:16} {proof}")

# %% [markdown]
# A head that follows another rule is refuted with the first input that shows it:

# %%
refuted = verify(heads["first"], last())
assert not refuted.holds
print(refuted)

# %% [markdown]
# ## The learned twin
#
# `learn` trains heads of the same size on the rule's outputs, one for each random start. They see no attention map and
# no rule. Do they find it?

# %%
rule = rules["same & not_self"]
twins = learn(rule, vocabulary="ABC", max_len=4, seeds=5)
for seed, twin in enumerate(twins):
    print(seed, verify(twin, rule))

# %%
attention_picture(heads["same & not_self"], "ABCC", "by hand") | attention_picture(twins[0], "ABCC", "learned")

# %% [markdown]
# ## Alike in what?
#
# Look at the weights themselves and the two have nothing in common. They need not: for any invertible $R$, the queries
# $XW_QR$ and the keys $XW_KR^{-\top}$ give the same scores. What is left of the choice is the product
# $W_QW_K^\top$. And softmax does not see a number that is added to all scores of a query, so that the mean over keys is
# taken off before comparing. `compare` does both, and says beside each number what chance would give:

# %%
found = compare(heads["same & not_self"], twins[0], draws=50)
print("cosine of the raw W_Q:     ", found.raw_queries)
print("cosine of the QK circuits: ", found.qk)
print("score of the whole:        ", f"{found.score:.3f}")
print("temperature:               ", found.temperature)
assert found.qk.value > 0.8

# %% [markdown]
# A temperature above 1 says that the learned head is *softer*: its scores would have to be multiplied by that to be as
# sharp as those by hand. The loss asked for right outputs, and sharper weights hardly change them any more.
#
# Where do the scores come from? The table of all of them, for every token at every place:

# %%
table = qk_table(twins[0]).flatten(0, 1)  # every token at every place, as a query and as a key
names = [f"{token} at {place}" for token in "ABC" for place in range(4)]
rows = [
    {"query": names[i], "key": names[j], "score": float(table[i, j])}
    for i in range(len(names))
    for j in range(len(names))
]
alt.Chart(alt.Data(values=rows), title="Learned QK circuit", width=260, height=260).mark_rect().encode(
    x=alt.X("key:N", sort=None),
    y=alt.Y("query:N", sort=None),
    color=alt.Color("score:Q", scale=alt.Scale(scheme="blueorange", domainMid=0)),
)

# %% [markdown]
# In the orange blocks on the diagonal a token looks for its own kind; the blue stripes say that no place looks at
# itself; where both meet, at the own token in the own place, they cancel. Everything else, what contents do to places
# and the other way round, the rule has no use for. Does the head need it? Take it out and prove again:

# %%
without = ablate(twins[0], rule)
print(
    f"{without.removed:.2g} of the weights' square norm taken out; no output moves by more than {without.farthest:.3f}"
)
print(without.after)
assert without.harmless

# %% [markdown]
# ## Reading a rule off a head
#
# The other way round: given weights, which rule is it? `decompile` names one only if the head is right on every input
# and for the right reasons; a half-trained head gets none.

# %%
for seed, twin in enumerate(twins):
    print(seed, decompile(twin))
assert str(decompile(heads["first"])) == "first()"

# %% [markdown]
# ## Try it
#
# 1. `unique()` is the hardest to learn. Train 20 seeds: how many hold, and what do the others do instead?
# 2. Why can one head not follow `token("A") | first()`? Compile it and read the message.
# 3. Set the weights of `same`, `first` and `unique` yourself: exercises 04 to 06 in `docs/exercises`.
