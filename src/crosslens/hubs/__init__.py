"""ADOPT: pretrained models from hubs and folders become bundles."""
