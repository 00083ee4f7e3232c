"""The source that works by the clock: service levels, reports, and removing what nobody needs any more."""
