"""What a run is known by: its settings as plain values, a digest of them, and the command that makes it again."""

import hashlib
import json
import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from typing import Any


def plain_settings(config: Any) -> dict[str, Any]:
    """The fields of a settings dataclass as TOML and JSON can hold them; TOML has no None, which is left out."""
    given = {key: value for key, value in asdict(config).items() if value is not None}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}


def short_digest(identity: dict[str, Any]) -> str:
    """Six hexadecimal digits that tell runs of different settings or data apart.

    Example:
        >>> short_digest({"seed": 0}) != short_digest({"seed": 1})
        True
    """
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:6]


def name_run(study: str, budget: str, identity: dict[str, Any], data: str = "") -> str:
    """A name for the folder of a run that tells budgets, data sets and settings apart.

    Args:
        study: name of the study.
        budget: of the run.
        identity: settings and data.
        data: name of the data, where there are any.

    Example:
        >>> name_run("exits", "full", {"seed": 0}, "my photos")
        'exits-full-my-photos-de7d77'
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", data)
    return "-".join(filter(None, (study, budget, plain, short_digest(identity))))


def repeating_command(
    study: str, config: Any, usual: Any, *, given: Sequence[str] = (), left_out: Collection[str] = ()
) -> str:
    """The command that repeats a run: every setting that is not the budget's own, and always the seed.

    Args:
        study: name of the study.
        config: its settings, resolved.
        usual: those of the same budget when nothing else is said, resolved.
        given: words that come first.
        left_out: fields that `given` tells already, or that the result does not depend on.

    Example:
        >>> from shoal.studies.attention_config import AttentionConfig, resolve
        >>> usual = resolve(AttentionConfig())
        >>> repeating_command("attention", resolve(AttentionConfig(features=(16, 64))), usual)
        'shoal study attention --budget default --seed 0 --features 16 --features 64'
    """
    words = ["shoal", "study", study, "--budget", config.budget, *given]
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name in ("budget", *left_out) or (value == getattr(usual, field.name) and field.name != "seed"):
            continue
        flag = f"--{field.name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
            continue
        for item in value if isinstance(value, tuple) else (value,):
            words += [flag, str(item)]
    return shlex.join(words)
