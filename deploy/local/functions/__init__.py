"""The source files of the sample, packed into zips and never imported.

checkout    the version that is live at first
good        the next version, which works
broken      the next version, with a mistake in it
"""
