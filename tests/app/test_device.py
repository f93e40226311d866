"""The device: a menu only where there is a choice, and every conversion is told of it."""


def menu(at):
    return [box for box in at.selectbox if box.label == "Device"]


def convert(at):
    next(button for button in at.button if button.label == "Convert and analyse").click().run()


def test_without_a_gpu_there_is_no_menu(at_page, pool):
    at = at_page("checkpoint")
    assert not menu(at)
    convert(at)
    assert "device" not in pool.last("analyse").arguments


def test_with_one_the_job_is_told(at_page, pool):
    pool.devices = ("cpu", "cuda")
    at = at_page("checkpoint")
    (box,) = menu(at)
    assert box.options == ["CPU", "CUDA GPU"]
    box.set_value("cuda").run()
    at.switch_page("pages/accuracy.py").run()
    at.switch_page("pages/checkpoint.py").run()
    assert menu(at)[0].value == "cuda"
    convert(at)
    assert pool.last("analyse").arguments["device"] == "cuda"
