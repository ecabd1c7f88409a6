# SPDX-License-Identifier: Apache-2.0
"""Controls: what a framework asks, which measures answer, and the status that follows from what was counted.

Pure: the files are read, and the evidence is counted, by the command. A control permits and refuses nothing;
what is wrong with one agent is a finding (`findings`).
"""
