"""How much of everything a catalogue of a size needs: arithmetic over what was measured."""
