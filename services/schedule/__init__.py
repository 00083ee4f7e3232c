"""The source that works by the clock: service levels, reports, canaries, and removing what nobody needs any more."""
