"""How lambda-releases runs: ``local`` is the whole system on one machine."""
