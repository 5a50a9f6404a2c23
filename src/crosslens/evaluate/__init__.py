"""JUDGE: is it any good?"""
