import os
import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from snnlab.core.errors import CheckpointError
from snnlab.io import open_foreign, opening

torch.set_num_threads(1)

WEIGHTS = {"0.weight": torch.arange(12.0).reshape(3, 4), "0.bias": torch.ones(3)}


class Hostile:
    """Creates a file when it is unpickled: the sentinel that nothing was run."""

    def __init__(self, sentinel):
        self.sentinel = str(sentinel)

    def __reduce__(self):
        return os.mkdir, (self.sentinel,)


def saved(path, content, **options):
    torch.save(content, path, **options)
    return path


def refused(path, *parts):
    with pytest.raises(CheckpointError) as caught:
        open_foreign(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    for part in parts:
        assert part in message
    return message


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["m.pt", "m.th", "m.pth.tar"])
def test_both_formats_of_torch_are_read_by_content(tmp_path, name, zipped):
    path = saved(tmp_path / name, WEIGHTS, _use_new_zipfile_serialization=zipped)
    assert torch.equal(open_foreign(path)["0.weight"], WEIGHTS["0.weight"])


def test_safetensors_are_read_by_content_in_natural_order(tmp_path):
    path = tmp_path / "m.bin"
    save_file({f"{index}.weight": torch.ones(2) for index in (0, 2, 10)}, path)
    assert list(open_foreign(path)) == ["0.weight", "2.weight", "10.weight"]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: {"state_dict": weights, "best_prec1": 91.7, "epoch": 3},
        lambda weights: {"model": weights, "optimizer": {"state": {0: {"momentum_buffer": torch.ones(3)}}}},
        lambda weights: {"net": {"state_dict": weights}},
        lambda weights: {"model_state_dict": weights, "ema": weights},
        lambda weights: {"unusual": weights, "epoch": 1},
        lambda weights: {f"module.{key}": value for key, value in weights.items()},
        lambda weights: {f"module._orig_mod.{key}": value for key, value in weights.items()},
        lambda weights: {"n_averaged": torch.tensor(3), **{f"module.{key}": value for key, value in weights.items()}},
        lambda weights: {"state_dict": {f"model.{key}": value for key, value in weights.items()}},
    ],
)
def test_wrappers_and_prefixes_are_taken_off(tmp_path, wrap):
    opened = open_foreign(saved(tmp_path / "m.pt", wrap(WEIGHTS)))
    assert list(opened) == list(WEIGHTS)


def test_a_prefix_of_some_keys_only_stays(tmp_path):
    path = saved(tmp_path / "m.pt", {"module.a.weight": torch.ones(1), "b.weight": torch.ones(1)})
    assert list(open_foreign(path)) == ["module.a.weight", "b.weight"]


def test_two_unnamed_state_dicts_are_not_guessed_between(tmp_path):
    refused(saved(tmp_path / "gan.pt", {"generator": WEIGHTS, "critic": WEIGHTS}), "generator, critic")


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_named_and_not_run(tmp_path, zipped):
    sentinel = tmp_path / "ran"
    content = {"state_dict": WEIGHTS, "extra": Hostile(sentinel)}
    path = saved(tmp_path / "evil.pth", content, _use_new_zipfile_serialization=zipped)
    refused(path, "posix.mkdir" if os.name == "posix" else "nt.mkdir", "nothing was run")
    assert not sentinel.exists()


@pytest.mark.parametrize("protocol", range(6))
def test_code_in_a_plain_pickle_is_named_and_not_run(tmp_path, protocol):
    sentinel = tmp_path / "ran"
    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps([Hostile(sentinel)], protocol=protocol))
    refused(path, ".mkdir")
    assert not sentinel.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_named_globals_are_refused_before_anything_is_loaded(tmp_path, monkeypatch, zipped):
    path = saved(tmp_path / "evil.pth", Hostile(tmp_path / "ran"), _use_new_zipfile_serialization=zipped)
    monkeypatch.setattr(torch, "load", lambda *args, **options: pytest.fail("the file was loaded"))
    refused(path, ".mkdir")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_global_that_the_scan_misses_is_refused_by_the_loader(tmp_path, monkeypatch, zipped):
    path = saved(tmp_path / "evil.pth", Hostile(tmp_path / "ran"), _use_new_zipfile_serialization=zipped)
    monkeypatch.setattr(torch.serialization, "get_unsafe_globals_in_checkpoint", lambda path: [])
    monkeypatch.setattr(opening, "_globals", lambda file: iter(()))
    refused(path, ".mkdir")
    assert not (tmp_path / "ran").exists()


def test_the_sentinel_would_have_run(tmp_path):
    pickle.loads(pickle.dumps(Hostile(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


def test_a_whole_pickled_network_names_its_class(tmp_path):
    refused(saved(tmp_path / "net.pt", torch.nn.Linear(2, 2)), "torch.nn.modules.linear.Linear", "state_dict()")


def test_numpy_in_a_checkpoint_is_named(tmp_path):
    import numpy as np

    refused(saved(tmp_path / "m.pt", {"state_dict": WEIGHTS, "best": np.float64(0.9)}), "numpy")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.98])
def test_a_truncated_file_is_one_sentence(tmp_path, share, zipped):
    path = saved(tmp_path / "m.pt", {"a": torch.randn(500)}, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(path)


@pytest.mark.parametrize("kept", [5, 30, 200, -1])
def test_a_truncated_safetensors_file_is_one_sentence(tmp_path, kept):
    path = tmp_path / "m.safetensors"
    save_file({f"{index}.weight": torch.ones(4) for index in range(5)}, path)
    path.write_bytes(path.read_bytes()[:kept])
    refused(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"epoch,loss\n1,0.5\n", "text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
        (bytes(range(7, 200)), "no known format"),
    ],
)
def test_what_is_not_a_checkpoint_is_told_by_kind(tmp_path, content, says):
    path = tmp_path / "m.pt"
    path.write_bytes(content)
    refused(path, says)


def test_a_zip_without_a_pickle(tmp_path):
    path = tmp_path / "photos.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "hello")
    refused(path, "zip archive")


def test_a_folder_and_a_missing_file(tmp_path):
    refused(tmp_path, "not a file")
    refused(tmp_path / "none.pt", "cannot be read")


def test_a_tensor_that_declares_more_than_its_storage(tmp_path):
    path = saved(tmp_path / "m.pt", {"0.weight": torch.zeros(1).as_strided((2**20, 2**20), (0, 0))})
    refused(path, "0.weight", "declares 4,398,046,511,104 bytes", "holds 4")


def test_many_views_of_one_storage_are_bounded_by_the_file(tmp_path):
    base = torch.zeros(100_000)
    path = saved(tmp_path / "m.pt", {f"{index}.weight": base for index in range(100)})
    refused(path, "more than twice its size")


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    path = saved(tmp_path / "m.pt", {"a": torch.zeros(10)})
    bomb = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            large = bytes(20_000_000) if name.endswith("data/0") else source.read(name)
            target.writestr(name, large)
    refused(bomb, "unpacks to")


def test_nesting_is_bounded_and_shared_lists_are_visited_once(tmp_path):
    deep = WEIGHTS
    for _ in range(30):
        deep = {"state_dict": deep}
    refused(saved(tmp_path / "deep.pt", deep), "deeper than")
    laughs = []
    for _ in range(7):
        laughs = [laughs] * 50
    assert open_foreign(saved(tmp_path / "laughs.pt", {"state_dict": WEIGHTS, "x": laughs}))
    cycle = {"epoch": 1}
    cycle["model"] = cycle
    refused(saved(tmp_path / "cycle.pt", cycle), "no state_dict")


@pytest.mark.parametrize("content", [[1, 2], torch.ones(3), {"epoch": 3}, {}])
def test_a_pickle_without_weights(tmp_path, content):
    refused(saved(tmp_path / "m.pt", content), "holds")


def test_sparse_tensors_are_refused_by_key(tmp_path):
    refused(saved(tmp_path / "m.pt", {"0.weight": torch.eye(3).to_sparse()}), "0.weight", "dense")


def test_the_size_limit_can_be_set(tmp_path, monkeypatch):
    path = saved(tmp_path / "m.pt", WEIGHTS)
    monkeypatch.setenv("SNNLAB_MAX_CHECKPOINT_BYTES", "100")
    refused(path, "limit of 100")
    monkeypatch.setenv("SNNLAB_MAX_CHECKPOINT_BYTES", "1000000")
    assert open_foreign(path)


def test_a_torchscript_program_is_refused(tmp_path):
    path = tmp_path / "script.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            archive.writestr(f"script/{name}", b"")
    refused(path, "TorchScript")
