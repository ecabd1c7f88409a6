# SPDX-License-Identifier: Apache-2.0
"""Steps 3 to 5 of a call: describe it, decide it, ask a person, and record the decision.

Policies are evaluated in `services.policy`, flow in `core.flow`; here both become one decision.
"""
