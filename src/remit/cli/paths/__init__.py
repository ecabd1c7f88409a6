# SPDX-License-Identifier: Apache-2.0
"""What `remit paths` shows: the part that was asked for, as JSON, text, picture and page."""
