"""Lesson: at which depth a network settles an example, and which labels are wrong.

The source of difficulty.ipynb; `python docs/notebooks/build.py` converts it.
"""

# %% [markdown]
# # How hard is an example?
#
# A deep network turns an image into an answer step by step. For some images the answer is clear after a few layers,
# others keep it busy to the end. This lesson looks inside with k-nearest-neighbour probes, finds the *prediction depth*
# of every image (Baldock, Maennel & Neyshabur 2021), asks what makes images hard, and uses the same idea to find labels
# that are wrong.

# %%
import altair as alt
import torch
from PIL import Image
from scipy.stats import spearmanr

from shoal.data import load
from shoal.difficulty import difficulty_scores, find_label_errors, prediction_depth
from shoal.engine import FitConfig, as_batches, fit
from shoal.measure import mean_interval, proportion_interval, record
from shoal.nets import create_model

alt.renderers.enable("svg")  # drawn here, without a network
torch.set_num_threads(1)

# %% [markdown]
# ## A network that has converged
#
# scikit-learn's digits are small enough to train on in seconds. Depth is asked of a network that has *finished*
# learning: of one that has not, hard often only means "not learned yet".

# %%
digits = load("digits", validation=0.1)
x_train, y_train = digits.normalise(digits.train.images), digits.train.labels
x_test, y_test = digits.normalise(digits.test.images), digits.test.labels


def train(labels: torch.Tensor, seed: int = 0) -> torch.nn.Module:
    """A small ResNet, taught these labels."""
    model = create_model("cifar_resnet18", width=8, in_channels=1, num_classes=10, seed=seed)
    config = FitConfig(epochs=6, precision="fp32", seed=seed)
    fit(model, as_batches((x_train, labels), batch_size=64, seed=seed), config=config)
    return model


model = train(y_train)
accuracy = float((model(x_test).argmax(1) == y_test).double().mean())
print(f"{digits}; {accuracy:.1%} of the test images are right")
assert accuracy > 0.9

# %% [markdown]
# ## Looking inside with hooks
#
# A forward hook is a function that PyTorch calls with the output of a layer whenever that layer runs. Without hooks one
# would have to rewrite the network so that it returns what is inside. `record` sets them, and takes them off again:

# %%
with record(model, ["layer1", "layer3"]) as recording, torch.no_grad():
    model(x_test[:4])
for name in recording.layers:
    print(name, tuple(recording[name].shape))

# %% [markdown]
# ## Probes and depth
#
# At the input, at layers and at the softmax stands a probe: the 30 nearest *training* images in that space vote for
# their labels. No probe is trained, so that nothing is added to what the layer knows. An image has depth $l$ if probe
# $l-1$ disagrees with the network's answer and every probe from $l$ on agrees with it. For training images each is left
# out of its own neighbours, else the input probe would know all of them.

# %%
found = prediction_depth(model, (x_train, y_train), (x_test, y_test))
print(found)
rows = [{"depth": depth} for depth in found.depth.tolist()]
histogram = (
    alt.Chart(alt.Data(values=rows), title="How deep test images go", width=300)
    .mark_bar()
    .encode(x=alt.X("depth:O", title="prediction depth"), y=alt.Y("count():Q", title="images"))
)
probes = [
    {"probe": f"{number} {name}", "accuracy": 100 * value}
    for number, (name, value) in enumerate(zip(found.layers, found.probe_accuracy.tolist(), strict=True))
]
accuracies = (
    alt.Chart(alt.Data(values=probes), title="How often each probe is right", width=300)
    .mark_line(point=True)
    .encode(x=alt.X("probe:N", sort=None, title=""), y=alt.Y("accuracy:Q", title="%", scale=alt.Scale(zero=False)))
)
histogram | accuracies

# %% [markdown]
# Most images are settled early: digits look like digits of their kind, and neighbours in early layers already agree.
# That is why early exits pay. These images are nearly all answered right, so that they cannot show whether depth says
# how far an answer can be trusted. Make the same images harder with noise:

# %%
generator = torch.Generator().manual_seed(0)
noisy = x_test + torch.randn(x_test.shape, generator=generator)
harder = prediction_depth(model, (x_train, y_train), (noisy, y_test))
deeper = harder.soft_depth.double() - found.soft_depth.double()
print(f"noise makes the same images go deeper, by {mean_interval(deeper)} in soft depth")
right = harder.predicted == y_test
for name, group in (("depth 0 or 1", harder.depth <= 1), ("deeper", harder.depth > 1)):
    share = proportion_interval(int(right[group].sum()), int(group.sum()))
    print(f"{name:12} {int(group.sum())} images, right: {share:.1%}")

# %% [markdown]
# ## What do hard images look like?
#
# The easiest above, the hardest below. Depth counts whole layers; `soft_depth` counts the votes that go elsewhere and
# tells images of one depth apart.

# %%
order = found.soft_depth.argsort()
framed = torch.nn.functional.pad(digits.test.images[:, 0], (1, 1, 1, 1), value=128)
sheet = torch.cat([torch.cat(list(framed[rows]), 1) for rows in (order[:12], order[-12:])])
Image.fromarray(sheet.numpy()).resize((sheet.shape[1] * 6, sheet.shape[0] * 6), Image.Resampling.NEAREST)

# %% [markdown]
# Other scores of difficulty agree in part; here on the noisy images. Each says which way is harder:

# %%
scores = difficulty_scores(harder)
for name in scores:
    agreement = spearmanr(scores.harder(name), harder.soft_depth).statistic
    print(f"{name:16} rank correlation with the soft depth {agreement:+.2f}")

# %% [markdown]
# ## Which labels are wrong?
#
# A wrong label is what all probes of a network agree against. Give 5 % of the training images a wrong one, train on
# them as if nothing had happened, and rank:

# %%
generator = torch.Generator().manual_seed(0)
wrong = torch.rand(len(y_train), generator=generator) < 0.05
shift = torch.randint(1, 10, (len(y_train),), generator=generator)
spoiled = torch.where(wrong, (y_train + shift) % 10, y_train)

issues = find_label_errors(train(spoiled, seed=1), (x_train, spoiled))
first = issues.ranked[: int(wrong.sum())]
caught = float(wrong[first].double().mean())
mended = float((issues.suggested[first] == y_train[first]).double().mean())
print(f"{int(wrong.sum())} labels are wrong; of as many at the top of the ranking {caught:.0%} are.")
print(f"{mended:.0%} of the classes suggested there are the true ones.")
assert caught > 0.8

# %% [markdown]
# ## Try it
#
# 1. Train for one epoch instead of six. Does the histogram move? Do the hard images stay the same ones?
# 2. Take off half of the contrast (`0.5 * x_test`) in place of the noise. How much deeper do images go?
# 3. Write the recorder, the probe and the depth yourself: exercises 09 to 11 in `docs/exercises`.
