"""One row alone decides as it does among others, at the threshold too."""

import math

import pytest
import torch

from shoal.exits import Confidence, EarlyExit, Entropy, Margin, Policy
from shoal.nets import create_model


@pytest.mark.parametrize("kind", [Confidence, Entropy, Margin])
@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_a_row_alone_decides_as_among_others(kind: type[Policy], temperature: float) -> None:
    logits = 3 * torch.randn(300, 5, generator=torch.Generator().manual_seed(0))
    scores = kind([kind.never], [temperature]).scores(logits[None])[0]
    for row in range(300):
        score = float(scores[row])
        for threshold in (score, math.nextafter(score, 9.0), math.nextafter(score, -9.0), score + 1e-7, score - 1e-7):
            if not kind.range[0] <= threshold <= kind.range[1]:
                continue
            policy = kind([threshold], [temperature])
            alone = policy.leaves_alone(logits[row : row + 1], 0)
            assert alone == bool(policy.leaves(logits[row : row + 1], 0)), (row, threshold)


@pytest.mark.parametrize("kind", [Confidence, Entropy, Margin])
def test_a_batch_of_one_is_answered_as_in_a_larger_one(kind: type[Policy]) -> None:
    net = EarlyExit(create_model("cifar_resnet18", width=8, seed=0), at=["layer1", "layer2", "layer3"], num_classes=10)
    images = torch.randn(12, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    first = torch.stack([logits.detach() for logits in net.eval()(images)])[:-1]
    ranked = kind([kind.never] * 3).scores(first)[0].sort().values
    middle = float(ranked[5:7].mean())  # no row's own score: those differ by rounding
    policy = kind([middle, kind.never, middle])
    together = net.predict(images, policy)
    assert len(together.exit_index.unique()) > 1
    for row in range(12):
        alone = net.predict(images[row : row + 1], policy)
        assert torch.equal(alone.exit_index, together.exit_index[row : row + 1])
        assert torch.equal(alone.macs, together.macs[row : row + 1])
        assert torch.allclose(alone.logits, together.logits[row : row + 1], atol=1e-5)


def test_hooks_of_a_head_still_run() -> None:
    net = EarlyExit(create_model("cifar_resnet18", width=8, seed=0), at=["layer1"], num_classes=10)
    seen: list[int] = []
    net.heads[0].register_forward_hook(lambda *_: seen.append(1))
    net.predict(torch.randn(1, 3, 32, 32), Confidence([0.99]))
    assert seen
