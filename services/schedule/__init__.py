"""The source that works by the clock: service levels, reports, canaries, and deletion of data that nobody needs."""
