"""Made-up measurements of the study of faces, in which every claim is supported."""

from dataclasses import replace
from typing import Any

from shoal.studies.faces_alterations import ALTERATIONS
from shoal.studies.faces_checked import Checked
from shoal.studies.faces_measured import Measured, Training
from shoal.studies.faces_measured_parts import (
    Altered,
    Batch,
    Clustered,
    Generations,
    Layer,
    Network,
    Promised,
    Rates,
    SetSize,
    Shown,
)

SPREAD = (-0.02, 0.01, 0.0, 0.02, -0.01)  # of the parts, which all networks share


def checked(accuracy: float, wobble: float = 0.002) -> Checked:
    """Accuracy in five parts; what networks do not share is small."""
    parts = [accuracy + part + (wobble if i % 2 else -wobble) for i, part in enumerate(SPREAD)]
    return Checked(parts=parts, auc=min(1.0, accuracy + 0.05))


def training(*, collapsed: str = "", images: int = 8000, dim: int = 128, looks: int = 12) -> Training:
    """Some looks at a training, one an epoch."""
    rows = [
        {
            "phase": "triplets",
            "step": 10 * at,
            "epoch": float(at),
            "seconds": 5.0 * at,
            "train_loss": 0.2 / at,
            "validation_loss": 0.2 / at,
            "validation_accuracy": 0.5 + 0.02 * at,
            "seen_loss": 0.1 / at,
            "held_back_loss": 0.15 / at,
            "satisfied": 0.05 * at,
            "semi_hard": 0.3,
            "hard": 0.1,
            "mean_same": 1.0 / at,
            "mean_different": 1.0,
        }
        for at in range(1, looks + 1)
    ]
    return Training(
        rows=rows, seconds=60.0, precision="fp32", collapsed=collapsed, images=images, people=images // 2, dim=dim
    )


def clustered(f: float) -> Clustered:
    """Four groups."""
    return Clustered(f=[f - 0.01, f, f, f + 0.01], trivial=[0.3] * 4, purity=0.9, pairwise_f=f, clusters=40)


def altered(f: float = 0.68) -> Altered:
    """By whatever it is."""
    return Altered(
        moved=[0.1, 0.09, 0.11],
        same=[0.6, 0.58, 0.62],
        different=[1.5, 1.4, 1.6],
        checked=checked(0.8),
        clustered=clustered(f),
    )


def generations(number: int = 0) -> Generations:
    """Harmonic training does all that is hoped for."""
    more = 0.001 * number
    return Generations(
        old=checked(0.75 + more),
        new=checked(0.85 + more),
        plain=checked(0.51 + more, 0.004),
        ridge=checked(0.78 + more),
        harmonic=checked(0.81 + more, -0.002),
        harmonic_new=checked(0.86 + more),
        penalty=0.1,
    )


def batch(rows: float = 360.0) -> Batch:
    """Nearly all triplets are satisfied after training."""
    return Batch(
        identities=45,
        per_identity=8,
        rows=rows,
        pairs=1000.0,
        triplets=[300_000, 310_000, 290_000],
        before=[0.5, 0.52, 0.48],
        after=[0.1, 0.12, 0.11],
        mined=[0.8, 0.81, 0.79],
    )


def measured(**changes: Any) -> Measured:
    """All of it; name what is to be otherwise."""
    trained = {name: training() for name in ("network", "recipe", "semi-hard", "random", "classification")}
    trained["hardest"] = training(collapsed="training has collapsed: over the last 50 batches …")
    trained |= {f"{dim} numbers": training(dim=dim) for dim in (32, 512)}
    trained |= {f"{share} % of the people": training(images=80 * share) for share in (25, 50)}
    accuracies = {
        "network": 0.88,
        "mirrored": 0.89,
        "recipe": 0.84,
        "semi-hard": 0.75,
        "random": 0.7,
        "classification": 0.72,
        "hardest": 0.5,
        "32 numbers": 0.73,
        "512 numbers": 0.752,
        "25 % of the people": 0.65,
        "50 % of the people": 0.72,
        "untrained": 0.6,
        "pixels": 0.58,
    }
    sizes = [
        SetSize(people=people, images=2.0 * people, pairs=6.0 * people, triplets=6.0 * 10_000 * people**2)
        for people in (100, 200, 400)
    ]
    found = Measured(
        are_faces=True,
        trainings=trained,
        checked={name: checked(accuracy) for name, accuracy in accuracies.items()},
        apart={
            "semi-hard": [1.5, 1.4, 1.6, 1.5, 1.5],
            "hardest": [0.01, 0.012, 0.01, 0.011, 0.01],
            "random": [0.5, 0.4, 0.6, 0.5, 0.5],
            "untrained": [0.3, 0.3, 0.3, 0.3, 0.3],
        },
        rates=Rates(
            fpr=[0.0, 0.1, 1.0],
            tpr=[0.0, 0.8, 1.0],
            fars=[1e-3, 1e-2, 1e-1],
            val=[[0.1, 0.3, 0.7], [0.12, 0.35, 0.75], [0.11, 0.3, 0.72]],
            images=700.0,
        ),
        promised=Promised(far=0.01, refused="", value=0.5, accepted=[0.002, 0.001, 0.003], pairs=3000, kept=0.4),
        dims=[(32, "32 numbers"), (128, "semi-hard"), (512, "512 numbers")],
        shares=[(2000, "25 % of the people"), (4000, "50 % of the people"), (8000, "semi-hard")],
        generations=tuple(map(generations, range(3))),
        jpeg={10: checked(0.8), 50: checked(0.879), 90: checked(0.88)},
        sides={16: checked(0.7), 32: checked(0.85)},
        side=64,
        set_sizes=tuple(sizes),
        batches=(batch(40.0), batch()),
        mined_from=(45, 8),
        threshold=0.9,
        clustered=clustered(0.7),
        control=clustered(0.32),
        grouped="4 groups of people",
        faces=400,
        persons=50,
        altered={name: altered() for name in ALTERATIONS},
        unaltered=altered(0.7),
        layers=(Layer(network="nn1", name="conv1", parameters=9472, flops=1, printed=["9K", "1M"], same=True),) * 27,
        networks=tuple(
            Network(name=name, image="224 × 224", parameters=10**7, flops=10**9, macs=10**9, origin="the paper's")
            for name in ("nn1", "nn2", "compact", "resnet50")
        ),
        pairs=(500, 500),
        shown=Shown(rows=[[0, 1], [2]], sizes=[5, 1], mostly=[0, 1], purity=[0.5, 1.0]),
    )
    return replace(found, **changes)
