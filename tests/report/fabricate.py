"""A made-up result of an early-exit study on CIFAR-10, with all that a report must be able to show.

The numbers are invented, but of the size and shape of real ones; nothing here was measured.
"""

import base64
import io
import math

import numpy as np
from PIL import Image

from shoal.studies.result import Claim, Picture, Result, Table
from shoal.studies.story import Formula, Headline, Story

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
LONG = "articulated lorry with a trailer (British usage), seen from behind"  # a class name as some data sets have
UNBREAKABLE = "n02099601_golden_retriever_with_collar_and_a_long_identifier"  # and a name of one long word
EXITS = ("exit 1", "exit 2", "exit 3", "exit 4", "exit 5", "exit 6", "the end")
MMACS = (61.2, 137.4, 213.5, 289.9, 365.8, 441.6, 557.1)
ACCURACY = (61.34, 74.92, 83.08, 88.71, 91.63, 93.02, 93.71)
COMMAND = "shoal study exits --data cifar10 --budget default --seed 1 --output runs/exits-2026-05-04"


def fabricate(study: str = "exits") -> Result:
    """A whole result, the same every time."""
    return Result(
        study=study,
        title="How early can a network stop?",
        summary=(
            "On CIFAR-10, a ResNet-18 with seven exits answers 93.58 % of the test images right and spends "
            "231.4 million multiply–accumulates on an average image: 2.41 times fewer than the plain network, which is "
            "right on 93.71 %.",
            "Six images of ten leave at the third exit or before. The saving shows on the clock at batch 1 "
            "(2.06× faster) but less at batch 128 (1.52×), where finished rows are dropped after each exit.",
            "Below 120 million multiply–accumulates a narrower network of the same family is the better choice.",
        ),
        command=COMMAND,
        settings={
            "data": "cifar10",
            "network": "resnet18",
            "width": 64,
            "exits": ["layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer3.0", "layer3.1"],
            "mode": "joint",
            "loss_weights": [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0],
            "epochs": 9.9,
            "batch_size": 1024,
            "learning_rate": 0.0107,
            "weight_decay": 0.0000153,
            "max_accuracy_drop": 0.005,
            "confidence": 0.95,
            "policy": {"name": "confidence", "temperature": 1.31},
            "augment": True,
        },
        environment={
            "machine": {
                "processor": "AMD EPYC 7B13",
                "cores": 2,
                "threads": 2,
                "memory_gb": 7.8,
                "system": "Linux x86_64",
            },
            "versions": {"python": "3.11.7", "shoal": "0.1.0", "torch": "2.13.0", "numpy": "2.4.6"},
            "commit": "4f1c2ab",
            "seed": 1,
            "device": "cpu",
            "device_why": "no accelerator was found",
        },
        data={
            "name": "CIFAR-10",
            "source": "binary release of 2009, checksums verified",
            "training": 45000,
            "calibration": 5000,
            "test": 10000,
            "better data": "none needed; ImageNet-1k can be used with --data PATH",
        },
        claims=_claims(),
        tables=(_per_exit(), _comparison()),
        pictures=(_losses(), _frontier(), _times(), _exits_taken(), _shares(), _confusions(), _passages(), _gallery()),
        seconds={
            "load": 0.84,
            "train_the_plain_network": 118.2,
            "train_with_exits": 131.7,
            "calibrate": 3.1,
            "test": 9.6,
        },
        notes={
            "who": "A. Student, with B. Neighbour",
            "resources": "one laptop-class machine with 2 cores; the CIFAR-10 binary release",
            "time spent": "about 3 hours, of which 4 minutes of computing",
            "remarks": "The first run used thresholds tuned on the test set; it was thrown away and repeated with a "
            "calibration split, which cost 0.1 points of accuracy.",
        },
        headline=Headline(
            sentence="Six images of ten leave at the third exit or before, and next to nothing is lost.",
            value="41.5 %",
            what="of the plain network's arithmetic",
            picture="frontier",
        ),
        story=_story(),
        evidence={
            "halves_the_macs": ("frontier", "comparison"),
            "keeps_the_accuracy": ("per_exit", "frontier"),
            "saves_time": ("times",),
        },
    )


def fabricate_small() -> Result:
    """A second study with the least that a result can hold and one contradicted claim."""
    return Result(
        study="attention",
        title="Linear attention: what the kernel costs",
        summary=("The kernel estimate is unbiased; its error falls as one over the square root of the features.",),
        command="shoal study attention",
        claims=(
            Claim(
                id="always_faster",
                sentence="Linear attention is faster than softmax attention at every length.",
                measured="At 256 tokens it takes 3.1 times as long; the lines cross at 1,900 tokens.",
                effect=0.32, low=0.30, high=0.34, bound=1.0, direction="above", unit="×",
            ),
        ),
    )  # fmt: skip


def _story() -> Story:
    return Story(
        asked=("Is the end of a network needed for every image, or for some?", "And what does it cost to find out?"),
        done=("Seven exits were trained jointly; thresholds were chosen on images that were held out.",),
        means=("Depth is spent where it is needed: on these images, rarely.",),
        changes=("A narrower network, or images that are all alike.",),
        formulas=(
            Formula(
                latex=r"\mathrm{softmax}(z)_i = \frac{e^{z_i / T}}{\sum_{j=1}^{C} e^{z_j / T}}",
                says="the softmax of the logits, divided by a temperature",
            ),
            Formula(
                latex=r"\mathbb{E}\left[\lVert \hat{y} - y \rVert_2^2\right] \le \varepsilon "
                r"\quad \Longrightarrow \quad \mathrm{MACs} = \sum_{k=1}^{K} p_k \sum_{l \le k} m_l < "
                r"\frac{1}{2} \sum_{l=1}^{K} m_l \quad \mathrm{for\ all} \quad k \in \{1, \dots, K\}",
                says="where the expected square error is at most epsilon, the mean arithmetic is less than half",
            ),
        ),
    )


def _claims() -> tuple[Claim, ...]:
    return (
        Claim(
            id="halves_the_macs",
            sentence="Stopping early halves the arithmetic: mean MACs are at most half of the plain network's.",
            measured="231.4 M MACs an image on average against 557.1 M: 2.41 times fewer, heads included.",
            effect=0.41537, low=0.41021, high=0.42066, bound=0.5, direction="below", unit="of the plain MACs",
        ),
        Claim(
            id="keeps_the_accuracy",
            sentence="Stopping early costs at most 0.5 points of accuracy against a plain network of the same layers.",
            measured="93.58 % of the test images right, against 93.71 %.",
            effect=-0.13, low=-0.41, high=0.15, bound=-0.5, direction="above", unit="points",
        ),
        Claim(
            id="saves_time",
            sentence="MACs that are saved are time that is saved: the speed-up is at least 80 % of the ratio of MACs.",
            measured="1.52 times faster at batch 128 for 2.41 times fewer MACs (median of 21 paired timings).",
            effect=0.631, low=0.602, high=0.655, bound=0.8, direction="above", unit="of the MACs ratio",
        ),
        Claim(
            id="exit_agrees_with_prediction_depth",
            sentence="The exit that an image takes agrees with its prediction depth.",
            measured="Rank correlation over 10,000 test images, by k-NN probes at nine layers.",
            effect=0.52, low=0.46, high=0.57, bound=0.5, direction="above",
        ),
        Claim(
            id="difficulty_is_in_the_image",
            sentence="Difficulty lies in the image: two networks from different seeds agree on which images are hard.",
            measured="Rank agreement of 0.71 between two seeds, on the same 2,000 images.",
            effect=0.71, low=0.68, high=0.74, bound=0.3, direction="above",
            unsettled="the network has not converged, validation accuracy still gains 1.2 points over the last fifth",
        ),
        Claim(
            id="heads_are_free",
            sentence="The exit heads cost next to nothing.",
            measured="7,690 MACs a head, 0.0000138 of the network.",
            effect=1.38e-5, low=1.38e-5, high=1.38e-5, bound=0.01, direction="below",
        ),
    )  # fmt: skip


def _losses() -> Picture:
    rows = []
    for name, floor, speed in (("plain", 0.62, 2.6), ("with exits", 0.74, 2.3)):
        for part, gap in (("training", 0.0), ("validation", 0.11)):
            for step in range(0, 441, 8):
                wobble = 0.02 * math.sin(step * (1.7 if part == "training" else 0.9)) * (1 if step > 8 else 0)
                loss = floor + (2.3 - floor) * math.exp(-speed * step / 200) + gap * step / 440 + wobble
                row = {"x": step, "y": loss, "series": f"{name}, {part}"}
                if part == "validation":
                    row |= {"low": loss - 0.05, "high": loss + 0.05}
                rows.append(row)
    note = "The band is the 95 % interval of the mean over the validation images."
    return Picture(
        id="losses", title="Both networks learn, and neither overfits", kind="lines", rows=tuple(rows),
        x="optimiser step", y="mean cross-entropy, nats", note=note,
    )  # fmt: skip


def _frontier() -> Picture:
    rows = []
    for i in range(40):
        macs = 70 + 11 * i
        accuracy = 93.75 - 31 * math.exp(-(macs - 55) / 62)
        rows.append({"x": macs, "y": accuracy, "series": "early exit", "low": accuracy - 0.5, "high": accuracy + 0.5})
    rows += [
        {
            "x": 231.4,
            "y": 93.58,
            "series": "operating point",
            "mark": "point",
            "label": "calibrated: 93.58 % at 231 MMACs",
        },
        {"x": 557.1, "y": 93.71, "series": "plain network", "mark": "point", "label": "ResNet-18, plain"},
        {"x": 36.1, "y": 84.2, "series": "narrower networks", "mark": "point", "label": "width 16"},
        {"x": 140.9, "y": 90.6, "series": "narrower networks", "mark": "point", "label": "width 32"},
    ]
    return Picture(
        id="frontier", title="Accuracy against arithmetic", kind="lines", rows=tuple(rows),
        x="mean MACs an image, millions", y="test accuracy, %",
        note="Each point of the line is one threshold, chosen without the test images.",
    )  # fmt: skip


def _times() -> Picture:
    rows = []
    for batch, scale in ((1, 10.4), (32, 4.1), (128, 3.3)):
        for share in (0.2, 0.3, 0.42, 0.6, 0.8, 1.0):
            time = scale * (0.12 + 0.88 * share ** (0.8 if batch > 1 else 1))
            accuracy = 93.75 - 31 * math.exp(-(557 * share - 55) / 62)
            rows.append({"x": time, "y": accuracy, "series": f"batch {batch}"})
    return Picture(
        id="times", title="Accuracy against time", kind="lines", rows=tuple(rows), log_x=True,
        x="milliseconds an image, median of 21", y="test accuracy, %",
    )  # fmt: skip


def _exits_taken() -> Picture:
    rows = []
    for i, name in enumerate((*CLASSES[:-1], LONG)):
        weights = [math.exp(-(((e - (1.2 + 0.35 * ((i * 7) % 10))) / 1.7) ** 2)) for e in range(7)]
        counts = [round(1000 * weight / sum(weights)) for weight in weights]
        rows += [{"x": name, "y": count, "series": exit_} for exit_, count in zip(EXITS, counts, strict=True)]
    return Picture(
        id="exits_taken", title="Which exit each class takes", kind="bars", rows=tuple(rows),
        x="class", y="test images",
        note="A thousand test images a class, from the first exit to the end of the network.",
    )  # fmt: skip


def _shares() -> Picture:
    rows = tuple(
        {"x": exit_, "y": value, "low": value - 1.4, "high": value + 1.4}
        for exit_, value in zip(EXITS, (98.9, 97.8, 96.4, 93.9, 89.2, 83.0, 71.5), strict=True)
    )
    return Picture(
        id="shares", title="Those who leave late are wrong more often", kind="bars", rows=rows,
        x="exit taken", y="right, % of those that leave there", note="Whiskers are 95 % intervals.",
    )  # fmt: skip


def _confusions() -> Picture:
    rows = []
    for i, true in enumerate(CLASSES):
        for j, said in enumerate(CLASSES):
            near = math.exp(-abs(i - j) / 1.5)
            value = 0.937 - 0.012 * (i % 5) if i == j else 0.03 * near + 0.00004 * ((i * j) % 7)
            rows.append({"x": said, "y": true, "value": round(value, 3)})
    return Picture(
        id="confusions", title="What is taken for what", kind="heatmap", rows=tuple(rows), x="answered", y="true class"
    )


def _gallery() -> Picture:
    rows = []
    for group, noise in (("Leave at the first exit", 10), ("Go to the very end", 70)):
        for i in range(12):
            name = UNBREAKABLE if i == 3 else CLASSES[(i * 3) % 10]
            rows.append(
                {"image": tiny_png(i, noise), "caption": f"{name}, {0.99 - 0.004 * i * noise / 10:.2f}", "group": group}
            )
    return Picture(
        id="first_and_last", title="Images that leave first and last", kind="gallery", rows=tuple(rows),
        note="The answer and its confidence stand below each image.",
    )  # fmt: skip


def _passages() -> Picture:
    texts = ("A small program that counts fish in a river by night.", f"Reads {UNBREAKABLE} and writes it again.")
    rows = tuple({"text": text, "said": (("by people", text[:20]), ("4 beams", text[2:30]))} for text in texts)
    return Picture(id="summaries", title="Summaries of texts", kind="passages", rows=rows)


def tiny_png(seed: int, noise: float) -> str:
    """A generated 32 × 32 image, as base64: a disc before a gradient, under more or less noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:32, 0:32]
    back, front = rng.uniform(60, 220, (2, 3))
    disc = ((x - rng.uniform(12, 20)) ** 2 + (y - rng.uniform(12, 20)) ** 2 < rng.uniform(50, 120))[..., None]
    picture = np.where(disc, front, back * (0.6 + 0.4 * y[..., None] / 31)) + rng.normal(0, noise, (32, 32, 3))
    buffer = io.BytesIO()
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _per_exit() -> Table:
    rows = tuple(
        (name, macs, accuracy, 1e4 * math.exp(-i / 1.6) / 2.4, 0.0021 * 3**i if i < 6 else None)
        for i, (name, macs, accuracy) in enumerate(zip(EXITS, MMACS, ACCURACY, strict=True))
    )
    columns = ("exit", "MMACs to here", "accuracy of all images, %", "images that leave here", "ECE after temperature")
    return Table(
        id="per_exit", title="Every exit, asked about every test image", columns=columns, rows=rows,
        note="The end has no temperature of its own.",
    )  # fmt: skip


def _comparison() -> Table:
    return Table(
        id="comparison",
        title="The plain network and the early-exit network",
        columns=(
            "network",
            "accuracy, %",
            "MACs an image",
            "ms, batch 1",
            "ms, batch 128",
            "parameters",
            "heads' share",
            "p",
        ),
        rows=(
            ("ResNet-18, plain", 93.71, 557100000, 10.4, 3.31, 11173962, None, None),
            ("ResNet-18, seven exits, calibrated", 93.58, 231400000, 5.05, 2.18, 11183450, 0.0000138, 3.1e-9),
            ("ResNet-18, seven exits, never leaving", 93.69, 557107690, 10.6, 3.35, 11183450, 0.0000138, 0.71),
        ),
    )
