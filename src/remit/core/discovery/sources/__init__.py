# SPDX-License-Identifier: Apache-2.0
"""Readers of files: transcripts, prompts, configuration, dumps and exports, as pieces and declarations.

Text that a detector can read as it stands stays as it stands, so that its lines and its context are right.
A value is taken out of it only where the form hides it (escapes, base64, a name in another field), and is
blanked there: no text is looked at twice.
"""
