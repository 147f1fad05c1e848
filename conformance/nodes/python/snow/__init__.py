"""A small Snow node on asyncio, written from the spec alone."""

VERSION = "0.1.0"
