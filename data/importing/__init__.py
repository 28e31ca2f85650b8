"""From files to a published snapshot: read, check, publish; nothing is published if any check is fatal."""
