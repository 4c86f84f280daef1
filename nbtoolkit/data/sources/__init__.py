"""Sources of captioned images, one file per format."""
