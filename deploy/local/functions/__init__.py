"""The sources of the sample: packed into zips, never imported."""
