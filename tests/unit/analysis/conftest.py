"""What the tests of analyses share: one bundled network with its images, read once."""

import pytest

import snnlab as sl


@pytest.fixture(scope="session")
def checkpoint():
    return sl.example("digits-vgg-qcfs-L8")


@pytest.fixture(scope="session")
def ann(checkpoint):
    return checkpoint.build()


@pytest.fixture(scope="session")
def dev(checkpoint):
    return checkpoint.data("dev", limit=100)


@pytest.fixture(scope="session")
def few(checkpoint):
    return checkpoint.data("dev", limit=24)
