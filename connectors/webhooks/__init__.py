"""Webhooks to other systems' addresses: guarded, never redirected."""
