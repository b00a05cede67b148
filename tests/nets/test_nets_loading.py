"""Models named as package.module:function, and what can be wrong with such a name."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import nn

from shoal.errors import InputError, ShoalError
from shoal.nets import load_model

SOURCE = """
from torch import nn

def build():
    return nn.Linear(2, 3)

def late():
    import shoal_test_helper
    return shoal_test_helper.made

class Net(nn.Module):
    class Inner(nn.Module):
        pass

ready = nn.Linear(4, 5)
number = 3
def needs(width, *rest, depth, **more): ...
def gives_text(): return "text"
def fails(): raise ValueError("on purpose")
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package in the current folder, as a user would have it."""
    folder = tmp_path / "shoal_test_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "models.py").write_text(SOURCE)
    (folder / "hungry.py").write_text("import shoal_test_absent")
    (folder / "broken.py").write_text("1 / 0")
    (folder / "unreadable.py").write_text("def (")
    (tmp_path / "shoal_test_helper.py").write_text("from torch import nn\nmade = nn.ReLU()")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    yield
    assert sys.path == before
    for name in [name for name in sys.modules if name.startswith("shoal_test_")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("build", "Linear"), ("late", "ReLU"), ("Net", "Net"), ("Net.Inner", "Inner"), ("ready", "Linear")],
)
def test_functions_classes_and_modules(name: str, kind: str):
    model = load_model(f"shoal_test_package.models:{name}")
    assert isinstance(model, nn.Module)
    assert type(model).__name__ == kind


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("shoal_test_package.models:bild", InputError, "unknown function in shoal_test_package.models 'bild'; did you"),
        ("shoal_test_package.models:number.x", InputError, "unknown function in"),
        ("shoal_test_package.models:number", InputError, "a function that returns a torch.nn.Module, got int"),
        ("shoal_test_package.models:needs", InputError, "got one that needs width, depth; wrap it"),
        ("shoal_test_package.models:gives_text", InputError, "expected a torch.nn.Module, got str"),
        ("shoal_test_package.models:fails", ShoalError, "calling .*:fails failed: ValueError: on purpose"),
        ("shoal_test_package.nothing:x", InputError, "'shoal_test_package.nothing' is not found; run the command in"),
        ("shoal_test_nothing.models:x", InputError, "'shoal_test_nothing.models', of which 'shoal_test_nothing' is"),
        ("shoal_test_package.hungry:x", ShoalError, "it needs 'shoal_test_absent'; install that"),
        ("shoal_test_package.broken:x", ShoalError, "failed: ZeroDivisionError"),
        ("shoal_test_package.unreadable:x", ShoalError, "failed: SyntaxError"),
        ("no/such/folder", InputError, "a folder that holds a saved network, or package.module:function, got 'no/such"),
        ("shoal_test_package.models", InputError, "or package.module:function, got 'shoal_test_package.models'"),
        ("shoal_test_package", InputError, "a folder of a saved network, got no model.json"),
    ],
)
def test_every_wrong_name_is_explained(source: str, error: type[ShoalError], message: str):
    with pytest.raises(error, match=message) as caught:
        load_model(source)
    assert type(caught.value) is error


def test_a_folder_with_a_colon_is_a_folder(tmp_path: Path):
    (tmp_path / "math:pi").mkdir()
    with pytest.raises(InputError, match=r"got no model\.json"):
        load_model("math:pi")
