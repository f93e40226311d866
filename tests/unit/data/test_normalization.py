import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnlab.core.errors import DataError, RecipeError
from snnlab.data.normalization import PRESETS, Normalization, parse_normalization, presets_for


def test_presets_are_the_published_numbers() -> None:
    assert set(PRESETS) == {"cifar10", "cifar10-true", "cifar100", "imagenet", "half", "unit", "mnist"}
    assert PRESETS["cifar10"].std == (0.2023, 0.1994, 0.2010)
    assert PRESETS["cifar10-true"].std == (0.2470, 0.2435, 0.2616)
    assert PRESETS["cifar10"].mean == PRESETS["cifar10-true"].mean == (0.4914, 0.4822, 0.4465)
    assert PRESETS["imagenet"] == Normalization("imagenet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert PRESETS["mnist"] == Normalization("mnist", (0.1307,), (0.3081,))


@pytest.mark.parametrize("name", PRESETS)
def test_preset_names_parse_to_themselves(name: str) -> None:
    assert parse_normalization(f" {name} ") is PRESETS[name]


def test_numbers_parse_and_their_name_parses_again() -> None:
    parsed = parse_normalization("0.1, .2,3e-1 / 0.5,0.25,1")
    assert parsed.mean == (0.1, 0.2, 0.3)
    assert parsed.std == (0.5, 0.25, 1.0)
    assert parse_normalization(parsed.name) == parsed


finite = st.floats(-10, 10)


@given(st.lists(st.tuples(finite, st.floats(1e-6, 10)), min_size=1, max_size=4))
def test_any_numbers_round_trip(pairs: list[tuple[float, float]]) -> None:
    mean, std = zip(*pairs, strict=True)
    parsed = parse_normalization(",".join(map(repr, mean)) + "/" + ",".join(map(repr, std)))
    assert (parsed.mean, parsed.std) == (mean, std)
    assert parse_normalization(parsed.name) == parsed


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("cifar01", "did you mean 'cifar10'"),
        ("Imagenet", "did you mean 'imagenet'"),
        ("", "known are cifar10"),
        ("0.5", "m1,m2,m3/s1,s2,s3"),
        ("0.5/0", "at least 1e-06"),
        ("0.5/-1", "at least 1e-06"),
        ("0.5/1e-320", "at least 1e-06"),
        ("nan/1", "not finite"),
        ("0.5/inf", "not finite"),
        ("1,2,3/1,2", "3 means and 2 deviations"),
        ("a,b/c,d", "not of the form"),
        ("1,/1,", "not of the form"),
        ("1/2/3", "not of the form"),
    ],
)
def test_bad_text_is_one_sentence(text: str, fragment: str, sentence) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_normalization(text)
    sentence(caught.value, fragment)


def test_single_numbers_fit_every_channel_count() -> None:
    for name in ("half", "unit"):
        for channels in (1, 2, 3, 4):
            PRESETS[name].check(channels)


def test_three_channel_presets_refuse_grey_images(sentence) -> None:
    assert not PRESETS["imagenet"].fits(1)
    with pytest.raises(DataError) as caught:
        PRESETS["imagenet"].check(1)
    sentence(caught.value, "'imagenet'", "3 channels", "images have 1")


def test_proposals_depend_on_channels() -> None:
    assert [preset.name for preset in presets_for(1)] == ["half", "unit", "mnist"]
    assert "mnist" not in [preset.name for preset in presets_for(3)]
    assert len(presets_for(3)) == 6
