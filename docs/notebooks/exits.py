"""Lesson: networks that stop when they are sure, and what that is worth.

The source of exits.ipynb; `python docs/notebooks/build.py` converts it.
"""

# %% [markdown]
# # Stopping early, with a guarantee
#
# If most images are settled after a few layers, why compute the others? An *exit* is a small classifier on a layer. A
# *policy* decides at each exit whether an answer is good enough. This lesson attaches exits to a network, trains them,
# draws the frontier of accuracy against arithmetic, and ends with a threshold that comes with a proof.

# %%
import altair as alt
import torch

from shoal.data import load
from shoal.engine import FitConfig
from shoal.exits import Confidence, EarlyExit, Margin, calibrate, fit_exits, frontier
from shoal.measure import count_macs
from shoal.nets import create_model

alt.renderers.enable("svg")  # drawn here, without a network
torch.set_num_threads(1)

# %% [markdown]
# ## What an image costs
#
# Cost is counted in multiply–accumulate operations (MACs): one product and one addition. They do not depend on the
# machine. Which part of a small ResNet costs what?

# %%
digits = load("digits", validation=0.3)
train, validation, test = (
    (digits.normalise(part.images), part.labels) for part in (digits.train, digits.validation, digits.test)
)
backbone = create_model("cifar_resnet18", width=8, in_channels=1, num_classes=10, seed=0)
count_macs(backbone, train[0][:1])

# %% [markdown]
# ## Exits, and how they are trained
#
# All exits are trained together on a weighted sum of their losses,
#
# $$L = \sum_i w_i \,\mathrm{CE}_i,$$
#
# so that early layers learn features that are good for an answer *and* for what comes after. (`mode="frozen"` leaves a
# trained network as it is and trains the small heads only.)

# %%
net = EarlyExit(backbone, at=["layer1", "layer2", "layer3"], num_classes=10)
fit_exits(net, train, mode="joint", config=FitConfig(epochs=6, precision="fp32"), batch_size=64)
with torch.no_grad():
    for name, logits in zip((*net.at, "the end"), net(test[0]), strict=True):
        print(f"{name:8} alone answers {(logits.argmax(1) == test[1]).double().mean():.1%} right")

# %% [markdown]
# ## Every row decides for itself
#
# `Confidence` leaves where the largest probability reaches a threshold. Rows that leave are taken out of the batch;
# those that stay are computed on. So a batch need not wait for its hardest image.

# %%
result = net.predict(test[0], Confidence([0.8, 0.8, 0.8]))
whole = count_macs(net.backbone, test[0][:1]).total
leaving = torch.bincount(result.exit_index, minlength=4).tolist()
print("images that leave at each exit, and at the end:", leaving)
print(f"right: {(result.logits.argmax(1) == test[1]).double().mean():.1%}")
print(f"mean MACs: {result.macs.double().mean() / whole:.0%} of the whole network's")
assert result.macs.double().mean() < whole

# %% [markdown]
# ## The frontier
#
# Each threshold is a bargain of accuracy against arithmetic. Thresholds are chosen on validation images and measured on
# test images: the best of many on the same images would be luck.

# %%
rows = frontier(net, test, choose_on=validation, policy=Margin)
points = [{"MACs": 100 * row.mean_macs / whole, "accuracy": 100 * row.accuracy} for row in rows]
alt.Chart(alt.Data(values=points), title="From bold to safe").mark_line(point=True).encode(
    x=alt.X("MACs:Q", title="mean MACs, % of the whole network"),
    y=alt.Y("accuracy:Q", title="test accuracy, %", scale=alt.Scale(zero=False)),
)

# %% [markdown]
# What is the least arithmetic at an accuracy? Read it off:

# %%
for wanted in (0.90, 0.95):
    enough = [row for row in rows if row.accuracy >= wanted]
    least = min(enough, key=lambda row: row.mean_macs, default=None)
    print(
        f"{wanted:.0%}: " + (f"{least.mean_macs / whole:.0%} of the MACs" if least else "not reached by this network")
    )

# %% [markdown]
# ## A promise that is kept
#
# How much accuracy can a threshold cost on images that nobody has seen? `calibrate` learns, then tests: a few rows put
# policies into an order from safe to bold, the others test them in that order and stop at the first that fails. The
# loss of a row is $1$ where the whole network is right and the policy wrong, $-1$ the other way round, so that an exact
# test can be computed. The promise: with 95 % confidence the mean loss over all images is at most `max_accuracy_drop`.

# %%
policy = calibrate(net, validation, Margin, max_accuracy_drop=0.03, confidence=0.95)
print(policy.certificate)
kept = net.predict(test[0], policy)
lost = (net(test[0])[-1].argmax(1) == test[1]).double() - (kept.logits.argmax(1) == test[1]).double()
print(f"on the test images: {100 * lost.mean():+.2f} points lost, {kept.macs.double().mean() / whole:.0%} of the MACs")

# %% [markdown]
# It refuses images that the network was trained on, since everything looks safe there:

# %%
try:
    calibrate(net, train, Margin, max_accuracy_drop=0.03)
except ValueError as error:
    print(error)
else:
    raise AssertionError("training images should be refused")

# %% [markdown]
# ## Early exit, or a smaller network?
#
# A smaller network is cheaper for every image; early exit is cheaper for easy ones. Train one of half the channels, for
# as many epochs, and put it into the picture: is its point above or below the line?

# %%
small = EarlyExit(create_model("cifar_resnet18", width=4, in_channels=1, num_classes=10, seed=0), ["layer3"], 10)
fit_exits(small, train, mode="joint", config=FitConfig(epochs=6, precision="fp32"), batch_size=64)
with torch.no_grad():
    right = (small(test[0])[-1].argmax(1) == test[1]).double().mean()
share = count_macs(small.backbone, test[0][:1]).total / whole
print(f"half the channels: {right:.1%} right for {share:.0%} of the MACs")

# %% [markdown]
# ## Try it
#
# 1. Take `Entropy` or `Patience` instead of `Margin`. Does the frontier move?
# 2. Ask `calibrate` for `max_accuracy_drop=0.005`. What does the certificate say, and why?
# 3. Write the loop that drops finished rows, and its MACs: exercises 12 and 13 in `docs/exercises`.
