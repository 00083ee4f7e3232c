"""Sender matcher: who wrote this?"""
