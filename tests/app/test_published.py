"""Published numbers on the Accuracy page: offered, drawn, marked, and kept in the link."""

import dataclasses

import snnlab as sl
from pages._ui import published
from tests.app.conftest import html_of, warnings
from tests.app.test_accuracy import packed, said

QCFS = "Bu2022-qcfs-cifar10-resnet20-L4"


def menu(at):
    return at.multiselect(key="accuracy-published")


def cifar(store, shipped):
    """A stored run as of a CIFAR ResNet-20."""
    run = shipped["digits-resnet-qcfs-L4"]
    card = {**run.card, "architecture_name": "resnet20-B", "dataset": "cifar10"}
    recipe = run.recipe.changed(data={"dataset": "cifar10"})
    made = dataclasses.replace(run, id="c1" * 16, card=card, recipe=recipe)
    store.save(made)
    return made


def test_numbers_of_this_dataset_and_network_come_first(at_page, store, shipped):
    run = cifar(store, shipped)
    options = menu(at_page("accuracy", run=run.id[:12])).options
    alike = {row.name for row in sl.literature(dataset="cifar10", architecture="resnet20")}
    same = {row.name for row in sl.literature(dataset="cifar10")}

    assert set(options[: len(alike)]) == alike
    assert set(options[: len(same)]) == same
    assert len(options) == len({row.series for row in sl.literature()})


def test_chosen_numbers_are_drawn_marked_and_in_the_link(at_page):
    at = at_page("accuracy")
    before = packed(at)
    menu(at).set_value([QCFS]).run()

    assert not at.exception
    assert packed(at) != before
    assert "published elsewhere" in packed(at)
    assert "QCFS (Bu et al., ICLR 2022; resnet20, cifar10, L = 4) ‡" in html_of(at)
    assert "‡ Published elsewhere, not measured here" in said(at)
    assert at.query_params["published"] in (QCFS, [QCFS])
    menu(at).set_value([]).run()
    assert packed(at) == before
    assert "published" not in at.query_params


def test_a_link_chooses_and_what_it_cannot_is_said(at_page):
    at = at_page("accuracy", published=f"{QCFS}.nothing-like-it")

    assert menu(at).value == [QCFS]
    assert "knows no published numbers called nothing" in warnings(at)
    at.run()
    assert menu(at).value == [QCFS]
    assert at.query_params["published"] in (QCFS, [QCFS])


def test_the_choice_survives_a_change_of_page(at_page):
    at = at_page("accuracy", published=QCFS)
    at.switch_page("pages/help.py").run()
    at.query_params.clear()
    at.switch_page("pages/accuracy.py").run()

    assert menu(at).value == [QCFS]
    assert at.query_params["published"] in (QCFS, [QCFS])


def test_as_many_are_allowed_as_can_be_drawn(at_page):
    at = at_page("accuracy")
    names = list(dict.fromkeys(row.series for row in sl.literature() if row.num_steps <= 32))[: published.MOST]
    menu(at).set_value(names).run()
    assert not at.exception
