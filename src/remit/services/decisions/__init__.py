# SPDX-License-Identifier: Apache-2.0
"""Steps 3 to 5 of a call: describe it, decide it, ask a person, and record the decision.

`services.policy` evaluates policies and `core.flow` judges information flow; this package combines both into
one decision.
"""
