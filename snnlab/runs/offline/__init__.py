"""A run, or several, as one HTML file that needs nothing else: no network, no server, no snnlab."""

from snnlab.runs.offline.page import offline_report, offline_reports

__all__ = ["offline_report", "offline_reports"]
