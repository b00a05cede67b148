"""Lesson: softmax attention as a kernel, random features, and the error of it all.

The source of attention.ipynb; `python docs/notebooks/build.py` converts it.
"""

# %% [markdown]
# # Attention in linear time, and what it costs in accuracy
#
# Softmax attention compares every query with every key: $N$ tokens make $N^2$ comparisons. This lesson derives the
# form that needs only $N$, builds it from random features, finds where they fail, and ends with maps that do better,
# each with an error that was measured on the data at hand.
#
# You need some linear algebra and PyTorch. Everything runs on a CPU in less than a minute.

# %%
import altair as alt
import torch

from shoal.attention import (
    choose_feature_map,
    create_feature_map,
    estimate_error,
    kernel_matrix,
    linear_attention,
    softmax_attention_reference,
)

alt.renderers.enable("svg")  # drawn here, without a network
torch.set_num_threads(1)  # the products below are small: threads would wait for each other
generator = torch.Generator().manual_seed(0)

# %% [markdown]
# ## Softmax weights are a Gaussian kernel
#
# Attention weighs the value of a key by $\exp(q \cdot k/\sqrt D)$. Since
# $|q-k|^2 = |q|^2 - 2\,q\cdot k + |k|^2$,
#
# $$\exp\!\left(\frac{q\cdot k}{\sqrt D}\right)
#   = \exp\!\left(\frac{|q|^2}{2\sigma^2}\right)\,
#     \exp\!\left(-\frac{|q-k|^2}{2\sigma^2}\right)\,
#     \exp\!\left(\frac{|k|^2}{2\sigma^2}\right),\qquad \sigma^2=\sqrt D .$$
#
# The factor in the middle is a Gaussian kernel. The first is the same for all keys of a query and cancels in the
# softmax; the last is a weight of each key. This is an identity, and holds to the last digits:

# %%
D = 16
q, k = torch.randn(2, 1, 1, 64, D, dtype=torch.float64, generator=generator).unbind()  # [batch, heads, tokens, D]
sigma2 = D**0.5
left = (q @ k.mT / D**0.5).exp()
size = lambda x: (x.square().sum(-1) / (2 * sigma2)).exp()
right = size(q)[..., :, None] * (-torch.cdist(q, k).square() / (2 * sigma2)).exp() * size(k)[..., None, :]
error = float((left / right - 1).abs().max())
assert error < 1e-12
print(f"largest relative difference: {error:.1e}")

# %% [markdown]
# ## Random Fourier features
#
# A Gaussian kernel is the mean of waves in random directions: with $w \sim N(0, I)$,
# $\exp(-|q-k|^2/2\sigma^2) = \mathbb E\,\cos\!\big(w\cdot(q-k)/\sigma\big)$, and a cosine of a difference is a sum of
# products. So the features
#
# $$\tilde\varphi(x) = e^{|x|^2/2\sigma^2}\sqrt{\tfrac1F}\,
#   \big[\cos(w_1\!\cdot x/\sigma),\dots,\sin(w_1\!\cdot x/\sigma),\dots\big]$$
#
# satisfy $\mathbb E\,\tilde\varphi(q)\cdot\tilde\varphi(k) = \exp(q\cdot k/\sqrt D)$.
# `create_feature_map("trig")` makes them; "positive" ones are never negative. Draw both again and again, and look
# at the error of the weights:

# %%
small_q, small_k = q / 2, k / 2
exact = (small_q @ small_k.mT / D**0.5).softmax(-1)
rows = []
for name in ("trig", "positive"):
    for features in (16, 64, 256, 1024):
        errors = []
        for seed in range(10):
            phi = create_feature_map(name, D, features, seed=seed)
            kernel = kernel_matrix(small_q, small_k, phi)
            weights = kernel / kernel.sum(-1, keepdim=True)
            errors.append(float((weights - exact).norm() / exact.norm()))
        rows.append({"map": name, "features": features, "error": sum(errors) / len(errors)})

alt.Chart(alt.Data(values=rows), title="Attention weights from random features, mean of ten draws").mark_line(
    point=True
).encode(
    x=alt.X("features:Q", scale=alt.Scale(type="log", base=2), title="features"),
    y=alt.Y("error:Q", scale=alt.Scale(type="log"), title="relative error of the weights"),
    color="map:N",
)

# %% [markdown]
# Both axes are logarithmic. Errors of averages fall as $1/\sqrt{\text{features}}$: four times the features halve them.
# Check the slope: it should be near $-\tfrac12$ for the larger numbers of features.

# %%
for name in ("trig", "positive"):
    last = {row["features"]: row["error"] for row in rows if row["map"] == name}
    slope = torch.tensor(last[1024] / last[64]).log() / torch.tensor(1024 / 64).log()
    print(f"{name}: slope {slope:.2f}")
    assert -0.75 < slope < -0.25

# %% [markdown]
# ## Why features make attention linear
#
# With $K_{ij} = \varphi(q_i)\cdot\varphi(k_j)$ the sums can be taken in another order:
#
# $$V'_i = \frac{\sum_j K_{ij} V_j}{\sum_j K_{ij}}
#        = \frac{\varphi(q_i)^\top S}{\varphi(q_i)^\top z},\qquad
#   S=\sum_j \varphi(k_j) V_j^\top,\quad z=\sum_j\varphi(k_j).$$
#
# $S$ and $z$ are made once, for all queries: $O(N\,D\tilde D + N\tilde D M)$ instead of $O(N^2\max(D,M))$, with
# $\tilde D$ features and values of $M$ numbers. If token $i$ may only see $j \le i$, both become running sums,
#
# $$S_i = S_{i-1} + \varphi(k_i)V_i^\top,\qquad z_i = z_{i-1}+\varphi(k_i),$$
#
# a state of constant size, as a recurrent network has. Feed tokens in pieces, or all at once: the same output.

# %%
v = torch.randn(1, 1, 64, D, dtype=torch.float64, generator=generator)
phi = create_feature_map("positive", D, 64)
at_once = linear_attention(small_q, small_k, v, feature_map=phi, is_causal=True)

state, pieces = None, []
for i in range(64):
    token = slice(i, i + 1)
    out, state = linear_attention(
        small_q[:, :, token],
        small_k[:, :, token],
        v[:, :, token],
        feature_map=phi,
        is_causal=True,
        state=state,
        return_state=True,
    )
    pieces.append(out)
assert torch.allclose(torch.cat(pieces, 2), at_once)
print(f"64 steps equal one call; largest difference {float((torch.cat(pieces, 2) - at_once).abs().max()):.0e}")

# %% [markdown]
# ## Where random features fail
#
# The inputs above were small and had no structure. Those of a trained network have few strong directions, and means
# away from zero. The variance of a positive feature grows with $\exp(|q+k|^2)$, so that no affordable number of them
# is enough. Make such inputs, and ask for the error of the output: `estimate_error` computes some rows exactly and
# gives an interval. Next to it stands what returning the mean of all values would give, the answer that needs no
# attention at all.


# %%
def trained_like(tokens: int, dim: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries and keys of one head with a few strong directions and means off zero, and random values."""
    normal = lambda *shape: torch.randn(*shape, generator=generator)
    deviations = torch.arange(1, dim + 1) ** -0.75  # of the data along the axes, the strongest first
    axes = torch.linalg.qr(normal(dim, dim)).Q * deviations * (dim / deviations.square().sum()).sqrt()
    q = normal(tokens, dim) @ axes.mT + 0.5 * normal(dim)
    k = normal(tokens, dim) @ axes.mT + normal(dim)
    spread = (q @ k.mT / dim**0.5).std(1).mean()  # made one from key to key, as in the heads of many networks
    return (q / spread.sqrt())[None, None], (k / spread.sqrt())[None, None], normal(1, 1, tokens, dim)


q, k, v = trained_like(1024, 32)
first, second = slice(0, 512), slice(512, None)  # to fit on, and to measure on
rows = []
for name in ("trig", "positive", "sderf", "landmark"):
    phi = create_feature_map(name, 32, 128)
    phi.fit(q[:, :, first], k[:, :, first])  # learns centring and balance too
    found = estimate_error(q[:, :, second], k[:, :, second], v[:, :, second], phi)
    rows.append({"map": name, "error": found.value, "low": found.low, "high": found.high})
    print(f"{name:10} {found}")
rows.append({"map": "mean of the values", "error": found.baseline, "low": found.baseline, "high": found.baseline})

found = alt.Chart(alt.Data(values=rows), title="Error of the output, 128 features", width=420).encode(
    x=alt.X("map:N", sort=None, title="", axis=alt.Axis(labelAngle=0))
)
found.mark_point(filled=True, size=80).encode(
    y=alt.Y("error:Q", title="relative error", scale=alt.Scale(type="log"))
) + found.mark_rule(strokeWidth=2).encode(y="low:Q", y2="high:Q")

# %% [markdown]
# Maps that look at data come out ahead. `landmark` puts its features where the keys and queries are (the centres of
# clusters) and solves least squares for the rest.
#
# ## Let the library choose
#
# Say which error you accept. `choose_feature_map` tries maps from the cheapest on, fits each on the first half of the
# positions, measures it on the second, and says so if only exact attention will do.

# %%
found = choose_feature_map(q, k, v, target_error=0.5, names=["positive", "sderf", "landmark"], counts=[32, 64, 128])
print(found)

# %%
strict = choose_feature_map(q, k, v, target_error=0.001, names=["positive", "landmark"], counts=[32, 64])
assert strict.exact_needed
print(strict)

# %% [markdown]
# `estimate_error` promises an interval. Here the whole error can still be computed, since 1,024 tokens are few: does
# the interval hold it?

# %%
if not found.exact_needed:
    out = linear_attention(q, k, v, feature_map=found.feature_map)
    truth = softmax_attention_reference(*(x.double() for x in (q, k, v)))
    print(f"the whole error is {float((out - truth).norm() / truth.norm()):.3f}")
    print(f"estimated from some rows: {estimate_error(q, k, v, found.feature_map)}")

# %% [markdown]
# ## Try it
#
# 1. Make `trained_like` ten times as spread out (divide by less). Which map gives up first?
# 2. Give `choose_feature_map` a `window=128`: keys nearby are then exact, and only those far away are approximated.
# 3. Write the features and the recurrence yourself: exercises 01 to 03 in `docs/exercises`.
