"""Recipes: validation in one sentence, YAML round trip, a key that depends on choices and not on places."""

import pytest

from snnlab.core.errors import RecipeError
from snnlab.core.recipe import Recipe

GOOD = {
    "checkpoint": {"source": "net.pt", "sha256": "ab" * 32},
    "data": {"dataset": "cifar10", "folder": "/data", "limit": 100},
    "converter": {"method": "percentile_norm", "parameters": {"percentile": 99.0}},
    "num_steps": 8,
    "snapshots": [4, 1, 4],
}


def test_defaults_are_filled_in_and_snapshots_sorted():
    recipe = Recipe.parse(GOOD)

    assert recipe.snapshots == (1, 4)
    assert recipe.converter.parameters == {"percentile": 99.0, "initial_fraction": 0.0, "per_channel": False}
    assert recipe.data.split == "dev"


def test_yaml_round_trip():
    recipe = Recipe.parse(GOOD)

    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    assert Recipe.from_yaml(recipe.to_yaml()).sha == recipe.sha


def test_the_key_ignores_places_and_nothing_else():
    recipe = Recipe.parse(GOOD)

    assert recipe.changed(checkpoint={"source": "elsewhere.pt"}).sha == recipe.sha
    assert recipe.changed(data={"folder": "/other"}).sha == recipe.sha
    for change in (
        {"num_steps": 9},
        {"seed": 1},
        {"dtype": "float64"},
        {"data": {"limit": 101}},
        {"data": {"normalize": "half"}},
        {"checkpoint": {"sha256": "cd" * 32}},
        {"checkpoint": {"levels": 4}},
        {"converter": {"sites": {"act1": {"v0": 0.1}}}},
    ):
        assert recipe.changed(**change).sha != recipe.sha
    assert recipe.key("cpu") != recipe.key("cuda")


def test_without_a_hash_the_place_counts():
    recipe = Recipe.parse({**GOOD, "checkpoint": {"source": "net.pt"}})

    assert recipe.changed(checkpoint={"source": "elsewhere.pt"}).sha != recipe.sha


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"num_steps": 0}, "num_steps is 0; it must be at least 1."),
        ({"num_steps": 10**6}, "num_steps is 1000000; it must be at most 4096."),
        ({"num_steps": "many"}, "num_steps"),
        ({"snapshots": [9]}, r"snapshots \[9\] lie outside 1..8"),
        ({"data": {"dataset": "cifar10", "split": "tset"}}, "data.split"),
        ({"data": {"dataset": "cifar10", "limit": 0}}, "data.limit"),
        ({"converter": {"method": "qcsf"}}, "did you mean 'qcfs'"),
        ({"converter": {"method": "qcfs", "parameters": {"x": 1}}}, "qcfs has no parameter 'x'"),
        ({"converter": {"method": "qcfs", "sites": {"a": {"threshold": -1}}}}, "threshold"),
        ({"converter": {"method": "qcfs", "sites": {"a": {"threshold": float("nan")}}}}, "threshold"),
        ({"colour": "red"}, "colour is 'red'; there is no such field"),
        ({"seed": -1}, "seed is -1"),
        ({"snapshots": 4}, "snapshots: must be a list of whole numbers"),
        ({"snapshots": "12"}, "snapshots: must be a list of whole numbers"),
        ({"snapshots": [1.9]}, "snapshots: must be a list of whole numbers"),
        ({"snapshots": [True]}, "snapshots: must be a list of whole numbers"),
    ],
)
def test_a_wrong_value_is_one_sentence(change, reason):
    with pytest.raises(RecipeError, match=reason) as caught:
        Recipe.parse({**GOOD, **change})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x 1\nb: *x", "aliases"),
        ("a: [1", r"not valid YAML \(line"),
        ("!!python/object/apply:os.system [echo]", "not valid YAML"),
        ("- 1\n- 2", "recipe"),
        ("x" * 300_000, "larger than 256 kB"),
        ("[" * 3000, "nested"),
    ],
)
def test_hostile_yaml_is_refused(text, reason):
    with pytest.raises(RecipeError, match=reason):
        Recipe.from_yaml(text)


def test_a_missing_recipe_file_is_named(tmp_path):
    with pytest.raises(RecipeError, match=r"none\.yaml cannot be read"):
        Recipe.from_file(tmp_path / "none.yaml")
