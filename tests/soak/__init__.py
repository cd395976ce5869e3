"""A server under mixed load: is every stream right, and does everything come back?"""
