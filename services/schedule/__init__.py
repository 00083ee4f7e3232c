"""The source that works by the clock: it removes what nobody needs any more."""
