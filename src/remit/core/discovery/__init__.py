# SPDX-License-Identifier: Apache-2.0
"""Discovery: what agents use outside remit, read from files, histories and exports, and what is wrong there.

Readers turn bytes into pieces of text and declarations, detectors and rules turn these into findings.
Pure: no file is opened here, and nothing that is read is run. The life of a finding is in `findings`.
"""
