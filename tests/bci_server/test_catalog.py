import contextlib

import pytest

from bci_server import catalog


def test_kinds_of_this_tree_and_of_others_are_listed(plugins):
    assert {"stranger", "broken"} <= set(catalog.kinds("devices"))
    assert "gain" in catalog.kinds("stages")
    assert "sides" in catalog.kinds("decoders")


def test_the_file_name_is_the_kind(tmp_path, monkeypatch):
    package = tmp_path / "adapters_here"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "_private.py").write_text("raise RuntimeError")
    (package / "mine.py").write_text(
        "from dataclasses import dataclass\n__all__ = ['Mine', 'HELP']\nHELP = ''\n"
        "@dataclass(frozen=True)\nclass Mine:\n    x: int = 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(catalog._PACKAGES, "devices", "adapters_here")
    assert "mine" in catalog.kinds("devices")
    assert "_private" not in catalog.kinds("devices")
    assert catalog.load("devices", "mine").__name__ == "Mine"


def test_an_entry_point_names_the_module_or_the_recipe(plugins):
    assert catalog.load("devices", "stranger").__name__ == "Stranger"
    assert catalog.load("stages", "gain").__name__ == "Gain"


def test_an_unknown_kind_says_what_there_is(plugins):
    with pytest.raises(catalog.UnknownKind, match=r"did you mean 'stranger'\? There is: .*broken"):
        catalog.load("devices", "strangr")


@pytest.mark.parametrize(
    ("kind", "match"),
    [("broken", "a_library_that_is_not_there"), ("two", "one recipe.*exports A, B")],
)
def test_a_plugin_that_cannot_be_used_says_why(plugins, kind, match):
    with pytest.raises(catalog.BrokenPlugin, match=match):
        catalog.load("devices", kind)


def test_two_packages_with_one_kind_are_refused(plugins):
    info = plugins / "others-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[bci_server.devices]\nstranger = other_module\n")
    with pytest.raises(catalog.BrokenPlugin, match="other_module and stranger_device"):
        catalog.load("devices", "stranger")


@pytest.mark.parametrize("group", ["devices", "stages", "decoders"])
def test_every_kind_loads_or_says_what_is_missing(group):
    for kind in catalog.kinds(group):
        with contextlib.suppress(catalog.BrokenPlugin):  # an optional library is not there
            assert catalog.load(group, kind)


def test_listing_imports_nothing_heavy(fresh_python):
    line = (
        "import sys; from bci_server import catalog;"
        "[catalog.kinds(g) for g in ('devices', 'stages', 'decoders')];"
        "print(sorted({'scipy', 'mne', 'torch', 'sklearn', 'pylsl'} & set(sys.modules)))"
    )
    assert fresh_python(line) == "[]"
