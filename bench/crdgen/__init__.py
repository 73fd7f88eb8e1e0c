"""crdgen beside controller-gen: the same definition from Python models and from Go types."""
