"""Planted defects of ports: is each found, and is its cause named?"""
