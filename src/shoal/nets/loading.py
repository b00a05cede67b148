"""One way to name a model, for every function and command that takes one.

    load_model("runs/first/model")          # a folder that save_model wrote
    load_model("my_package.models:build")   # a function, class or module of yours, imported and called

The second form imports and runs your code, as `python -c "import …"` would: name only what you trust.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from shoal.errors import InputError, ShoalError, unknown_name, wrong
from shoal.nets.saving import load_folder

_IMPORTABLE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def load_model(source: str | Path) -> nn.Module:
    """Load a saved network, or import one.

    Args:
        source: a folder that `save_model` wrote, or "package.module:function". The module is looked for where
            Python looks, and in the current folder. The function is called without arguments and returns an
            `nn.Module`; a class is called likewise, and a module that exists already is taken as it is.

    Returns:
        The model. A saved one is on the CPU and in evaluation mode; an imported one is as it was made.

    Raises:
        InputError: if there is no such folder, module or name, or what it names makes no `nn.Module`.
        ShoalError: if a saved file is damaged, or the imported code fails.

    Example:
        >>> load_model("torch.nn:Identity")
        Identity()
    """
    if isinstance(source, str) and _IMPORTABLE.fullmatch(source) and not Path(source).exists():
        return _import_model(source)
    if not Path(source).is_dir():
        raise wrong(
            "model",
            expected="a folder that holds a saved network, or package.module:function",
            got=f"'{source}'",
            fix="check the path",
        )
    return load_folder(source)


def _import_model(source: str) -> nn.Module:
    module_name, _, attribute = source.partition(":")
    with _current_folder_importable():
        made = _find(_import(module_name), attribute, source)
        if not isinstance(made, nn.Module):
            made = _call(made, source)
    if not isinstance(made, nn.Module):
        raise wrong(source, expected="a torch.nn.Module", got=f"{type(made).__name__}")
    return made


def _import(module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
            raise InputError(
                f"model: expected a module that can be imported, got '{module_name}', of which '{error.name}' is not "
                "found; run the command in the folder that holds it, or set PYTHONPATH"
            ) from None
        raise ShoalError(f"importing {module_name} failed: it needs '{error.name}'; install that") from error
    except Exception as error:
        raise ShoalError(f"importing {module_name} failed: {type(error).__name__}: {error}") from error


def _find(module: ModuleType, attribute: str, source: str) -> Any:
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            known = [name for name in dir(found) if not name.startswith("_") and callable(getattr(found, name, None))]
            raise unknown_name(f"function in {source.partition(':')[0]}", attribute, known)
        found = getattr(found, part)
    return found


def _call(made: Any, source: str) -> Any:
    if not callable(made):
        raise wrong(source, expected="a function that returns a torch.nn.Module", got=type(made).__name__)
    needed = _needed(made)
    if needed:
        raise wrong(
            source,
            expected="a function without required arguments",
            got=f"one that needs {', '.join(needed)}",
            fix="wrap it in a function that passes them",
        )
    try:
        return made()
    except Exception as error:
        raise ShoalError(f"calling {source} failed: {type(error).__name__}: {error}") from error


def _needed(function: Any) -> list[str]:
    """Names of the arguments that a function cannot do without."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):  # some built-ins do not tell
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is inspect.Parameter.empty and p.kind not in optional]


@contextmanager
def _current_folder_importable() -> Iterator[None]:
    """Look for modules in the current folder too, last, as `python -m` does and an installed command does not."""
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.append(here)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if added:
            sys.path.remove(here)
