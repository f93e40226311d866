"""A run as one HTML file that needs nothing else: no network, no server, no snnlab."""

from snnlab.runs.offline.page import offline_report

__all__ = ["offline_report"]
