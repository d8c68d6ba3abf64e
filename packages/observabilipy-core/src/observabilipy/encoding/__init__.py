"""Encoders: values in, bytes of a standard format out."""
