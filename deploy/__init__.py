"""How lambda-releases is run: the whole system on one machine (``deploy.local``), and in production."""
