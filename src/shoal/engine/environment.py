"""What a number depends on besides the code: machine, versions, commit, seed, device and why."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

import shoal


def describe_environment(*, seed: int, device: str, why: str) -> dict[str, Any]:
    """Describe where and with what a run is made.

    Args:
        seed: the run's seed.
        device: the device that was chosen.
        why: why it was chosen.

    Returns:
        Plain values, ready for JSON. No user name, host name or path is among them.
    """
    return {
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
            "memory_gb": _memory_gb(),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": {
            "python": platform.python_version(),
            "shoal": shoal.__version__,
            **{name: importlib.metadata.version(name) for name in ("torch", "numpy")},
        },
        "commit": _commit(),
        "seed": seed,
        "device": device,
        "device_why": why,
        **({"gpu": _gpu()} if device.startswith("cuda") else {}),
    }


def _gpu() -> dict[str, Any]:
    """Which GPU, and whether its float32 is rounded to TF32's 10 bits: torch does so in convolutions unless told."""
    return {
        "name": torch.cuda.get_device_name(),
        "tf32_convolutions": torch.backends.cudnn.allow_tf32,
        "tf32_products": torch.backends.cuda.matmul.allow_tf32,
    }


def _processor() -> str:
    """The processor's name as Linux tells it, else as Python does."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    if sys.platform == "linux":
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    return None


def _commit() -> str | None:
    """The checkout's commit, with a "+" where files were changed; None outside of a checkout."""
    folder = Path(shoal.__file__).parent
    if not (folder.parents[1] / ".git").exists():  # installed into an environment that lies in another repository
        return None
    try:
        shown = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty=+", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return shown.stdout.strip() or None
