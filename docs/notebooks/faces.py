"""Lesson: faces as points, triplets, thresholds, and a new model that the old one understands.

The source of faces.ipynb; `python docs/notebooks/build.py` converts it.
"""

# %% [markdown]
# # Faces as points on a sphere
#
# FaceNet turns a face into 128 numbers so that the distance of two such points says whether they are the same person.
# No photo of anybody is needed to see how: here faces are drawn, each person with a shape of their own, each image with
# another light, position and expression. The lesson mines triplets, trains a network, chooses a threshold, and ends
# with the question that every gallery meets: what happens to it when the network is replaced?

# %%
import altair as alt
import torch
from PIL import Image, ImageDraw

from shoal.data.faces import FaceSet, split_faces
from shoal.faces import (
    FacesConfig,
    TripletLoss,
    cluster,
    cluster_scores,
    compare_networks,
    compatibility,
    create_network,
    embed,
    fit_faces,
    fit_translation,
    mine_semi_hard,
    threshold_at,
    verification,
)

alt.renderers.enable("svg")  # drawn here, without a network
torch.set_num_threads(1)

# %% [markdown]
# ## Drawn people

# %%
SIDE = 32


def draw_face(person: torch.Tensor, generator: torch.Generator) -> Image.Image:
    """One image of somebody: six numbers in [0, 1] are the person, the rest is chance."""
    width, eyes, nose, mouth, skin, hair = person.tolist()
    dx, dy, smile, light = (2 * torch.rand(4, generator=generator) - 1).tolist()
    shade = lambda r, g, b: tuple(round(min(255, max(0, c * (1 + 0.25 * light)))) for c in (r, g, b))
    picture = Image.new("RGB", (4 * SIDE, 4 * SIDE), shade(90, 110, 130))
    pen = ImageDraw.Draw(picture)
    x, y, half = 64 + 5 * dx, 66 + 5 * dy, 30 + 18 * width
    pen.ellipse((x - half - 5, y - 56, x + half + 5, y + 30), fill=shade(40 + 150 * hair, 30 + 90 * hair, 20))
    pen.ellipse((x - half, y - 44, x + half, y + 52), fill=shade(120 + 110 * skin, 80 + 110 * skin, 60 + 100 * skin))
    for side in (-1, 1):
        at = x + side * (10 + 14 * eyes)
        pen.ellipse((at - 5, y - 16, at + 5, y - 7), fill=shade(20, 20, 30))
    pen.line((x, y - 4, x, y + 4 + 14 * nose), fill=shade(70, 40, 30), width=4)
    wide = 8 + 16 * mouth
    bend = 6 * smile
    for i in range(12):
        from_, to = (i / 12 * 2 - 1, (i + 1) / 12 * 2 - 1)
        curve = [(x + wide * t, y + 34 + bend * (0.5 - t * t)) for t in (from_, to)]
        pen.line(curve, fill=shade(120, 30, 40), width=5)
    return picture.resize((SIDE, SIDE), Image.Resampling.BOX)


def draw_people(people: int, images: int, seed: int) -> FaceSet:
    """So many people, with so many images each."""
    generator = torch.Generator().manual_seed(seed)
    drawn, labels = [], []
    for number in range(people):
        person = torch.rand(6, generator=generator)
        for _ in range(images):
            pixels = torch.frombuffer(bytearray(draw_face(person, generator).tobytes()), dtype=torch.uint8)
            drawn.append(pixels.view(SIDE, SIDE, 3).permute(2, 0, 1))
            labels.append(number)
    return FaceSet(
        name="drawn people",
        images=torch.stack(drawn),
        labels=torch.tensor(labels),
        people=tuple(f"person {i}" for i in range(people)),
        names=tuple(f"{i}.png" for i in range(len(labels))),
        source="drawn in this notebook",
    )


faces = draw_people(people=60, images=8, seed=0)
sheet = torch.cat([torch.cat(list(faces.images[8 * i : 8 * i + 8]), 2) for i in range(4)], 1).permute(1, 2, 0)
Image.fromarray(sheet.contiguous().numpy()).resize((8 * SIDE * 3, 4 * SIDE * 3))

# %% [markdown]
# Each row is a person. People to learn from and people to report on must be different ones: the question is whether
# the distance means anything for somebody whom the network has never seen.

# %%
splits = split_faces(faces, test=0.4, pairs=300, seed=0)
splits

# %% [markdown]
# ## The triplet loss
#
# An anchor $a$, another image $p$ of the same person and an image $n$ of somebody else should satisfy
# $|a-p|^2 + \alpha < |a-n|^2$. The loss is what is missing:
#
# $$L = \sum \big[\,|a-p|^2 - |a-n|^2 + \alpha\,\big]_+ .$$
#
# How many triplets are there? With $n$ images of each of $P$ people, $Pn\,(n-1)\,(P-1)n$. It grows with the third power
# of the data, and most of them teach nothing:

# %%
for people, images in ((60, 8), (600, 8), (8_000, 25)):
    count = people * images * (images - 1) * (people - 1) * images
    print(f"{people:5} people with {images:2} images: {count:.1e} triplets")

network = create_network("compact", embedding_dim=32, seed=0)
embeddings, labels = embed(network, splits.train.images), splits.train.labels
for mining in ("all", "semi-hard", "hardest", "random"):
    loss = TripletLoss(margin=0.2, mining=mining)
    loss(embeddings, labels)
    monitor = loss.monitor
    print(
        f"{mining:10} {monitor.triplets:8,} triplets: {monitor.satisfied:5.0%} satisfied, "
        f"{monitor.semi_hard:5.0%} semi-hard, {monitor.hard:5.0%} hard"
    )

# %% [markdown]
# **Semi-hard** negatives are farther away than the positive, but inside the margin: hard enough to teach, and not so
# hard that the easiest way out is to put everybody onto one point. One for each pair of anchor and positive:

# %%
triplets = mine_semi_hard(embeddings, labels)
a, p, n = embeddings[triplets.anchor], embeddings[triplets.positive], embeddings[triplets.negative]
near, far = (a - p).square().sum(1), (a - n).square().sum(1)
print(f"{len(triplets):,} triplets; the negative is the farther one in {(far > near).double().mean():.1%} of them")

# %% [markdown]
# ## Training


# %%
def train(seed: int, data: FaceSet, epochs: int) -> torch.nn.Module:
    """A network for faces, from triplets."""
    network = create_network("compact", embedding_dim=32, seed=seed)
    fit_faces(
        network,
        data,
        FacesConfig(
            minutes=0, epochs=epochs, embedding_dim=32, identities=12, per_identity=8, seed=seed, precision="fp32"
        ),
    )
    return network


def verify(embeddings: torch.Tensor):
    """Accuracy and more, on pairs of the people who are kept apart."""
    pairs = splits.test_pairs
    return verification(embeddings[pairs.a], embeddings[pairs.b], pairs.same, fold=pairs.fold, far=(0.01, 0.1))


before = verify(embed(network, splits.test.images))
old_network = train(seed=1, data=splits.train, epochs=6)
old = embed(old_network, splits.test.images)
print("before:", before)
verify(old)

# %% [markdown]
# ## Which distance means "one person"?
#
# A threshold is not a constant of nature: it depends on the network and on how often strangers may be taken for one
# another. Given distances of strangers, `threshold_at` finds it with an interval, or refuses where they are too few.

# %%
pairs = splits.test_pairs
distances = (old[pairs.a] - old[pairs.b]).square().sum(1)
rows = [
    {"distance": float(d), "pairs of": "one person" if s else "two people"}
    for d, s in zip(distances, pairs.same, strict=True)
]
threshold = threshold_at(0.05, distances[~pairs.same])
print(threshold)
histogram = (
    alt.Chart(alt.Data(values=rows), title="Squared distances of people whom the network has never seen")
    .mark_bar(opacity=0.6)
    .encode(
        x=alt.X("distance:Q", bin=alt.Bin(maxbins=40)),
        y=alt.Y("count():Q", stack=None, title="pairs"),
        color="pairs of:N",
    )
)
histogram + alt.Chart(alt.Data(values=[{"at": threshold.value}])).mark_rule(strokeWidth=2).encode(x="at:Q")

# %%
try:
    threshold_at(1e-4, distances[~pairs.same])
except ValueError as error:
    print(error)

# %% [markdown]
# ## What emerges: clusters
#
# Nobody told the network to make clusters. Distances that say who is who make them, under the same threshold:

# %%
found = cluster(old, threshold=threshold.value)
cluster_scores(found, splits.test.labels)

# %% [markdown]
# ## A new network, an old gallery
#
# Another network, trained better, puts faces elsewhere: its points and the old ones do not compare. Embedding everybody
# again is one way out, if all photos were kept. A linear map from new to old is the simple other one; *harmonic*
# training (`fit_harmonic`) teaches the new network to agree with the old points, and is what the paper does.

# %%
new_network = train(seed=2, data=splits.train, epochs=6)
new = embed(new_network, splits.test.images)
translation = fit_translation(embed(new_network, splits.train.images), embed(old_network, splits.train.images))


def compare(new: torch.Tensor):
    """Within and across generations."""
    return compatibility(new[pairs.a], new[pairs.b], old[pairs.a], old[pairs.b], pairs.same, pairs.fold, far=())


print("as it is:   ", compare(new))
print("translated: ", compare(translation(new)))
assert compare(translation(new)).new_old.accuracy > compare(new).new_old.accuracy

# %% [markdown]
# ## The paper's networks
#
# Two families: NN1 after Zeiler and Fergus, with its weights in fully connected layers, and NN2 to NN4 of inception
# blocks, with a twentieth of the parameters. (Without names, `compare_networks` counts all of them.)

# %%
compare_networks(["nn1", "nn4", "compact"])

# %% [markdown]
# ## Try it
#
# 1. Train with `mining="hardest"`. What does the network do, and what does the library say?
# 2. Draw 200 people instead of 60. How does accuracy on new people change?
# 3. Write the loss, the mining, the threshold and the harmonic triplets: exercises 14 to 16 in `docs/exercises`.
