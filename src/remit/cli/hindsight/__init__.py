# SPDX-License-Identifier: Apache-2.0
"""`remit hindsight`: what coding assistants did, and what remit would have done."""
