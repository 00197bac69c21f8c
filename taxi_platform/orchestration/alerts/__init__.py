"""Alerts: tell people about failed runs, repaired runs and stale datasets, in Slack, by e-mail or by webhook.

Belongs here: everything about telling people. Does not: what counts as a failure (the runs say that).
"""

from __future__ import annotations

from taxi_platform.orchestration.alerts.channels import Outcome, send_test_message
from taxi_platform.orchestration.alerts.sensors import build_alert_sensors
from taxi_platform.orchestration.alerts.settings import AlertSettings

__all__ = ["AlertSettings", "Outcome", "build_alert_sensors", "send_test_message"]
