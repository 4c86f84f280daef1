"""Painting tests of all families, as a table: ``python -m tests.benchmarks.geometry``.

Per model and size of image: the share of the image that the model saw, the largest change of any image position's state
(at the input of the first block) when all of the rest is painted over, and the share of patches whose own position moves
most (among those of its tile) when the box of the patch is painted, with the attention of the vision tower zeroed.
"""

from ..vision import provide


def main() -> None:
    """Print the table, with all patches of the zoo and 64 of real processors."""
    provide()  # before transformers is imported, so what imports it comes after
    from ..painting import LANDSCAPE, PORTRAIT, REAL, WITHOUT_A_GRID, as_shipped, painted, real
    from ..zoo import FAMILIES

    print("| model | image | positions | patches | seen | change outside | own position moves most |")
    print("|---|---|---|---|---|---|---|")
    for name in [*FAMILIES, *(f"{name} (real processor)" for name in REAL)]:
        if name in WITHOUT_A_GRID:
            continue
        genuine = name.split()[0] in REAL
        model = real(name.split()[0]) if genuine else as_shipped(name)
        for size in ((640, 480), (300, 500)) if genuine else (LANDSCAPE, PORTRAIT):
            row = painted(model, size, 64 if genuine else None)
            outside = "nothing is outside" if row.outside is None else f"{row.outside:g}"
            cells = (name, f"{size[0]} × {size[1]}", row.n, row.patches, f"{row.seen:.1%}", outside, f"{row.most:.0%}")
            print("| " + " | ".join(map(str, cells)) + " |")


if __name__ == "__main__":
    main()
