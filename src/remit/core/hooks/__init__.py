# SPDX-License-Identifier: Apache-2.0
"""Hooks of coding assistants: what a client reports of a session, and how an answer to it is written.

Pure: who sent an event, and what is answered, is the services' part (`services.guard`). A client whose form
has changed is refused here, because nothing can be known of what it does.
"""
