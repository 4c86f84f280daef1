"""The world that is rendered and captioned: grammar, scenes and drawings. Imports no torch."""
