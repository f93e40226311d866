"""One thin file per page: read widgets, ask for a stored report, draw it."""
