# SPDX-License-Identifier: Apache-2.0
"""The output of `remit paths`: the requested part of a survey, as JSON, text, picture and page."""
