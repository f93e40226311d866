"""Many browser sessions at once on one server: does anything leak from one to another, fail, grow or wait?

    python benchmarks/sessions.py [--sessions 8] [--minutes 5] [--pictures FOLDER]

Starts a server of its own on loopback with a store of its own, opens that many browsers with separate storage, and
lets each switch checkpoints, turn pages, change T, move noise, edit a threshold, start jobs and cancel some of them.
Every session marks its jobs by a number of images of its own, so that a result that lands in another one is seen.
Prints latencies by action and the memory of server and workers over time; exits with 1 when a session saw an
exception, something of another session, or memory that grew by more than 10 % after the first minute.
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright
from playwright.async_api import TimeoutError as PlaywrightTimeout

ROOT = Path(__file__).resolve().parents[1]
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
QUIET += ("--disable-background-networking", "--disable-component-update")
CHECKPOINTS = ("digits-vgg-qcfs-L8", "digits-resnet-qcfs-L4", "digits-vgg-relu")
PAGES = {
    "Residuals": "Which neurons spent too much",
    "Accuracy": "How many time-steps",
    "Noise": "What noise",
    "Conversion": "What do each site",
    "Final evaluation": "",
    "Help": "What do the words",
}
STEPS = ("1", "2", "4", "8")
PATIENCE = 60_000  # ms
GROWTH = 0.10
WARM_UP = 60  # seconds before memory is compared


@dataclass
class Seen:
    """What all sessions saw."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    problems: list[str] = field(default_factory=list)
    memory: list[tuple[float, float, int]] = field(default_factory=list)


class Session:
    """One browser: its own storage, checkpoint and number of images."""

    def __init__(self, number: int, page: Page, seen: Seen, pictures: Path | None = None) -> None:
        self.number, self.page, self.seen, self.pictures = number, page, seen, pictures
        self.random = random.Random(number)
        self.images = 21 + number  # no two sessions run the same number of images
        self.checkpoint = CHECKPOINTS[number % len(CHECKPOINTS)]

    async def quiet(self) -> None:
        """Until no script runs."""
        await self.page.wait_for_timeout(100)
        await self.page.wait_for_function(
            "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'", timeout=PATIENCE
        )

    async def strip(self) -> str:
        """Text of the context strip."""
        return await self.page.locator(".st-key-strip").inner_text()

    async def choose(self, label: str, option: str) -> None:
        """An option of a box in the sidebar or a form."""
        await self.page.get_by_role("combobox", name=label).first.click()
        await self.page.get_by_role("option", name=option, exact=True).first.click()

    def took(self, action: str, started: float) -> None:
        """Note how long an action took."""
        self.seen.seconds[action].append(time.monotonic() - started)

    async def wait_for_strip(self, text: str) -> None:
        """Until the strip says it."""
        await self.page.wait_for_function(
            "text => document.querySelector('.st-key-strip')?.innerText.includes(text)", arg=text, timeout=PATIENCE
        )

    async def open_checkpoint(self) -> None:
        """Bring this session's own checkpoint into view."""
        started = time.monotonic()
        if self.checkpoint not in await self.strip():
            await self.choose("Checkpoint", self.checkpoint)
            await self.wait_for_strip(self.checkpoint)
        await self.quiet()
        self.took("change of checkpoint", started)

    async def change_steps(self) -> None:
        """Another target T."""
        steps = self.random.choice(STEPS)
        if f"T\n{steps}\n" in await self.strip():
            return
        started = time.monotonic()
        await self.choose("Target T", steps)
        await self.wait_for_strip(f"T\n{steps}")
        self.took("change of T", started)
        await self.quiet()

    async def turn_page(self, name: str = "") -> None:
        """Another page, drawn."""
        name = name or self.random.choice(list(PAGES))
        started = time.monotonic()
        await self.page.get_by_role("link", name=name, exact=True).first.click()
        heading = PAGES.get(name)
        await self.page.get_by_role("heading", level=1, name=heading or None).wait_for(timeout=PATIENCE)
        await self.quiet()
        self.took(f"page {name}", started)

    async def start_job(self, *, cancel: bool) -> None:
        """A conversion of one's own number of images; cancelled, or followed until it is in view."""
        await self.turn_page("Checkpoint")
        await self.page.get_by_role("tab", name="Open or convert").click()
        images = self.page.get_by_role("spinbutton", name="Images")
        await images.wait_for(timeout=PATIENCE)
        await self.quiet()
        count = 270 if cancel else self.images
        await images.fill(str(count))
        await images.press("Enter")
        await self.quiet()
        if cancel:
            await self.choose("Simulate to T", "128")
            await self.quiet()
        button = self.page.get_by_role("button", name="Convert and analyse")
        if await button.is_disabled():
            return  # a job of one's own waits behind those of the others: one at a time
        await button.click()
        started = time.monotonic()
        if cancel:
            await self._cancel()
        else:
            await self.wait_for_strip(f"{count} images")
            self.took("job", started)
        await self.quiet()

    async def _cancel(self) -> None:
        tray = self.page.locator(".st-key-tray")
        button = tray.get_by_role("button", name="Cancel").first
        try:
            await button.wait_for(timeout=PATIENCE)
            await self.page.wait_for_timeout(500)
            started = time.monotonic()
            await button.click(timeout=5000)
            await tray.get_by_text("ancelled").first.wait_for(timeout=PATIENCE)
            self.took("cancel", started)
        except PlaywrightTimeout:
            if not await tray.get_by_text("done").count():  # it may have been quicker than the click
                raise

    async def move_noise(self) -> None:
        """Another master scale on the Noise page; its number comes from the interactive worker."""
        await self.turn_page("Noise")
        view = self.page.locator(".st-key-noise-view")
        slider = view.get_by_role("slider").first
        if not await slider.count():
            return  # nothing measured for the run in view
        await slider.focus()
        started = time.monotonic()
        await self.page.keyboard.press(self.random.choice(["ArrowRight", "ArrowLeft"]))
        await self.page.wait_for_timeout(300)
        await self.quiet()
        self.took("noise", started)

    async def check(self) -> None:
        """Nothing of anybody else is here, and nothing broke."""
        if await self.page.locator("[data-testid=stException]").count():
            text = await self.page.locator("[data-testid=stException]").first.inner_text()
            self.seen.problems.append(f"session {self.number}: exception on {self.page.url}: {text[:300]}")
        strip = await self.strip()
        if self.checkpoint not in strip:
            self.seen.problems.append(f"session {self.number}: expected {self.checkpoint}, the strip says {strip!r}")
        foreign = [n for n in range(21, 60) if f", {n} images" in strip and n != self.images]
        if foreign:
            self.seen.problems.append(f"session {self.number}: shows the run of session {foreign[0] - 21}")

    async def live(self, address: str, until: float) -> None:
        """Use the app until the time is over."""
        started = time.monotonic()
        await self.page.goto(address)
        await self.page.locator(".st-key-strip a").first.wait_for(timeout=PATIENCE)
        await self.quiet()
        self.took("first page", started)
        await self.open_checkpoint()
        while time.monotonic() < until:
            action = self.random.choice(["page", "page", "steps", "steps", "job", "cancel", "noise"])
            try:
                if action == "page":
                    await self.turn_page()
                elif action == "steps":
                    await self.change_steps()
                elif action == "noise":
                    await self.move_noise()
                else:
                    await self.start_job(cancel=action == "cancel")
                await self.check()
            except PlaywrightTimeout as error:
                self.seen.problems.append(
                    f"session {self.number}: {action} never ended: {' '.join(str(error).split())[:300]}"
                )
                if self.pictures is not None:
                    await self.page.screenshot(path=self.pictures / f"{self.number}-{len(self.seen.problems)}.png")
                await self.page.reload()
                await self.page.locator(".st-key-strip a").first.wait_for(timeout=PATIENCE)
                await self.quiet()
                await self.open_checkpoint()


def resident(root: int) -> tuple[float, int]:
    """Resident MiB of a process and everything below it, and the number of processes."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,rss="], capture_output=True, text=True, check=True).stdout
    rows = [tuple(map(int, line.split())) for line in listed.splitlines()]
    family = {root}
    while True:
        more = {pid for pid, parent, _ in rows if parent in family} - family
        if not more:
            break
        family |= more
    return sum(rss for pid, _, rss in rows if pid in family) / 1024, len(family)


async def watch(process: subprocess.Popen[bytes], seen: Seen, until: float) -> None:
    """Memory of the server and its workers, every five seconds."""
    start = time.monotonic()
    while time.monotonic() < until:
        megabytes, processes = resident(process.pid)
        seen.memory.append((time.monotonic() - start, megabytes, processes))
        await asyncio.sleep(5)


async def run(
    address: str,
    process: subprocess.Popen[bytes],
    sessions: int,
    seconds: float,
    seen: Seen,
    pictures: Path | None,
) -> None:
    """All sessions side by side."""
    chrome = os.environ.get("SNNLAB_CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
    async with async_playwright() as playwright:
        browser: Browser = await playwright.chromium.launch(executable_path=chrome, args=QUIET)
        until = time.monotonic() + seconds
        lives = [watch(process, seen, until)]
        for number in range(sessions):
            context = await browser.new_context(viewport={"width": 1400, "height": 1100})
            page = await context.new_page()
            page.on("pageerror", lambda error, n=number: seen.problems.append(f"session {n}: {error}"))
            lives.append(Session(number, page, seen, pictures).live(address, until))
        for outcome in await asyncio.gather(*lives, return_exceptions=True):
            if isinstance(outcome, BaseException):
                seen.problems.append(f"a session ended: {type(outcome).__name__}: {str(outcome).splitlines()[0]}")
        await browser.close()


def serve(home: Path) -> tuple[str, "subprocess.Popen[bytes]"]:
    """A server on a free port, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "SNNLAB_STORE": str(home / "runs.sqlite"), "XDG_CACHE_HOME": str(home / "cache")}
    environment |= {"SNNLAB_DATA_ROOTS": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port)]
    with (home / "log").open("w") as out:
        process = subprocess.Popen(command, cwd=home, env=environment, stdout=out, stderr=subprocess.STDOUT)
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1)
            return f"http://127.0.0.1:{port}", process
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"the server did not start:\n{(home / 'log').read_text()}")


def report(seen: Seen, log: str) -> bool:
    """Print what was seen; True when all is well."""
    print(f"{'action':<24}{'times':>6}{'median s':>10}{'p95 s':>8}{'worst s':>9}")
    for action, seconds in sorted(seen.seconds.items()):
        p95 = sorted(seconds)[min(len(seconds) - 1, int(0.95 * len(seconds)))]
        print(f"{action:<24}{len(seconds):>6}{statistics.median(seconds):>10.2f}{p95:>8.2f}{max(seconds):>9.2f}")
    warm = [megabytes for at, megabytes, _ in seen.memory if at >= WARM_UP]
    if len(warm) >= 4:
        quarter = max(1, len(warm) // 4)
        first, last = statistics.median(warm[:quarter]), statistics.median(warm[-quarter:])
        print(f"memory after the first minute {first:.0f} MiB, at the end {last:.0f} MiB ({last / first - 1:+.1%})")
        if last > first * (1 + GROWTH):
            seen.problems.append(f"memory grew by {last / first - 1:.0%}")
    print("memory by half minute, MiB:", *(f"{m:.0f}" for at, m, _ in seen.memory[::6]))
    if "Traceback" in log:
        seen.problems.append("the server's log has a traceback:\n" + log[log.index("Traceback") :][:2000])
    print("\n".join(seen.problems) or "no problem was seen")
    return not seen.problems


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=8, choices=range(1, 33), metavar="1..32")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--pictures", type=Path, help="folder for a picture of every session that got stuck")
    options = parser.parse_args()
    if not 0 < options.minutes <= 30:
        parser.error("--minutes must lie above 0 and be at most 30")
    seen = Seen()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        address, process = serve(home)
        try:
            asyncio.run(run(address, process, options.sessions, 60 * options.minutes, seen, options.pictures))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        well = report(seen, (home / "log").read_text())
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
