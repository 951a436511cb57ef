"""What every Entrepot service stands on. It knows nothing of any single service."""
