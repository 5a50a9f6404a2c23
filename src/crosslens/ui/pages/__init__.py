"""The pages: a file each; adding one is adding a file that holds a PAGE."""
