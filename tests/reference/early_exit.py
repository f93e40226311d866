"""Early exit image by image, as its definition reads."""


def stop(margins, correct, limit):
    """Step at which one image stops, and whether it is right then; margins and answers at t = 1..T."""
    for t, margin in enumerate(margins, start=1):
        if margin >= limit:
            return t, correct[t - 1]
    return len(margins), correct[-1]


def chosen(margins, correct, limits, within):
    """Smallest limit such that it and every larger one lose at most ``within`` points; inf without any.

    Args:
        margins: One list over t for each image.
        correct: Likewise.
        limits: Ascending.
        within: Points.
    """
    images = len(margins)
    full = sum(answers[-1] for answers in correct)

    def keeps(limit):
        right = sum(stop(m, c, limit)[1] for m, c in zip(margins, correct, strict=True))
        return (full - right) / images * 100 <= within + 1e-9

    good = [limit for place, limit in enumerate(limits) if all(keeps(other) for other in limits[place:])]
    return min(good, default=float("inf"))
