"""Everything that a rule can look at.

``None`` = not known: that neither raises an alert nor clears one. States and other yes-or-no questions are 1 or 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from quarterdeck.model.alerts.measure import Measure
from quarterdeck.model.alerts.of_endpoints import ENDPOINT_MEASURES
from quarterdeck.model.alerts.of_machines import MACHINE_MEASURES

MEASURES: Mapping[str, Measure] = {measure.id: measure for measure in (*ENDPOINT_MEASURES, *MACHINE_MEASURES)}
"""Every measure, by its id."""
