"""How lambda-releases is deployed: ``local`` runs the whole system on one machine."""
