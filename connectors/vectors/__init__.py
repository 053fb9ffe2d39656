"""Vector indexes: versioned points, filtered neighbours."""
