"""Captioned images: loading, one file per source format, and decoding. Names load on first use: ``datasets`` is slow."""

from .._names import lazy_names

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "loading": ("load_data", "captioned", "image_counts", "images_by_id", "raw_images", "rows_by_id"),
        ".text.words": ("vocabulary",),  # the path of release 0.1
        "images": ("first_image", "image_size", "read_image", "read_images", "square", "thumbnail"),
    },
)
