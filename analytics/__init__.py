"""Pure statistics: frames in, frozen results out; no SQL and nothing of the screen.

Every analysis of event times reads the event table of :mod:`analytics.events`, so that
one row per distinct time is all that ever has to leave the store.
"""
